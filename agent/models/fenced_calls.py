"""What a form asks for, taken from plain fenced code: for models that nothing holds to the form.

Owns the search for the definitions that were asked for. Must not know who generates the text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from agent.messages import ToolCall
from agent.models.base import CallForm, Form

_BLOCK = re.compile(r"^(`{3,})[^`\n]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CLASS = re.compile(r"\s*class\s+(\w+)")


def fenced_calls(text: str, form: Form) -> tuple[ToolCall, ...]:
    """The calls of a form that an answer amounts to.

    A definition that was asked for counts when a fenced block holds it, alone or among others. A
    form without bodies asks for names: those that the text mentions count.
    """
    blocks = [match[2].removesuffix("\n") for match in _BLOCK.finditer(text)]
    calls: list[ToolCall] = []
    for allowed in form.calls:
        if not allowed.bodies:
            found: dict[int, str | None] = dict.fromkeys(_named(text, allowed))
        elif allowed.tool == "write_file":
            found = {0: _with_head(blocks[-1], allowed)} if blocks else {}
        else:
            found = dict(_defined(blocks, allowed))
        calls += [_call(allowed, number, body) for number, body in found.items()]
    return tuple(calls[: form.max_calls])


def _defined(blocks: list[str], allowed: CallForm) -> Iterator[tuple[int, str]]:
    for block in blocks:
        lines = block.split("\n")
        places = {n: at for n in range(len(allowed.headers)) if (at := _at(lines, allowed, n)) >= 0}
        taken: set[int] = set()
        for number, at in sorted(places.items(), key=lambda item: _left(lines[item[1]])):
            if at in taken:  # part of a definition that is given whole, or of the same name
                continue
            start, end = _extent(lines, at)
            taken |= set(range(start, end))
            yield number, "\n".join(lines[start:end]).rstrip()


def _named(text: str, allowed: CallForm) -> Iterator[int]:
    for number, header in enumerate(allowed.headers):
        symbol = dict(header).get("symbol")
        if symbol and re.search(rf"(?<!\w){re.escape(symbol)}(?!\w)", text):
            yield number


def _call(allowed: CallForm, number: int, body: str | None) -> ToolCall:
    arguments = {name: value for name, value in allowed.headers[number] if value is not None}
    if body is not None:
        arguments[allowed.bodies[0]] = body
    return ToolCall(f"call_{uuid.uuid4().hex[:8]}", allowed.tool, arguments)


def _at(lines: list[str], allowed: CallForm, number: int) -> int:
    """The line on which a definition begins, known by its first words; -1 if there is none."""
    opening = allowed.openings[number].strip() if number < len(allowed.openings) else ""
    begins = re.compile(rf"\s*{re.escape(opening)}(?!\w)")
    symbol = dict(allowed.headers[number]).get("symbol") or ""
    found = (n for n, line in enumerate(lines) if opening and begins.match(line))
    return next((n for n in found if not _elsewhere(lines, n, symbol)), -1)


def _elsewhere(lines: list[str], at: int, symbol: str) -> bool:
    """Whether a definition stands in a class that is not the symbol's."""
    left = _left(lines[at])
    for line in reversed(lines[:at]):
        if line.strip() and _left(line) < left:
            outer = _CLASS.match(line)
            return outer is not None and outer[1] not in symbol.split(".")[:-1]
    return False


def _extent(lines: list[str], at: int) -> tuple[int, int]:
    """A definition's lines, decorators too, up to the next that begins as far left."""
    left = _left(lines[at])
    end = at + 1
    while end < len(lines) and not _begins(lines[end], left):
        end += 1
    while at and lines[at - 1].lstrip().startswith("@"):
        at -= 1
    return at, end


def _begins(line: str, left: int) -> bool:
    """Whether something new begins on a line; a bracket goes on with what is there."""
    text = line.strip()
    return bool(text) and _left(line) <= left and text[0] not in "{)]}"


def _left(line: str) -> int:
    return len(line) - len(line.lstrip())


def _with_head(body: str, allowed: CallForm) -> str:
    """A file's text, behind the imports that it was to begin with."""
    head = (allowed.openings[0] if allowed.openings else "").rpartition("\n\n\n")[0]
    return body if not head or head in body else f"{head}\n\n\n{body}"
