"""The thread that a session works in, beside the one that draws.

Owns the order of what is done to the conversation: it is never used by two threads. Must not know
any widget: what happens is posted as messages.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from agent.errors import AgentError
from tools.errors import Cancelled, ToolError
from tui.merging import Merging, is_piece, merged

if TYPE_CHECKING:  # what is wanted is typed before any of it is loaded
    from agent.approval import ApprovalAnswer, ApprovalRequest
    from agent.conversation import Conversation
    from agent.events import Event
    from agent.wanted import Wanted
    from tools.base import Cancel

_TICK = 0.05
"""Seconds between two looks at `cancel` while a question waits."""


@dataclass
class Opened(Message):
    """The session is ready for its first turn."""

    conversation: Conversation
    """To be looked at between turns, never to be used: `Engine.do` does."""
    earlier: tuple[Event, ...] = ()
    """What happened in the session before, where it goes on."""


@dataclass
class NotOpened(Message):
    """It could not be opened; another try is `Engine.open`."""

    error: AgentError | ToolError


@dataclass
class Reported(Message):
    """An event of the turn."""

    event: Event


@dataclass
class Rested(Message):
    """The turn has ended, or what else was done."""


@dataclass
class Done(Message):
    """What was asked for is done."""

    tell: Callable[[], object]
    """Is to be called where widgets are, and awaited if that can be."""


@dataclass
class Complaint(Message):
    """What was asked for cannot be done; one line."""

    text: str


@dataclass
class Failed(Message):
    """What was asked for met an error of ours; the thread goes on."""

    error: Exception


@dataclass
class Asked(Message):
    """A question of the turn, which waits for `reply`."""

    request: ApprovalRequest
    reply: Callable[[ApprovalAnswer], None]


T = TypeVar("T")
Post = Callable[[Message], object]
Job = Callable[["Conversation"], None]


def _merged(first: Message | Event, second: Message | Event) -> Message | Event | None:
    if isinstance(first, Message) or isinstance(second, Message):
        return None
    return merged(first, second)


class _Questions:
    """Implements `agent.approval.Approver`: a question becomes a message."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        answers: queue.SimpleQueue[ApprovalAnswer] = queue.SimpleQueue()
        self._post(Asked(request, answers.put))
        while not cancel.is_set():
            try:
                return answers.get(timeout=_TICK)
            except queue.Empty:
                continue
        raise Cancelled


class Engine:
    """Opens a conversation, runs its turns and does what else is wanted, one after the other."""

    def __init__(self, post: Post) -> None:
        """
        Args:
            post: Takes a message from any thread.
        """
        # An event becomes a message behind the merging: one a frame, not one a token.
        self._told: Merging[Message | Event] = Merging(
            lambda told: post(told if isinstance(told, Message) else Reported(told)),
            _merged,
            lambda told: not isinstance(told, Message) and is_piece(told),
        )
        self._post: Post = self._told.put
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._between: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._conversation: Conversation | None = None
        self._problem: AgentError | ToolError | None = None
        self._cancel = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="session", daemon=True)
        self._thread.start()

    def open(self, wanted: Wanted) -> None:
        """Open a session; the one before is closed."""
        self._jobs.put(lambda: self._open(wanted))

    def run(self, task: str, notes: tuple[str, ...] = ()) -> None:
        """Conduct a turn, once what was wanted before is done.

        Args:
            notes: What the model is told besides.
        """
        self._jobs.put(lambda: self._run(task, notes))

    def do(
        self,
        job: Callable[[Conversation], T],
        then: Callable[[T], object] | None = None,
    ) -> None:
        """Have something done in the session's thread: at once, or between two events of the turn.

        What it raises of `AgentError` and `ToolError` is posted as a complaint.

        Args:
            then: Is told what came of it, by a message, so where widgets are.
        """

        def work(conversation: Conversation) -> None:
            result = job(conversation)
            if then is not None:
                self._post(Done(partial(then, result)))

        self._between.put(work)
        self._jobs.put(self._catch_up)

    def interrupt(self) -> None:
        """End the turn; the work so far is kept."""
        self._cancel.set()

    def close(self, patience: float) -> None:
        """End everything; waits for it, so many seconds at most."""
        self._closing = True
        self._cancel.set()
        self._jobs.put(None)
        self._thread.join(patience)
        self._told.close(_TICK)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closing:
            try:
                job()
            except Exception as error:  # the thread's end would be the session's
                self._post(Failed(error))
                self._post(Rested())
        self._close()

    def _close(self) -> None:
        if self._conversation is not None:
            self._conversation.close(tidy=not self._cancel.is_set())
            self._conversation = None

    def _open(self, wanted: Wanted) -> None:
        from agent.conversation import Conversation  # 250 ms; not needed for the first frame

        self._close()
        try:
            self._conversation = Conversation(wanted, _Questions(self._post))
        except (AgentError, ToolError) as error:
            self._problem = error
            self._post(NotOpened(error))
        else:
            self._post(Opened(self._conversation, _earlier(wanted)))

    def _run(self, task: str, notes: tuple[str, ...]) -> None:
        if self._conversation is None:
            if self._problem is not None:
                self._post(NotOpened(self._problem))
            self._post(Rested())
            return
        self._cancel.clear()
        try:
            for event in self._conversation.run(task, self._cancel, notes):
                self._told.put(event)
                self._catch_up()
        except (AgentError, ToolError, OSError) as error:
            self._post(Complaint(str(error)))
        self._post(Rested())

    def _catch_up(self) -> None:
        while self._conversation is not None:
            try:
                job = self._between.get_nowait()
            except queue.Empty:
                return
            try:
                job(self._conversation)
            except (AgentError, ToolError, OSError) as error:
                self._post(Complaint(str(error)))


def _earlier(wanted: Wanted) -> tuple[Event, ...]:
    if wanted.resume is None:
        return ()
    from agent.playback import events_of  # 50 ms; only needed to go on with a session

    return tuple(event for _, event in events_of(wanted.resume.record))
