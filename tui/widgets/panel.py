"""A question above the prompt that is answered with a key.

Owns the keys' guard: what was typed before the question could be read answers nothing, no more
than the letters of a word that is being written, and goes where it was meant to. Must not know
what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.widget import Widget
from textual.widgets import Static

QUIET = 0.4
"""Seconds without a key after which a question that has appeared may be answered."""
WRITTEN = 1.5
"""Seconds after which one may that was written beneath: people pause longer between two words."""
_LOOK = 0.1
"""Seconds between two looks whether it may."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers."""

    key: str
    """As it is pressed."""
    text: str
    """What it means, in a few words."""
    name: str = ""
    """The key as it is shown, where that is another."""


class _Choice(Static):
    """An answer as it is offered; a click gives it."""

    @dataclass
    class Clicked(Message):
        key: str

    def __init__(self, answer: Answer) -> None:
        name = answer.name or answer.key
        super().__init__(
            Content.assemble((f" {name} ", "bold $text-primary"), f" {answer.text}"),
            classes="choice",
        )
        self._key = answer.key

    def on_click(self) -> None:
        self.post_message(self.Clicked(self._key))


class Panel(Vertical, can_focus=True, can_focus_children=False):
    """Appears with what it asks and the keys that answer it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_body(-1)", show=False),
        Binding("down", "scroll_body(1)", show=False),
        Binding("pageup", "scroll_body(-10)", show=False),
        Binding("pagedown", "scroll_body(10)", show=False),
    ]
    armed: var[bool] = var(False, toggle_class="-armed")

    @dataclass
    class Answered(Message):
        """A key was pressed that is among the answers, or Esc."""

        panel: Panel
        key: str

    @dataclass
    class Typed(Message):
        """Something was written that answers nothing: it is meant for whoever is written to."""

        text: str

    @dataclass
    class Erased(Message):
        """The last letter of that was a mistake."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[str, ...] = ()
        self._before: Widget | None = None
        self._pressed = 0.0
        self._writing = False
        """Whether the last keys were letters that answered nothing."""
        self.quiet = QUIET
        """What `QUIET` says, of this one."""

    def parts(self) -> Iterator[Widget]:
        """What it consists of."""
        yield Static(classes="title", markup=False)
        yield Vertical(classes="body")
        yield Horizontal(classes="choices")

    async def fill(self) -> None:
        """Make its parts, where they are not there: at the first question, not at the start."""
        if not self.children:
            await self.mount_all(self.parts())

    async def ask(self, title: str | Content, body: list[Widget], answers: list[Answer]) -> None:
        """Show a question and take the focus, or wait for it behind the question that has it."""
        await self.fill()
        self.query_one(".title", Static).update(title)
        holder = self.query_one(".body", Vertical)
        await holder.remove_children()
        await holder.mount_all(body)
        holder.display = bool(body)
        # A scroll that waits for a layout is lost where the panel is hidden still.
        holder.scroll_home(animate=False, force=True, immediate=True)
        await self.offer(answers)
        self.arm()
        self.display = True
        focused = self.screen.focused
        if isinstance(focused, Panel) and focused is not self:
            if focused._before is not self:
                self._before, focused._before = focused._before, self
            return
        if self._before is None:  # else a question was there already
            self._before = focused
        self.focus()

    async def offer(self, answers: list[Answer]) -> None:
        """Change which answers there are."""
        self._keys = tuple(answer.key for answer in answers)
        row = self.query_one(".choices", Horizontal)
        await row.remove_children()
        await row.mount_all(map(_Choice, answers))

    def arm(self) -> None:
        """From here on keys count once none was pressed for a while."""
        self.armed = self._writing = False
        self._pressed = time.monotonic()
        self.set_timer(_LOOK, self._look)

    def leave(self) -> None:
        """It is answered: gone, and the focus back where it was."""
        focused = self.screen.focused
        here = focused is None or self.has_focus_within
        self.display = False
        self._keys = ()
        before, self._before = self._before, None
        if isinstance(focused, Panel) and focused is not self:  # it waited behind that one
            if focused._before is self:
                focused._before = before
        elif before is not None and before.is_attached and here:
            before.focus()
            if isinstance(before, Panel):
                before.arm()

    def on_key(self, event: events.Key) -> None:
        if self.has_focus:  # else it is in a field of it, whose keys are its own
            self.take(event)

    def take(self, event: events.Key) -> None:
        """Have a key answer, or know that it is meant for somebody else."""
        if event.key == "escape":  # which never allows anything
            event.stop()
            self.post_message(self.Answered(self, "escape"))
            return
        if self._quiet() and event.key in self._keys:
            event.stop()
            self.post_message(self.Answered(self, event.key))
            return
        erases = event.key == "backspace"
        types = event.is_printable and event.key != "question_mark"
        if self.armed and not (types or erases):
            return
        # Somebody is writing: what follows is no answer until they pause.
        event.stop()
        event.prevent_default()
        if erases:
            self.post_message(self.Erased())
        elif event.is_printable and event.character:
            self.post_message(self.Typed(event.character))
        if self.armed:
            self.arm()
        self._pressed = time.monotonic()
        self._writing = self._writing or types or erases

    def on__choice_clicked(self, message: _Choice.Clicked) -> None:
        message.stop()
        if self._quiet() and message.key in self._keys:
            self.post_message(self.Answered(self, message.key))

    async def action_scroll_body(self, lines: int) -> None:
        body = self.query_one(".body", Vertical)
        if body.max_scroll_y:
            body.scroll_relative(y=lines, animate=False)
        elif abs(lines) > 1:  # what was said before may be what the answer hangs on
            await self.run_action(f"screen.page({lines // abs(lines)})")

    def _look(self) -> None:
        if not self._quiet() and self.display:
            self.set_timer(_LOOK, self._look)

    def _quiet(self) -> bool:
        pause = max(self.quiet, WRITTEN) if self._writing else self.quiet
        if not self.armed and time.monotonic() - self._pressed >= pause:
            self.armed, self._writing = True, False
        return self.armed
