"""Where the user writes: messages, commands, shell lines.

Owns the text until it is sent, what waits to be sent, and what is offered meanwhile. Must not know
what becomes of it: it is told by messages.
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
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.widgets import Static, TextArea

from agent.errors import AgentError
from tui import commands
from tui.commands import CommandRefused
from tui.completion import Place, Places
from tui.engine import Complaint
from tui.prompt_history import Draft, PromptHistory
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.menu import Menu
from tui.widgets.prompt.offers import (
    OFFERED,
    SEARCH_HINT,
    hint,
    is_command,
    named,
    naming,
    placed,
    placeholder,
    sent_before,
    shell_line,
)
from tui.widgets.prompt.pastes import clean, expanded, folded, joined
from tui.widgets.prompt.queued import Queued
from tui.widgets.prompt.recall import Recall

if TYPE_CHECKING:
    from agent.conversation import Conversation

_SHARE = 0.4
"""Of the screen's height, that the text may take."""
_LEAST = 3
"""Lines of the text that can be seen in any terminal."""
_NEW_LINE = ("shift+enter", "ctrl+j", "alt+enter")
_LEAVING = ("exit", "quit", ":q")
"""What many type to leave, and nobody wants done."""
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
    class Submitted(Message):
        """The user sent a message."""

        text: str

    @dataclass
    class Hurried(Message):
        """What waits first is to be sent at once: the turn at work is to end."""

    @dataclass
    class CommandGiven(Message):
        """A command of `tui.commands`."""

        name: str
        arguments: str

    @dataclass
    class ShellGiven(Message):
        """A line for a shell."""

        line: str
        told: bool
        """Whether the model is to know of it."""

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
        self._menu = Menu()
        self._history: PromptHistory | None = None
        self._places: Places | None = None
        self._searching = False
        self._dismissed = ""
        """The text for which the list was closed."""
        if folder is not None:
            self._look_into(folder)
        self._recall = Recall(self._history)

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
        with Horizontal(id="box"):
            yield Static("❯", id="sign", markup=False)
            yield self._editor

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

    def clear(self) -> bool:
        """Empty what is being written, if anything is; it comes back as an earlier prompt does."""
        draft = self._editor.draft
        if not draft or not self._editor.has_focus or self._searching:
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

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._dress()

    @on(TextArea.SelectionChanged)
    def _moved(self) -> None:
        self._offer()

    @on(_MoreFound)
    def _more_found(self) -> None:
        self._offer()

    @on(Menu.OptionSelected)
    def _clicked(self, event: Menu.OptionSelected) -> None:
        event.stop()
        self._choose(send=False)
        self._editor.focus()

    def action_search(self) -> None:
        """Look for an earlier prompt by what is then written."""
        if self._searching:
            self._menu.action_cursor_down()
            return
        self._recall.own, self._searching = self._editor.draft, True
        self._editor.load(Draft(""))
        self._dress()
        self._offer()

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
            self._offer()  # a fast hand is ahead of the list
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
            case "escape" if self._searching:
                self._end_search(self._recall.own)
            case "escape" if menu.display:
                self._dismissed = self._editor.text
                self._menu.dismiss()
            case "question_mark" if not (self._editor.text or self._searching):
                self.call_later(self.run_action, "app.help")
            case "pageup" | "pagedown" if self._editor.all_in_sight:
                page = -1 if event.key == "pageup" else 1
                self.call_later(self.run_action, f"screen.page({page})")
            case "up" if self._editor.on_first_line or self._untouched:
                return self._earlier()
            case "down" if self._editor.on_last_line:
                return self._later()
            case _:
                return False
        return True

    def _enter(self) -> None:
        if self._menu.choice is not None:
            self._choose(send=True)
        elif self._searching:
            self._end_search(self._recall.own)
        elif self._editor.before.endswith("\\"):
            self._editor.replace_before(1, "\n")
        else:
            self._send()

    def _send(self) -> None:
        draft = self._editor.draft
        text = draft.text.strip()
        if not text:
            return
        if is_command(text) or text in _LEAVING:
            if not self._give_command(text if is_command(text) else "/quit"):
                return
        elif text.startswith("!"):
            line, told = shell_line(expanded(draft))
            if not line:
                return
            self.post_message(self.ShellGiven(line, told))
        else:
            self._send_draft(draft)
        self._recall.sent(draft)
        self._editor.load(Draft(""))

    def _send_at_once(self) -> None:
        if not self.at_work:
            self._enter()
            return
        draft = self._editor.draft
        if draft and not is_command(draft.text) and not draft.text.startswith("!"):
            self._queue.put(draft, first=True)
            self._recall.sent(draft)
            self._editor.load(Draft(""))
        if self.queue:
            self.post_message(self.Hurried())

    def _send_draft(self, draft: Draft) -> None:
        if self.at_work:
            self._queue.put(draft)
        else:
            self._submit(draft)

    def _submit(self, draft: Draft) -> None:
        self.at_work = True
        self.post_message(self.Submitted(expanded(draft).strip()))

    def _give_command(self, line: str) -> bool:
        try:
            command, arguments = commands.parse(line)
            command.check(arguments, at_work=self.at_work)
        except CommandRefused as error:
            self.post_message(Complaint(str(error)))
            return False
        self.post_message(self.CommandGiven(command.name, arguments))
        return True

    def _earlier(self) -> bool:
        if self.queue and not self._editor.text:
            self._editor.load(self._queue.take(-1))
        elif (draft := self._recall.earlier(self._editor.draft)) is not None:
            self._put(draft)
        return True

    def _later(self) -> bool:
        draft = self._recall.later()
        if draft is not None:
            self._put(draft)
        return draft is not None

    @property
    def _untouched(self) -> bool:
        """Whether an earlier prompt stands there as it was put there."""
        editor = self._editor
        at_end = editor.cursor_location == editor.document.end
        return self._recall.away and editor.text == self._dismissed and at_end

    def _put(self, draft: Draft) -> None:
        """Write a prompt for which nothing is offered until it is changed."""
        self._editor.load(draft)
        self._dismissed = self._editor.text

    def _offer(self) -> None:
        """Show what may be meant by what stands before the cursor."""
        editor = self._editor
        if self._searching:
            choices = list(sent_before(self._recall.drafts, editor.text))
            self._menu.offer(choices, "earlier prompts", "Nothing like that was sent here.")
            return
        if editor.text == self._dismissed and editor.text:
            self._menu.dismiss()
            return
        self._dismissed = ""
        before = editor.before
        if before.startswith("/") and " " not in before and editor.cursor_location[0] == 0:
            self._menu.offer(list(named(before[1:])), "commands")
        elif (name := naming(before)) is not None and self._places is not None:
            self._places.refresh()
            places = self._places.search(name, OFFERED)
            looking = "Looking at the repository …" if self._places.looking else ""
            self._menu.offer(placed(places), "files and symbols", looking)
        else:
            self._menu.dismiss()

    def _choose(self, *, send: bool) -> None:
        """Take what is highlighted; a command is given at once where `send` says so."""
        choice = self._menu.choice
        if choice is None:
            return
        before = self._editor.before
        match choice.value:
            case commands.Command() as command:
                alone = self._editor.text.strip() == before.strip()
                if send and alone and not command.needs:
                    self._editor.load(Draft(f"/{command.name}"))
                    self._menu.dismiss()
                    self._send()
                else:
                    self._editor.replace_before(len(before), f"/{command.name} ")
            case Place() as place:
                if (name := naming(before)) is not None:
                    self._editor.replace_before(len(name) + 1, f"{place.mention} ")
            case Draft() as draft:
                self._end_search(draft)

    def _end_search(self, draft: Draft) -> None:
        self._searching = False
        self._menu.dismiss()
        self._put(draft)
        self._dress()

    @on(events.Resize)
    def _fit(self) -> None:
        """As high as the text, up to a part of the screen."""
        # Not left to `height: auto` with a most: the box would take the height of all the text.
        highest = max(_LEAST, int(self.screen.size.height * _SHARE))
        self._editor.styles.height = min(self._editor.wrapped_document.height, highest)

    def _dress(self) -> None:
        """The signs of what the text will be."""
        self._fit()
        text, box = self._editor.text, self.query_one("#box")
        shell = text.startswith("!") and not self._searching
        self.set_class(shell, "-shell")
        sign = "?" if self._searching else "$" if shell else "❯"
        self.query_one("#sign", Static).update(sign)
        box.border_subtitle = Content(
            SEARCH_HINT
            if self._searching
            else hint(text, at_work=self.at_work, queued=bool(self.queue))
        )
        self._editor.placeholder = placeholder(at_work=self.at_work, searching=self._searching)
