"""What may be chosen while one writes: a list above the prompt.

Owns its look. Must not know where the choices come from; it never has the focus, so keys are told
to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tools.text_filter import visible

_WIDEST = 36
"""Cells of the first column at most."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list."""

    value: object
    """What is chosen, for whoever offers it."""
    label: str
    note: str = ""
    """What stands dimmed behind it."""
    marks: tuple[int, ...] = ()
    """Places in the label that are told apart."""


class Menu(OptionList, can_focus=False):
    """A few choices, of which one is always highlighted."""

    def __init__(self) -> None:
        super().__init__(markup=False, compact=True)
        self._choices: Sequence[Choice] = ()
        self.display = False

    @property
    def choice(self) -> Choice | None:
        """The one that is highlighted; None while there is nothing to choose."""
        at = self.highlighted
        return self._choices[at] if self.display and at is not None and self._choices else None

    def offer(self, choices: Sequence[Choice], title: str, nothing: str = "") -> None:
        """Show a list.

        Args:
            nothing: What is said where it is empty; empty: then there is no list.
        """
        self.border_title = title
        if choices == self._choices and self.display and choices:
            return
        self._choices = choices
        self.clear_options()
        width = min(_WIDEST, max((cell_len(visible(c.label)) for c in choices), default=0))
        self.add_options(Option(self._line(choice, width)) for choice in choices)
        if not choices and nothing:
            self.add_option(Option(nothing, disabled=True))
        self.highlighted = 0 if choices else None
        self.display = bool(choices or nothing)

    def takes(self, key: str) -> bool:
        """Move by a key; False where it means nothing here."""
        match key:
            case "up":
                self.action_cursor_up()
            case "down":
                self.action_cursor_down()
            case "pageup":
                # The library leaves it without types.
                self.action_page_up()  # type: ignore[no-untyped-call]
            case "pagedown":
                self.action_page_down()  # type: ignore[no-untyped-call]
            case _:
                return False
        return True

    def dismiss(self) -> None:
        """Show nothing."""
        self.display = False
        self._choices = ()

    @staticmethod
    def _line(choice: Choice, width: int) -> Content:
        label, note = visible(choice.label), visible(choice.note)
        line = Content(label)
        if label == choice.label:
            for place in choice.marks:
                line = line.stylize("bold $text-accent", place, place + 1)
        if not note:
            return line
        line = line.truncate(width, ellipsis=True, pad=True)
        return line + Content("  ") + Content.styled(note, "$muted")
