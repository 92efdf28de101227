"""Code as a model wrote it, taken apart into definitions that can be put into a file.

Owns what models do to code on the way: fences, shifted indentation, classes wrapped around one
method, imports on top, examples below. Must not know the file that the code is for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from tools.editing.layout import Line, inside_strings, margin, outdent, with_first_margin
from tools.syntax import Kind, Symbol, language_of, symbols

_FENCE = re.compile(r"\s*```[^\n]*\n(.*?)\n?[ \t]*(?:```\s*)?\Z", re.DOTALL)
_COMMENT = re.compile(r"[ \t]*(#(?!\[|include|define)|//|/\*|\*)")
_FILLER = re.compile(rf"\s*\Z|[ \t]*\}}|impl\b.*\{{|{_COMMENT.pattern}")
_ELISION = re.compile(
    r"\s*(?:#|//)\s*(?:\.\.\.|\u2026|.*\b(?:same as before"
    r"|rest of the (?:code|class|function|method|file|implementation)"
    r"|existing (?:code|methods|functions|implementation)"
    r"|(?:code|methods|functions) (?:remains?|stays?|is|are) (?:the same|unchanged))\b)",
    re.IGNORECASE,
)
_IMPORT = re.compile(r"(import|from)\s")
_STUB = re.compile(r"""[^{}]*\{\s*\}|.*\)[^()]*:\s*(?:\"{3}[^"]*\"{3})?\s*(?:\.\.\.|pass)?\s*""")
_SHELLS = {"javascript": "class", "typescript": "class", "tsx": "class", "java": "class"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One definition."""

    name: str
    """Relative to the scope it is meant for."""
    kind: Kind
    lines: tuple[Line, ...]
    """Indentation as far as it goes beyond that of the first line."""
    comment: tuple[Line, ...]
    """Comment lines directly above."""
    owned: bool
    """Written as a member of the owner."""

    @property
    def decorated(self) -> bool:
        return self.lines[0].text.lstrip().startswith("@")

    @property
    def signature(self) -> str:
        return next(
            (line.text.strip() for line in self.lines if not line.text.lstrip().startswith("@")), ""
        )

    @property
    def is_stub(self) -> bool:
        """Whether a placeholder stands where the body belongs."""
        if elision("\n".join(line.text for line in self.lines)):
            return True
        if self.kind not in (Kind.FUNCTION, Kind.METHOD):
            return False
        code = " ".join(line.text.strip() for line in self.lines if not _COMMENT.match(line.text))
        return _STUB.fullmatch(code) is not None


@dataclass(frozen=True, slots=True)
class Code:
    """All that a model gave."""

    pieces: tuple[Piece, ...]
    """In the order of the code, imports left out."""
    imports: str
    """Its import statements, a line each or more; empty for none."""
    text: str
    """Everything, cleaned and without its margin."""
    left_over: tuple[str, ...]
    """Lines that belong to no definition: examples, stray statements, prose."""
    torn: str = ""
    """A line whose indentation fits neither the definition above it nor none."""


def read(path: str, code: str, scope: str, name: str, indent: str) -> Code:
    """Take code apart.

    Args:
        path: The file it is for; its ending decides the language, its name may be a heading.
        scope: The qualified name of the class that the wanted symbol is in; empty for a module.
        name: The wanted symbol's own name.
        indent: The indentation that the wanted symbol has in its file.
    """
    raw = _without_heading(path, _clean(code).split("\n"))
    fixed, prose = inside_strings(language_of(path), raw)
    raw = with_first_margin(raw, indent, fixed | prose)
    shared = margin(line for i, line in enumerate(raw) if i not in fixed | prose)
    lines = [
        Line(line, True) if i in fixed else outdent(line, shared, i in prose)
        for i, line in enumerate(raw)
    ]
    text = "\n".join(line.text for line in lines)
    own = scope.rpartition(".")[2]
    found, shift = _symbols(path, text, own, name)
    chosen, hidden = _choose(found, scope, own, name)
    covered: set[int] = set()
    pieces = []
    imports = []
    for symbol, relative, owned in chosen:
        first, last = symbol.first_line - 1 - shift, symbol.last_line - shift
        top = first
        while top > 0 and top - 1 not in covered and _COMMENT.match(lines[top - 1].text):
            top -= 1
        covered.update(range(top, last))
        if symbol.kind is Kind.IMPORTS:
            imports += [line.text for line in lines[first:last]]
            continue
        inner = margin([lines[first].text])
        part = tuple(
            lines[i] if lines[i].fixed else outdent(lines[i].text, inner, i in prose)
            for i in range(top, last)
        )
        pieces.append(Piece(relative, symbol.kind, part[first - top :], part[: first - top], owned))
    covered.update(hidden)
    left: list[str] = []
    torn = ""
    for i, line in enumerate(lines):
        if i in covered or _FILLER.match(line.text):
            continue
        if not torn and line.text[:1] in (" ", "\t") and i - 1 in covered:
            torn = line.text
        (imports if _IMPORT.match(line.text) else left).append(line.text)
    return Code(tuple(pieces), "\n".join(imports), text, tuple(left), torn)


def elision(code: str, old: str = "") -> str | None:
    """The first comment that stands for code left out, unless the old code has it too."""
    there = {line.strip() for line in old.split("\n")}
    for line in code.split("\n"):
        if _ELISION.match(line) and line.strip() not in there:
            return line.strip()
    return None


def _clean(code: str) -> str:
    """Without a fence around it and blank lines at its ends."""
    code = code.replace("\r\n", "\n")
    fenced = _FENCE.match(code)
    if fenced:
        code = fenced.group(1)
    lines = code.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


def _without_heading(path: str, lines: list[str]) -> list[str]:
    """Models like to begin with a comment that names the file."""
    heading = lines[0].strip().lstrip("#/ ").removeprefix("File:").removeprefix("file:").strip()
    named = heading in (path, PurePosixPath(path).name) and lines[0].lstrip()[:1] in ("#", "/")
    return lines[1:] if named and len(lines) > 1 else lines


def _symbols(path: str, text: str, own: str, name: str) -> tuple[tuple[Symbol, ...], int]:
    """The code's symbols and how many lines were put before it so that they could be found."""
    found = symbols(path, text.encode())
    shell = _SHELLS.get(language_of(path) or "")
    if not own or shell is None or any(s.name in (own, name) for s in found):
        return found, 0
    inside = symbols(path, f"{shell} {own} {{\n{text}\n}}".encode())
    return tuple(s for s in inside if s.name != own), 1


def _choose(
    found: tuple[Symbol, ...], scope: str, own: str, name: str
) -> tuple[list[tuple[Symbol, str, bool]], range]:
    """The definitions to use with their names and whether they are members of the owner.

    The range holds the lines of a class that is only wrapped around members.
    """
    wrapper = None
    if own and not any(s.name == name for s in found):
        wrapper = next((s for s in found if s.kind is Kind.CLASS and s.name in (scope, own)), None)
    chosen: list[tuple[Symbol, str, bool]] = []
    end = -1
    for symbol in found:
        if symbol is wrapper or (wrapper and wrapper.name.startswith(f"{symbol.name}.")):
            continue
        holder, _, last = symbol.name.rpartition(".")
        if chosen and last == name and symbol.start == chosen[-1][0].start:
            chosen.pop()  # one statement that assigns to several names
        elif symbol.start < end:
            continue
        end = symbol.end
        if holder and own and holder in (scope, own):
            chosen.append((symbol, last, True))
        else:
            chosen.append((symbol, symbol.name, False))
    hidden = range(wrapper.first_line - 1, wrapper.last_line) if wrapper else range(0)
    return chosen, hidden
