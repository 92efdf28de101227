"""Pasted text: made safe, folded to one mark, and put back when it is sent.

Owns the marks. Must not know the widget that they stand in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from tools.text_filter import printable
from tui.prompt_history import Draft

_LINES = 3
_CHARACTERS = 500
"""More lines or characters than these are folded."""
_MARK = re.compile(r"\[pasted [\d,]+ (?:lines|characters) #(\d+)\]")


def clean(text: str) -> str:
    """Text from outside with plain line ends, without escapes and what steers a terminal."""
    return printable(text.replace("\r\n", "\n").replace("\r", "\n"))


def is_long(text: str) -> bool:
    """Whether a pasted text is folded."""
    return len(text) > _CHARACTERS or text.rstrip("\n").count("\n") + 1 > _LINES


def mark(text: str, number: int) -> str:
    """What stands for a pasted text."""
    lines = text.rstrip("\n").count("\n") + 1
    size = f"{lines:,} lines" if lines > _LINES else f"{len(text):,} characters"
    return f"[pasted {size} #{number}]"


def expanded(draft: Draft) -> str:
    """The text with all that was pasted."""
    pastes = draft.pastes
    return _MARK.sub(lambda found: pastes.get(int(found[1]), found[0]), draft.text)


def used(draft: Draft) -> Draft:
    """The draft without pastes whose marks were deleted."""
    numbers = {int(number) for number in _MARK.findall(draft.text)}
    return Draft(draft.text, {n: text for n, text in draft.pastes.items() if n in numbers})


def folded(text: str, pastes: Mapping[int, str]) -> Draft:
    """A text that was edited whole: what is left of the pastes as it was is folded again."""
    for number, pasted in pastes.items():
        text = text.replace(pasted, mark(pasted, number), 1)
    return used(Draft(text, pastes))


def joined(drafts: Iterable[Draft]) -> Draft:
    """Several drafts as one, a line each at least."""
    texts: list[str] = []
    pastes: dict[int, str] = {}
    for draft in filter(None, drafts):
        moved = {old: new for new, old in enumerate(draft.pastes, len(pastes) + 1)}
        pastes |= {new: draft.pastes[old] for old, new in moved.items()}

        def renumbered(
            found: re.Match[str], moved: Mapping[int, int] = moved, draft: Draft = draft
        ) -> str:
            number = int(found[1])
            return mark(draft.pastes[number], moved[number]) if number in moved else found[0]

        texts.append(_MARK.sub(renumbered, draft.text))
    return Draft("\n".join(texts), pastes)


def mark_around(line: str, column: int) -> tuple[int, int] | None:
    """The columns of the mark that ends at a column, or holds it."""
    return _found(line, lambda start, end: start < column <= end)


def mark_behind(line: str, column: int) -> tuple[int, int] | None:
    """The columns of the mark that begins at a column, or holds it."""
    return _found(line, lambda start, end: start <= column < end)


def _found(line: str, fits: Callable[[int, int], bool]) -> tuple[int, int] | None:
    return next((found.span() for found in _MARK.finditer(line) if fits(*found.span())), None)
