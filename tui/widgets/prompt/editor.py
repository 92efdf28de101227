"""The text that is being written.

Owns editing and the marks of what was pasted. Must not know what a key means beyond that: each is
first offered to whoever holds the editor.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.widgets import TextArea

from tui.prompt_history import Draft
from tui.widgets.prompt.pastes import clean, is_long, mark, mark_around, mark_behind, used


class Editor(TextArea):
    """A text of several lines, in which long pasted texts are folded."""

    def __init__(self, first: Callable[[events.Key], bool]) -> None:
        """
        Args:
            first: Is offered each key; whether it has taken it.
        """
        super().__init__(
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            compact=True,
        )
        self._first = first
        self._pastes: dict[int, str] = {}
        self._count = 0
        """Texts that were pasted since the last was sent."""

    @property
    def draft(self) -> Draft:
        return used(Draft(self.text, self._pastes))

    def load(self, draft: Draft) -> None:
        """Replace all; the cursor stands at the end."""
        # What was kept in a file is not trusted to be what was put there.
        self._pastes = {number: clean(text) for number, text in draft.pastes.items()}
        self._count = max(self._pastes, default=0)
        self.text = clean(draft.text)
        self.move_cursor(self.document.end)

    def take_in(self, text: str) -> None:
        """Write in place of what is selected, else where the cursor is; a long text is folded."""
        text = clean(text)
        if is_long(text):
            self._count += 1
            self._pastes[self._count] = text
            text = mark(text, self._count)
        if done := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(done.end_location)

    def replace_before(self, length: int, text: str) -> None:
        """Replace so many characters before the cursor, on its line."""
        row, column = self.cursor_location
        done = self.replace(text, (row, column - length), (row, column))
        self.move_cursor(done.end_location)

    @property
    def before(self) -> str:
        """The cursor's line up to it."""
        row, column = self.cursor_location
        return str(self.document[row])[:column]

    @property
    def on_first_line(self) -> bool:
        """As it is shown, wrapped."""
        return self.wrapped_document.location_to_offset(self.cursor_location).y == 0

    @property
    def on_last_line(self) -> bool:
        """As it is shown, wrapped."""
        return (
            self.wrapped_document.location_to_offset(self.cursor_location).y
            == self.wrapped_document.height - 1
        )

    @property
    def all_in_sight(self) -> bool:
        """Whether there is nothing to scroll to."""
        return self.wrapped_document.height <= self.size.height

    async def _on_key(self, event: events.Key) -> None:
        if self._first(event):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        # Its own handler, which the library would call next, takes the text as it is.
        event.stop()
        event.prevent_default()
        self.take_in(event.text)
        self.focus()

    def action_delete_left(self) -> None:
        if not self._delete_mark(mark_around):
            super().action_delete_left()

    def action_delete_word_left(self) -> None:
        if not self._delete_mark(mark_around):
            super().action_delete_word_left()

    def action_delete_right(self) -> None:
        if not self._delete_mark(mark_behind):
            super().action_delete_right()

    def _delete_mark(self, find: Callable[[str, int], tuple[int, int] | None]) -> bool:
        row, column = self.cursor_location
        found = find(str(self.document[row]), column) if self.selection.is_empty else None
        if found is None or not any(f"#{n}]" in self.text for n in self._pastes):
            return False
        self.delete((row, found[0]), (row, found[1]))
        return True
