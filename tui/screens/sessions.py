"""The sessions there are, and what can be done with them.

Owns the list and its keys. Must not know what a record holds, nor how anything is done to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from agent.durations import ago
from agent.errors import AgentError
from agent.export import Format
from agent.overview import Hit, at_work, overviews, search
from agent.session import SessionInfo, state_folder
from agent.wanted import Wanted
from agent.work_tree import find_root
from tools.text_filter import clip_line, printable
from tui.keeping import FORKED, deleted, exported, forked, renamed
from tui.themes import MUTED

_HEADING = 70
"""Characters of a session's heading."""
_PATIENCE = 3.0
"""Seconds in which a second press of the key deletes."""
_KEYS = "Enter resume · p play · f fork · n rename · e export · d delete · / search"


@dataclass
class _Found(Message):
    hits: tuple[Hit, ...]


@dataclass
class _Done(Message):
    """Something was done to a session; what is told of it."""

    line: str
    problem: bool = False


class Sessions(ModalScreen[Wanted | None]):
    """A list to choose from; ends with what to open, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("slash", "search", "Search"),
        Binding("p", "play", "Play"),
        Binding("f", "fork", "Fork"),
        Binding("n", "rename", "Rename"),
        Binding("e", "export", "Export"),
        Binding("d,delete", "delete", "Delete"),
        Binding("ctrl+o", "back", show=False, priority=True),
    ]

    def __init__(self, wanted: Wanted, current: SessionInfo | None) -> None:
        """
        Args:
            wanted: What the session at work was opened with.
            current: That session, where something was said in it.
        """
        super().__init__()
        self._wanted = wanted
        self._current = current
        self._hits: tuple[Hit, ...] = ()
        self._renaming: SessionInfo | None = None
        self._exporting: SessionInfo | None = None
        self._deleting: tuple[str, float] = ("", 0.0)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Sessions"
            dialog.border_subtitle = "Esc closes"
            yield Input(placeholder="Words of a task or of what was said", id="search")
            yield OptionList(id="list", markup=False)
            yield OptionList(*(kind.value for kind in Format), id="formats")
            yield Input(placeholder="The new name, then Enter", id="name")
            yield Static(_KEYS, classes="note", markup=False)
            yield Static(id="told", markup=False)

    def on_mount(self) -> None:
        self.query_one("#name").display = False
        self.query_one("#formats").display = False
        self.query_one("#list").focus()
        self._look("")

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _look(self, words: str) -> None:
        those = overviews(state_folder(), find_root(self._wanted.folder))
        self.post_message(_Found(tuple(search(those, words.split(), text=bool(words)))))

    @on(_Found)
    def _found(self, message: _Found) -> None:
        chosen = self._chosen()
        self._hits = message.hits
        shown = self.query_one("#list", OptionList)
        shown.clear_options()
        shown.add_options(Option(self._line(hit)) for hit in self._hits)
        ids = [hit.overview.info.id for hit in self._hits]
        if ids:
            shown.highlighted = ids.index(chosen.id) if chosen and chosen.id in ids else 0
        else:
            shown.add_option(Option("There is none.", disabled=True))

    def _line(self, hit: Hit) -> Content:
        item = hit.overview
        heading = clip_line(printable(item.heading), _HEADING) or item.info.id
        here = self._current is not None and item.info.id == self._current.id
        told = ["here"] if here else ["at work elsewhere"] if at_work(item.info) else []
        told += [ago(time.time() - item.last), item.model or "no model"]
        told += [f"{item.turns} turn{'s' if item.turns != 1 else ''}"]
        told += [item.status or ("" if here else "unfinished")]
        told += [f"${item.dollars:.2f}" if item.dollars else ""]
        rows = [Content.styled(heading, "bold")]
        rows += [Content.styled("  " + printable(" · ".join(filter(None, told))), MUTED)]
        rows += [Content(f"  {printable(hit.excerpt)}")] if hit.excerpt else []
        return Content("\n").join(rows)

    def _chosen(self) -> SessionInfo | None:
        index = self.query_one("#list", OptionList).highlighted
        known = index is not None and index < len(self._hits)
        return self._hits[index].overview.info if known and index is not None else None

    # Fields and lists.

    @on(Input.Changed, "#search")
    def _searched(self, message: Input.Changed) -> None:
        self._look(message.value)

    @on(Input.Submitted, "#search")
    def _settled(self) -> None:
        self.query_one("#list").focus()

    @on(OptionList.OptionSelected, "#list")
    def _selected(self) -> None:
        info = self._chosen()
        if info is None or (self._current is not None and info.id == self._current.id):
            self.dismiss(None)
        else:
            self.dismiss(replace(self._wanted, resume=info))

    @on(OptionList.OptionSelected, "#formats")
    def _format(self, message: OptionList.OptionSelected) -> None:
        info, kind = self._exporting, tuple(Format)[message.option_index]
        self._close_fields()
        if info is not None:
            self._do(lambda: exported(info, kind))

    @on(Input.Submitted, "#name")
    def _named(self, message: Input.Submitted) -> None:
        info, title = self._renaming, message.value.strip()
        self._close_fields()
        if info is not None and title:
            self._do(lambda: renamed(info, title))

    # Keys.

    def action_search(self) -> None:
        self.query_one("#search").focus()

    def action_play(self) -> None:
        from tui.screens.play import Play  # only needed to watch one

        if (info := self._chosen()) is not None:
            self.app.push_screen(Play(info))

    def action_fork(self) -> None:
        if (info := self._chosen()) is None:
            return
        try:
            wanted = forked(self._wanted, info)
        except (AgentError, OSError) as error:
            self._tell(_Done(str(error), problem=True))
        else:
            self.notify(FORKED, markup=False)
            self.dismiss(wanted)

    def action_rename(self) -> None:
        self._renaming = self._chosen()
        if self._renaming is not None:
            at = self.query_one("#list", OptionList).highlighted or 0
            # All of it is selected: what is typed takes its place.
            self.query_one("#name", Input).value = printable(self._hits[at].overview.heading)
        self._open_field("#name", self._renaming)

    def action_export(self) -> None:
        self._exporting = self._chosen()
        self._open_field("#formats", self._exporting)

    def action_delete(self) -> None:
        if (info := self._chosen()) is None:
            return
        now = time.monotonic()
        if self._deleting[0] != info.id or now - self._deleting[1] > _PATIENCE:
            self._deleting = (info.id, now)
            line = "d again deletes this session, and with it the means to undo what it wrote."
            self.notify(line, severity="warning", timeout=_PATIENCE, markup=False)
            return
        self._do(lambda: deleted(info))

    def action_back(self) -> None:
        if self._renaming is not None or self._exporting is not None:
            self._close_fields()
        elif (field := self.query_one("#search", Input)).has_focus and field.value:
            field.value = ""
        else:
            self.dismiss(None)

    def _open_field(self, name: str, info: SessionInfo | None) -> None:
        if info is not None:
            field = self.query_one(name)
            field.display = True
            field.focus()
            told = "Enter gives the name" if name == "#name" else "Enter writes the file"
            self.query_one(".note", Static).update(f"{told} · Esc leaves it")

    def _close_fields(self) -> None:
        self._renaming = self._exporting = None
        self.query_one("#name", Input).clear()
        self.query_one("#name").display = False
        self.query_one("#formats").display = False
        self.query_one(".note", Static).update(_KEYS)
        self.query_one("#list").focus()

    # What is done takes a disk's time.

    @work(thread=True, exit_on_error=False)
    def _do(self, job: Callable[[], str]) -> None:
        try:
            self.post_message(_Done(job()))
        except (AgentError, OSError) as error:
            self.post_message(_Done(str(error), problem=True))

    @on(_Done)
    def _tell(self, message: _Done) -> None:
        told = self.query_one("#told", Static)
        told.update(printable(message.line))
        told.set_class(message.problem, "-problem")
        self._look(self.query_one("#search", Input).value)
