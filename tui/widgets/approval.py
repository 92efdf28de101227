"""Questions of the agent, above the prompt: the whole of what would be done, and the answers.

Owns the order of questions that wait, and which parts of a change are allowed. Must not know what
needs permission.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from agent.approval import ApprovalAnswer, ApprovalRequest, Choice
from tools.text_filter import clip_line, visible
from tui.engine import Asked
from tui.themes import MUTED
from tui.widgets.change import Hunk, described, title
from tui.widgets.panel import Answer, Panel

_KEYS = {"y": Choice.ONCE, "s": Choice.SESSION, "a": Choice.ALWAYS}
_RULE = 180
"""Characters of what an answer would allow for longer."""
_WORDS = {
    Choice.ONCE: "allow once",
    Choice.SESSION: "for this session",
    Choice.ALWAYS: "always in this project",
}


class _Word(Input):
    """Why something is refused."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]

    @dataclass
    class Left(Message):
        """It is not refused yet."""

    def action_back(self) -> None:
        """Leave what was written for when it is refused after all."""
        self.post_message(self.Left())


class Approval(Panel):
    """The question that is to be answered first; others wait behind it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "choose", "Next part, or the conversation", show=False),
    ]

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("y, s, a, n", "The answers, as far as they are offered"),
        ("Space", "Tick a part of the change: what is not ticked is not made"),
        ("Up, Down, PgUp, PgDn", "Scroll what is asked about, or the conversation"),
    )
    """What is read here without a binding, for the help."""

    @dataclass
    class Refused(Message):
        """The user wants it to stop altogether: `refuse` answers once that is under way."""

    def __init__(self) -> None:
        super().__init__(id="approval")
        self._waiting: deque[Asked] = deque()
        self._hunks: list[Hunk] = []
        """Of the change that is asked about, where it has several."""

    def parts(self) -> Iterator[Widget]:
        yield from super().parts()
        yield Static(classes="rule", markup=False)
        why = "Why not? Enter tells the model; empty tells it no."
        yield _Word(placeholder=why, select_on_focus=False, id="word")

    async def put(self, asked: Asked) -> None:
        """One more question."""
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            await self._show()

    async def refuse(self) -> None:
        """Answer with no."""
        if self._waiting:
            await self._reply(ApprovalAnswer(Choice.DENY))

    def drop(self) -> None:
        """Nobody waits for answers any more."""
        if self._waiting:
            self._waiting.clear()
            self.leave()

    @property
    def _request(self) -> ApprovalRequest:
        return self._waiting[0].request

    async def _show(self) -> None:
        request = self._request
        await self.fill()
        self._word.display, self._word.value = False, ""
        self._rule.update(_rule(request))
        self._rule.display = request.rule is not None
        body = described(request)
        self._hunks = [widget for widget in body if isinstance(widget, Hunk)]
        if self._hunks:
            self._hunks[0].chosen = True
        more = f"  (1 of {len(self._waiting)})" if len(self._waiting) > 1 else ""
        await self.ask(Content.assemble(title(request), more), body, self._answers())

    def _answers(self) -> list[Answer]:
        request, hunks = self._request, self._hunks
        refused = sum(not hunk.allowed for hunk in hunks)
        answers = [
            Answer(key, _WORDS[choice])
            for key, choice in _KEYS.items()
            if choice in request.choices and not (refused and choice is not Choice.ONCE)
        ]
        if refused:
            some = f"allow {len(hunks) - refused} of {len(hunks)} parts"
            answers = [Answer("y", some)] if refused < len(hunks) else []
        answers += [Answer("n", "no"), Answer("escape", "no, and stop", "Esc")]
        if hunks:
            answers.append(Answer("space", "tick a part", "Tab Space"))
        return answers

    @property
    def _word(self) -> Input:
        return self.query_one("#word", Input)

    @property
    def _rule(self) -> Static:
        return self.query_one(".rule", Static)

    @on(Panel.Answered)
    async def _answered(self, message: Panel.Answered) -> None:
        message.stop()
        if not self._waiting:
            return
        match message.key:
            case "escape":
                self.post_message(self.Refused())
            case "n":
                self._word.display, self.armed = True, False  # the keys are the word's
                self.can_focus_children = True
                self._word.focus()
            case "space":
                await self._tick()
            case key:
                await self._reply(ApprovalAnswer(_KEYS[key], hunks=self._allowed()))

    @on(Input.Submitted, "#word")
    async def _told(self, message: Input.Submitted) -> None:
        message.stop()
        await self._reply(ApprovalAnswer(Choice.DENY, message.value.strip()))

    @on(_Word.Left)
    def _asked_again(self, message: _Word.Left) -> None:
        message.stop()
        self._word.display = self.can_focus_children = False
        self.focus()
        self.arm()

    def _allowed(self) -> tuple[int, ...] | None:
        hunks = self._hunks
        allowed = tuple(hunk.number for hunk in hunks if hunk.allowed)
        return None if len(allowed) == len(hunks) else allowed

    async def _reply(self, answer: ApprovalAnswer) -> None:
        self.can_focus_children = False
        self._waiting.popleft().reply(answer)
        if self._waiting:
            await self._show()
        else:
            self.leave()

    def action_choose(self) -> None:
        """Go to the next part of the change; where it has none, to the conversation."""
        hunks = self._hunks
        if not hunks:
            self.screen.focus_previous()
            return
        now = next(place for place, hunk in enumerate(hunks) if hunk.chosen)
        hunks[now].chosen = False
        chosen = hunks[(now + 1) % len(hunks)]
        chosen.chosen = True
        chosen.scroll_visible(animate=False, top=True)

    async def _tick(self) -> None:
        for hunk in self._hunks:
            if hunk.chosen:
                hunk.allowed = not hunk.allowed
                await self.offer(self._answers())
                whole = all(part.allowed for part in self._hunks)
                self._rule.display = whole and self._request.rule is not None


def _rule(request: ApprovalRequest) -> Content:
    offered = [key for key, choice in _KEYS.items() if choice in request.choices][1:]
    rule = clip_line(visible(str(request.rule)), _RULE)  # the command itself stands above, whole
    return Content.styled(f"{' and '.join(offered)} would allow {rule}", MUTED)
