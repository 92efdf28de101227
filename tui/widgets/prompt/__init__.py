"""Where the user writes: messages, commands, shell lines.

Owns what a key means here, the text until it is sent, and what waits to be sent. Must not know what
becomes of it: `sending` tells that by messages; nor what is offered meanwhile, which is
`offering`'s.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import var
from textual.widgets import TextArea

from agent.errors import AgentError
from tui.commands import CommandRefused
from tui.completion import Places
from tui.engine import Complaint
from tui.prompt_history import Draft, PromptHistory
from tui.widgets.prompt.box import Box
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.menu import Menu
from tui.widgets.prompt.offering import Offering
from tui.widgets.prompt.pastes import clean, expanded, folded, joined
from tui.widgets.prompt.queued import Queued
from tui.widgets.prompt.recall import Recall
from tui.widgets.prompt.sending import Hurried, is_message, read, submitted

if TYPE_CHECKING:
    from agent.conversation import Conversation

_NEW_LINE = ("shift+enter", "ctrl+j", "alt+enter")
_AT_ONCE = ("ctrl+enter", "ctrl+s")


class Prompt(Vertical):
    """A text of several lines; Enter sends it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "search", "Search earlier prompts", show=False),
        Binding("ctrl+g", "edit", "Edit in your own editor", show=False),
    ]

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Enter", "Send; while a turn is at work, it waits"),
        ("Shift+Enter, Ctrl+J", "New line"),
        ("Ctrl+Enter, Ctrl+S", "Send at once; ends the turn at work"),
        ("Up, Down", "Earlier prompts"),
        ("PgUp, PgDn", "Scroll the conversation"),
        ("Tab", "To the conversation: ↑ ↓, Enter opens, c copies"),
    )
    """What is read here without a binding, for the help."""

    at_work: var[bool] = var(False, toggle_class="-at-work")
    """Whether a turn is at work: what is sent waits for its end."""

    @dataclass
    class _MoreFound(Message):
        """What is offered may have grown."""

    def __init__(self, folder: Path | None) -> None:
        """
        Args:
            folder: The repository, or a folder in it; None: not known yet, so that neither earlier
                prompts nor the repository's files are offered.
        """
        super().__init__()
        self._queue = Queued()
        self._editor = Editor(self._takes)
        self._box = Box(self._editor)
        self._menu = Menu()
        self._history: PromptHistory | None = None
        self._places: Places | None = None
        if folder is not None:
            self._look_into(folder)
        self._recall = Recall(self._history)
        self._offering = Offering(self._editor, self._menu, self._recall, self._places)

    def _look_into(self, folder: Path) -> None:
        # 100 ms; not needed for the first frame
        from agent.session import state_folder
        from agent.work_tree import find_root

        with suppress(AgentError):  # told when the session is opened
            root = find_root(folder)
            self._history = PromptHistory.of(root, state_folder())
            more = self._MoreFound
            self._places = Places(root, state_folder() / "index", lambda: self.post_message(more()))

    def compose(self) -> ComposeResult:
        yield self._queue
        yield self._menu
        yield self._box

    def on_mount(self) -> None:
        self._dress()

    def on_unmount(self) -> None:
        if self._places is not None:
            self._places.close()

    @property
    def queue(self) -> tuple[Draft, ...]:
        """What waits for the end of the turn, the first to be sent first."""
        return self._queue.drafts

    @property
    def text(self) -> str:
        """As it is shown, what was pasted folded."""
        return self._editor.text

    def focus(self, scroll_visible: bool = True) -> Prompt:
        self._editor.focus(scroll_visible)
        return self

    def opened(self, conversation: Conversation) -> None:
        """A session is ready: what must not be kept is known."""
        if self._history is not None:
            self._history.redacted_by(conversation.redactor.text)

    def take_over(self, other: Prompt) -> None:
        """Go on with what was written and sent in another, which knew no repository."""
        self.at_work = other.at_work
        for draft in other._recall.drafts:
            self._recall.sent(draft)
        for draft in other.queue:
            self._queue.put(draft)
        if draft := other._editor.draft:
            self._editor.load(draft)
            self._editor.cursor_location = other._editor.cursor_location

    def rested(self) -> None:
        """The turn has ended: what waits first is sent."""
        self.at_work = False
        if self.queue:
            self._submit(self._queue.take(0))

    def take_back(self) -> None:
        """All that waits is no longer sent; it is to be edited."""
        if self.queue:
            self._editor.load(joined([*self._queue.take_all(), self._editor.draft]))

    def write(self, text: str) -> None:
        """Put a text before the user, to be edited and sent."""
        self._editor.load(Draft(text))

    def take_in(self, text: str) -> None:
        """Write where the cursor is, as if the user had."""
        self._editor.take_in(text)

    def erase(self) -> None:
        """Take back the letter before the cursor."""
        self._editor.action_delete_left()

    def clear(self) -> bool:
        """Empty what is being written, if anything is; it comes back as an earlier prompt does."""
        draft = self._editor.draft
        if not draft or not self._editor.has_focus or self._offering.searching:
            return False
        self._recall.sent(draft)
        self._editor.load(Draft(""))
        return True

    def send(self, text: str) -> None:
        """Send a message, or let it wait, as if the user had written it."""
        self._send_draft(Draft(text))

    def watch_at_work(self) -> None:
        if self.is_mounted:
            self._dress()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._dress()

    @on(TextArea.SelectionChanged)
    def _moved(self) -> None:
        self._offering.refresh()

    @on(_MoreFound)
    def _more_found(self) -> None:
        self._offering.refresh()

    @on(Menu.OptionSelected)
    def _clicked(self, event: Menu.OptionSelected) -> None:
        event.stop()
        self._choose(send=False)
        self._editor.focus()

    def action_search(self) -> None:
        """Look for an earlier prompt by what is then written."""
        if self._offering.searching:
            self._menu.action_cursor_down()
            return
        self._offering.search()
        self._dress()

    def action_edit(self) -> None:
        """Edit the text in the user's own editor."""
        # 10 ms; only needed for an editor
        from tui.widgets.prompt.outside import edited, editor_of

        draft = self._editor.draft
        try:
            command = editor_of(os.environ)
            with self.app.suspend():
                text = edited(expanded(draft), command)
        except SuspendNotSupported:
            self.post_message(Complaint("No editor can be shown here."))
        except AgentError as error:
            self.post_message(Complaint(str(error)))
        else:
            self._editor.load(folded(clean(text), draft.pastes))

    def _takes(self, event: events.Key) -> bool:
        """What a key means here; False: it edits."""
        menu = self._menu
        if menu.display and event.key in ("enter", "tab"):
            self._offering.refresh()  # a fast hand is ahead of the list
        match event.key:
            case "enter":
                self._enter()
            case key if key in _NEW_LINE:
                self._editor.insert("\n")
            case key if key in _AT_ONCE:
                self._send_at_once()
            case "tab" if menu.display:
                self._choose(send=False)
            case key if menu.display and menu.takes(key):
                pass
            case "escape" if self._offering.searching:
                self._end_search()
            case "escape" if menu.display:
                self._offering.close()
            case "question_mark" if not (self._editor.text or self._offering.searching):
                self.call_later(self.run_action, "app.help")
            case "pageup" | "pagedown" if self._editor.all_in_sight:
                page = -1 if event.key == "pageup" else 1
                self.call_later(self.run_action, f"screen.page({page})")
            case "up" if self._editor.on_first_line or self._offering.untouched:
                return self._earlier()
            case "down" if self._editor.on_last_line:
                return self._later()
            case _:
                return False
        return True

    def _enter(self) -> None:
        if self._menu.choice is not None:
            self._choose(send=True)
        elif self._offering.searching:
            self._end_search()
        elif self._editor.before.endswith("\\"):
            self._editor.replace_before(1, "\n")
        else:
            self._send()

    def _send(self) -> None:
        draft = self._editor.draft
        try:
            meant = read(draft, at_work=self.at_work)
        except CommandRefused as error:
            self.post_message(Complaint(str(error)))
            return
        match meant:
            case None:
                return
            case Draft():
                self._send_draft(meant)
            case _:
                self.post_message(meant)
        self._recall.sent(draft)
        self._editor.load(Draft(""))

    def _send_at_once(self) -> None:
        if not self.at_work:
            self._enter()
            return
        draft = self._editor.draft
        if draft and is_message(draft.text):
            self._queue.put(draft, first=True)
            self._recall.sent(draft)
            self._editor.load(Draft(""))
        if self.queue:
            self.post_message(Hurried())

    def _send_draft(self, draft: Draft) -> None:
        if self.at_work:
            self._queue.put(draft)
        else:
            self._submit(draft)

    def _submit(self, draft: Draft) -> None:
        self.at_work = True
        self.post_message(submitted(draft))

    def _choose(self, *, send: bool) -> None:
        if self._offering.choose(send=send):
            self._send()
        self._dress()

    def _end_search(self) -> None:
        self._offering.end_search()
        self._dress()

    def _earlier(self) -> bool:
        if self.queue and not self._editor.text:
            self._editor.load(self._queue.take(-1))
        elif (draft := self._recall.earlier(self._editor.draft)) is not None:
            self._offering.put(draft)
        return True

    def _later(self) -> bool:
        draft = self._recall.later()
        if draft is not None:
            self._offering.put(draft)
        return draft is not None

    @on(events.Resize)
    def _fit(self) -> None:
        self._box.fit()

    def _dress(self) -> None:
        searching, queued = self._offering.searching, bool(self.queue)
        self._box.dress(at_work=self.at_work, searching=searching, queued=queued)
