"""The keys that do something, and the commands.

Owns their arrangement; both come from where they are bound, so that none is missing. Must not know
what they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

Rows = list[tuple[str, str]]


class Help(ModalScreen[None]):
    """Keys and commands; any of the keys that close things closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f1,question_mark,enter", "dismiss", "Close"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", "scroll(10)", "Page down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", show=False),
    ]

    def __init__(self, screen: Screen[object], commands: Iterable[tuple[str, str]] = ()) -> None:
        """
        Args:
            screen: Whose keys are shown, as they are now.
            commands: Name and meaning of each, the slash included.
        """
        super().__init__()
        found = _sections(screen.active_bindings)
        editing = [("Editing", found.pop("Editing", []))]
        self._sections = [*found.items(), ("Commands", list(commands)), *editing]

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = "Help"
            dialog.border_subtitle = "Esc closes · ↑ ↓ scroll"
            for title, rows in self._sections:
                if rows:
                    yield Static(title, classes="heading", markup=False)
                    yield Static(_table(rows))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def _sections(active: Mapping[str, ActiveBinding]) -> dict[str, Rows]:
    """Keys by where they hold, the nearest first; what is meant by the same is one row."""
    merged: dict[tuple[DOMNode, str], list[Binding]] = {}
    for found in active.values():
        binding = found.binding
        if binding.description and not binding.action.startswith("app.focus_"):
            meaning = binding.tooltip or binding.description
            merged.setdefault((found.node, meaning), []).append(binding)
    sections: dict[str, Rows] = {}
    for (node, meaning), bindings in merged.items():
        keys = ", ".join(dict.fromkeys(map(_key, bindings)))
        title = _title(node, bindings[0])
        own = list(getattr(type(node), "KEYS", ()))  # those that it reads by itself
        sections.setdefault(title, own if title != "Editing" else []).append((keys, meaning))
    order = ("Session", "Prompt", "Everywhere")
    return dict(sorted(sections.items(), key=lambda item: (*order, item[0]).index(item[0])))


def _key(binding: Binding) -> str:
    shown = (binding.key_display or format_key(binding.key)).replace("⇧", "Shift+")
    return (
        "+".join(
            part if len(part) == 1 and "+" not in shown else part.capitalize()
            for part in shown.split("+")
        )
        or "+"
    )


def _title(node: DOMNode, binding: Binding) -> str:
    if isinstance(node, Screen):
        return "Session"
    if node.parent is None:
        return "Everywhere"
    own = {
        known.action
        for known in type(node).__dict__.get("BINDINGS", ())
        if isinstance(known, Binding)
    }
    return type(node).__name__ if binding.action in own else "Editing"


def _table(rows: Rows) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=24)
    table.add_column(ratio=1)
    for keys, meaning in rows:
        table.add_row(Text(keys, style="bold"), Text(meaning))
    return table
