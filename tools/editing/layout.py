"""Where lines of code begin: margins, tabs or spaces, and what stands inside strings.

Owns indentation. Must not know what the code defines or which file it is for.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_BESIDE = re.compile(r"[)\]}@#]|//|(?:async\s+)?def\s|class\s")
_BACKTICKS = frozenset({"javascript", "typescript", "tsx", "go"})


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    """Without the margin that all of the code has."""
    fixed: bool = False
    """It begins inside a string: another indentation would be another value."""


def with_first_margin(lines: list[str], indent: str, inside: set[int]) -> list[str]:
    """Give the first line its indentation back where the others have theirs as in the file."""
    rest = [line for i, line in enumerate(lines) if i and line.strip() and i not in inside]
    if not indent or not rest or lines[0][:1] in (" ", "\t"):
        return lines
    if not all(line.startswith(indent) for line in rest):
        return lines
    # A body that is no deeper than the symbol itself belongs to a symbol without indentation.
    level = [line[len(indent) :] for line in rest if line[len(indent)] not in " \t"]
    if not (level and lines[0].startswith("class")) and all(map(_BESIDE.match, level)):
        return [indent + lines[0], *lines[1:]]
    return lines


def margin(lines: Iterable[str]) -> str:
    """The whitespace that all lines but the blank ones begin with."""
    margin: str | None = None
    for line in lines:
        if line.strip():
            own = line[: len(line) - len(line.lstrip(" \t"))]
            if margin is None:
                margin = own
            while not own.startswith(margin):
                margin = margin[:-1]
    return margin or ""


def outdent(line: str, margin: str, prose: bool) -> Line:
    """A line without the margin.

    Args:
        prose: It begins inside a docstring: written to the left of the margin, it stays there.
    """
    if line.startswith(margin):
        return Line(line[len(margin) :])
    return Line(line, True) if prose and line.strip() else Line(line.lstrip(" \t"))


def inside_strings(language: str | None, lines: list[str]) -> tuple[set[int], set[int]]:
    """The lines that begin inside a string, and those that begin inside a docstring."""
    fixed: set[int] = set()
    prose: set[int] = set()
    if language in _BACKTICKS:
        open_ = False
        for i, line in enumerate(lines):
            if open_:
                fixed.add(i)
            open_ ^= len(re.findall(r"(?<!\\)`", line)) % 2 == 1
    elif language == "python":
        # In brackets indentation means nothing, so shifted code can be read as well.
        source = io.StringIO("(\n" + "\n".join(lines) + "\n)")
        previous = ":"
        opened: list[int] = []
        try:
            for token in tokenize.generate_tokens(source.readline):
                kind = tokenize.tok_name[token.type]
                if kind.endswith("STRING_START"):
                    opened.append(token.start[0])
                elif kind.endswith("STRING_END"):
                    fixed.update(range(opened.pop() - 1, token.end[0] - 1))
                elif kind == "STRING":
                    which = prose if previous == ":" else fixed
                    which.update(range(token.start[0] - 1, token.end[0] - 1))
                if kind not in ("NL", "COMMENT"):
                    previous = token.string
        except (tokenize.TokenError, SyntaxError):
            pass  # what was read until there counts; the parser judges the rest
    return fixed, prose


def placed(lines: Sequence[Line], indent: str, body: list[str]) -> str:
    """Lines in the place of others.

    Args:
        indent: What the first line begins with there.
        body: The lines that they replace.
    """
    written = []
    for line in _in_style(lines, body):
        shifted = indent + line.text if line.text.strip() else ""
        # The text of a string is taken as it was given, unless all of the code was shifted.
        if line.fixed and not (line.text not in body and shifted in body):
            shifted = line.text
        written.append(shifted)
    return "\n".join(written)


def _in_style(lines: Sequence[Line], body: list[str]) -> Sequence[Line]:
    """Indented with tabs or with spaces, as the old code is."""
    tabs_there = any(line.startswith("\t") for line in body)
    spaces_there = any(line.startswith("  ") for line in body)
    margins = [line.text[: len(line.text) - len(line.text.lstrip())] for line in lines]
    if tabs_there and not spaces_there and not any("\t" in margin for margin in margins):
        unit = min((len(margin) for margin in margins if margin), default=4)
        return [
            line
            if line.fixed
            else Line(
                "\t" * (len(margin) // unit) + " " * (len(margin) % unit) + line.text.lstrip(" ")
            )
            for line, margin in zip(lines, margins, strict=True)
        ]
    if spaces_there and not tabs_there:
        return [
            line if line.fixed else Line(margin.replace("\t", "    ") + line.text.lstrip())
            for line, margin in zip(lines, margins, strict=True)
        ]
    return lines
