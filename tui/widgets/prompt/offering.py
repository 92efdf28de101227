"""What is offered while one writes: commands, files and symbols, earlier prompts.

Owns when the list is shown, and what a choice writes. Must not know what a key means, nor what
becomes of a text that is sent.
"""

from __future__ import annotations

from tui.commands import Command
from tui.completion import Place, Places
from tui.prompt_history import Draft
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.menu import Menu
from tui.widgets.prompt.offers import OFFERED, named, naming, placed, sent_before
from tui.widgets.prompt.recall import Recall


class Offering:
    """The list above an editor, and the search among earlier prompts."""

    def __init__(self, editor: Editor, menu: Menu, recall: Recall, places: Places | None) -> None:
        """
        Args:
            places: What an `@` may name; None: nothing is known of it.
        """
        self._editor = editor
        self._menu = menu
        self._recall = recall
        self._places = places
        self._dismissed = ""
        """The text for which the list was closed."""
        self.searching = False
        """Whether what is written looks for an earlier prompt."""

    def refresh(self) -> None:
        """Show what may be meant by what stands before the cursor."""
        editor = self._editor
        if self.searching:
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

    def choose(self, *, send: bool) -> bool:
        """Take what is highlighted.

        Args:
            send: Whether a command may be given as it stands.

        Returns:
            Whether it is such a command: it is to be given now.
        """
        choice = self._menu.choice
        if choice is None:
            return False
        before = self._editor.before
        match choice.value:
            case Command() as command:
                alone = self._editor.text.strip() == before.strip()
                if send and alone and not command.needs:
                    self._editor.load(Draft(f"/{command.name}"))
                    self._menu.dismiss()
                    return True
                self._editor.replace_before(len(before), f"/{command.name} ")
            case Place() as place:
                if (name := naming(before)) is not None:
                    self._editor.replace_before(len(name) + 1, f"{place.mention} ")
            case Draft() as draft:
                self._found(draft)
        return False

    def close(self) -> None:
        """Offer nothing more for the text as it stands."""
        self._dismissed = self._editor.text
        self._menu.dismiss()

    def put(self, draft: Draft) -> None:
        """Write a prompt for which nothing is offered until it is changed."""
        self._editor.load(draft)
        self._dismissed = self._editor.text

    @property
    def untouched(self) -> bool:
        """Whether an earlier prompt stands there as it was put there."""
        editor = self._editor
        at_end = editor.cursor_location == editor.document.end
        return self._recall.away and editor.text == self._dismissed and at_end

    def search(self) -> None:
        """Look for an earlier prompt by what is then written."""
        self._recall.own, self.searching = self._editor.draft, True
        self._editor.load(Draft(""))
        self.refresh()

    def end_search(self) -> None:
        """Put back what was written before it."""
        self._found(self._recall.own)

    def _found(self, draft: Draft) -> None:
        self.searching = False
        self._menu.dismiss()
        self.put(draft)
