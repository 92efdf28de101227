"""A definition in a file replaced by another.

Owns which bytes of a file change when a symbol gets new code. Must not know workspaces or tools.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.editing import imports
from tools.editing.definitions import Code, Piece, elision, read
from tools.editing.layout import Line, placed
from tools.editing.lookup import find
from tools.errors import ToolError
from tools.syntax import Kind, Symbol, language_of, problem, symbols

_EXPORT = re.compile(r"\s*(export\s+(?:default\s+)?)")
_METHOD = re.compile(r"\(\s*(?:self|cls)\b")


@dataclass(frozen=True, slots=True)
class Spliced:
    text: str
    name: str
    """The symbol's qualified name."""
    notes: tuple[str, ...] = ()
    """What was done with the parts of the code that are not the symbol."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def splice(path: str, source: str, name: str, code: str) -> Spliced:
    """A file's text with one of its definitions replaced.

    Args:
        source: With `\\n` between lines.
        code: The new definition, whole. It may be shifted, fenced or wrapped in its class, and
            bring imports and further definitions along.

    Raises:
        ToolError: The symbol is not there, the code does not define it, or other definitions
            would be lost.
    """
    if language_of(path) is None:
        raise ToolError(f"{path} has no symbols that are known here; change its text instead.")
    found = symbols(path, source.encode())
    if name == "(imports)" and not any(symbol.kind is Kind.IMPORTS for symbol in found):
        return _with_first_imports(path, source, found, code)
    targets = find(path, found, name)
    splicer = _Splicer(path, source, found, targets[0])
    text = splicer.replaced(code, targets)
    if problem(path, text.encode()) is None and problem(path, source.encode()) is None:
        splicer.notes += _losses(path, found, splicer.gone, text)
    return Spliced(text, targets[0].name, tuple(splicer.notes))


class _Splicer:
    """Collects the edits for one file."""

    def __init__(self, path: str, source: str, found: tuple[Symbol, ...], target: Symbol) -> None:
        self.path = path
        self.source = source
        self.data = source.encode()
        self.found = found
        self.scope, _, self.last = target.name.rpartition(".")
        self.edits: list[_Edit] = []
        self.notes: list[str] = []
        self.gone: set[str] = set()
        """Names of the symbols that were replaced."""

    def replaced(self, code: str, targets: list[Symbol]) -> str:
        target = targets[0]
        given = read(self.path, code, self.scope, self.last, self._indent(target))
        if target.kind is Kind.IMPORTS:
            given = _as_imports(given)
        groups: dict[str, list[Piece]] = {}
        for piece in given.pieces:
            groups.setdefault(self._qualified(piece), []).append(piece)
        if target.name not in groups:
            raise ToolError(_undefined(self.path, target, given, groups))
        if given.torn:
            raise ToolError(f"Not done: the indentation of {given.torn!r} fits nothing above it.")
        code = "\n".join(line.text for piece in groups[target.name] for line in piece.lines)
        gap = elision(code, "".join(self._text(old) for old in targets))
        if gap:
            raise ToolError(f"The code leaves out a part ({gap!r}): give all of {target.name}.")
        order = list(groups)
        main = order.index(target.name)
        before: list[Piece] = []
        after: list[Piece] = []
        outside: list[Piece] = []
        for index, (qualified, pieces) in enumerate(groups.items()):
            olds = [symbol for symbol in self.found if symbol.name == qualified]
            if qualified == target.name:
                continue
            if olds and all(piece.is_stub for piece in pieces):
                self.notes.append(f"{qualified} stays as it is: only a placeholder was given.")
            elif olds:
                self._replace(olds, pieces)
                self.notes.append(f"{qualified} was replaced too.")
            else:
                inside = not self.scope or qualified.startswith(f"{self.scope}.")
                (outside if not inside else before if index < main else after).extend(pieces)
                self.notes.append(f"{qualified} was added.")
        self._replace(targets, groups[target.name], before, after)
        if outside:
            self._add_outside(outside)
        if given.imports and target.kind is not Kind.IMPORTS:
            for place, text in imports.added(self.path, self.source, self.found, given.imports):
                self.edits.append(_Edit(place, place, text))
        if given.left_over:
            self.notes.append(f"Left out: {given.left_over[0].strip()[:80]!r}")
            if len(given.left_over) > 1:
                self.notes[-1] += f" and {len(given.left_over) - 1} more lines"
            self.notes[-1] += ", part of no definition."
        return self._applied()

    def _qualified(self, piece: Piece) -> str:
        """The name that a piece has, or will have, in the file."""
        if not self.scope:
            return piece.name
        member = f"{self.scope}.{piece.name}"
        names = {symbol.name for symbol in self.found}
        if piece.owned or member in names or piece.name == self.last:
            return member
        if piece.name in names or piece.kind is not Kind.FUNCTION:
            return piece.name
        method = _METHOD.search(piece.signature) or piece.lines[0].text.startswith(
            ("@staticmethod", "@classmethod", "@property")
        )
        return member if method else piece.name

    def _replace(
        self,
        olds: list[Symbol],
        pieces: list[Piece],
        before: Sequence[Piece] = (),
        after: Sequence[Piece] = (),
    ) -> None:
        pairs = self._paired(olds, pieces)
        self.gone.add(olds[0].name)
        for index, (old, new) in enumerate(pairs):
            parts = [self._in_place(old, piece) for piece in new]
            if index == 0:
                parts = [*(self._placed(piece, old) for piece in before), *parts]
            if index == len(pairs) - 1:
                parts += [self._placed(piece, old) for piece in after]
            indent = self._indent(old)
            everything = [*before, *new, *after]
            gap = self._gap(indent, everything)
            self.edits.append(_Edit(old.start, old.end, gap.join(parts)))

    def _paired(self, olds: list[Symbol], pieces: list[Piece]) -> list[tuple[Symbol, list[Piece]]]:
        """Which new definitions stand for which old one of the same name."""
        if len(olds) == len(pieces):
            return [(old, [piece]) for old, piece in zip(olds, pieces, strict=True)]
        if len(olds) == 1:
            return [(olds[0], pieces)]
        if len(pieces) == 1:
            new = [line.text.strip() for line in pieces[0].lines]
            head = new[: new.index(pieces[0].signature) + 1]
            for size in (len(head), 1):  # decorators and signature, else the signature alone
                fits = [old for old in olds if self._head(old)[-size:] == head[-size:]]
                if len(fits) == 1:
                    return [(fits[0], pieces)]
            decorated = [old for old in olds if self._head(old)[:-1] == head[:-1]]
            if len(decorated) == 1:
                return [(decorated[0], pieces)]
        places = ", ".join(str(old.first_line) for old in olds)
        raise ToolError(
            f"{self.path} defines {olds[0].name} {len(olds)} times (lines {places}):"
            " give all of them, or one with its decorators and signature unchanged."
        )

    def _head(self, symbol: Symbol) -> list[str]:
        """A symbol's decorators and the line that names it."""
        lines = [line.strip() for line in self._text(symbol).split("\n")]
        at = next((i for i, line in enumerate(lines) if line.startswith(symbol.signature)), 0)
        return lines[: at + 1]

    def _in_place(self, old: Symbol, piece: Piece) -> str:
        """A piece as it stands in an old symbol's place, with what the old one had around it."""
        comment = piece.comment
        above = self.data[: old.start].decode().split("\n")[:-1]
        if comment and [line.strip() for line in above[-len(comment) :]] == [
            line.text.strip() for line in comment
        ]:
            piece = _bare(piece)
        text = self._placed(piece, old)
        body = self._text(old)
        head = self._head(old)
        if head[0].startswith("@") and not piece.decorated and len(head) > 1:
            text = "\n".join(body.split("\n")[: len(head) - 1]) + "\n" + text
        export = _EXPORT.match(body)
        if export and not _EXPORT.match(text) and not piece.comment:
            indent = self._indent(old)
            text = indent + export.group(1) + text[len(indent) :]
        return text

    def _placed(self, piece: Piece, old: Symbol, indent: str | None = None) -> str:
        """A piece with the indentation that `old` has."""
        own = self._indent(old) if indent is None else indent
        return placed((*piece.comment, *piece.lines), own, self._text(old).split("\n"))

    def _add_outside(self, pieces: list[Piece]) -> None:
        """Put pieces before the outermost class that the target is in."""
        outer = next(s for s in self.found if s.name == self.scope.partition(".")[0])
        gap = self._gap("", pieces)
        text = gap.join(self._placed(piece, outer, "") for piece in pieces) + self._gap("", [])
        self.edits.append(_Edit(outer.start, outer.start, text))

    def _gap(self, indent: str, pieces: Sequence[Piece]) -> str:
        if pieces and all(piece.kind is Kind.VARIABLE for piece in pieces):
            return "\n"
        return "\n\n\n" if language_of(self.path) == "python" and not indent else "\n\n"

    def _indent(self, symbol: Symbol) -> str:
        text = self._text(symbol)
        return text[: len(text) - len(text.lstrip(" \t"))]

    def _text(self, symbol: Symbol) -> str:
        return self.data[symbol.start : symbol.end].decode()

    def _applied(self) -> str:
        data = self.data
        until = len(data)
        for edit in sorted(self.edits, key=lambda edit: (edit.start, edit.end), reverse=True):
            if edit.end > until:
                raise ToolError("Two of these definitions share a place; give them one at a time.")
            data = data[: edit.start] + edit.text.encode() + data[edit.end :]
            until = edit.start
        return data.decode()


def _bare(piece: Piece) -> Piece:
    return Piece(piece.name, piece.kind, piece.lines, (), piece.owned)


def _as_imports(given: Code) -> Code:
    """All of the code as the import block, if it is nothing but imports."""
    text = given.imports if given.pieces else given.text
    if not given.imports or (given.left_over and not given.pieces):
        return Code(given.pieces, "", given.text, given.left_over)
    block = Piece("(imports)", Kind.IMPORTS, tuple(map(Line, text.split("\n"))), (), False)
    return Code((block, *given.pieces), given.imports, text, given.left_over)


def _losses(path: str, found: Sequence[Symbol], gone: set[str], text: str) -> list[str]:
    """A notice of what the new code of a class no longer has.

    Raises:
        ToolError: Definitions besides those that were replaced would be lost.
    """
    left = {symbol.name for symbol in symbols(path, text.encode())}
    lost = list(dict.fromkeys(symbol.name for symbol in found if symbol.name not in left))
    members = [name for name in lost if any(name.startswith(f"{own}.") for own in gone)]
    if members != lost:
        others = ", ".join(name for name in lost if name not in members)
        raise ToolError(f"Not done: {others} would be lost from {path}.")
    return [f"No longer there: {', '.join(members)}."] if members else []


def _with_first_imports(path: str, source: str, found: tuple[Symbol, ...], code: str) -> Spliced:
    wanted = read(path, code, "", "(imports)", "").imports
    insertions = imports.added(path, source, found, wanted)
    if not insertions:
        raise ToolError("The code imports nothing that the file lacks.")
    data = source.encode()
    for place, text in insertions:
        data = data[:place] + text.encode() + data[place:]
    return Spliced(data.decode(), "(imports)")


def _undefined(path: str, target: Symbol, given: Code, groups: dict[str, list[Piece]]) -> str:
    tried = re.search(rf"(?:def|class)\s+{re.escape(target.name.rpartition('.')[2])}\b", given.text)
    broken = problem(path, given.text.encode()) if tried and language_of(path) == "python" else None
    if broken:
        line = given.text.split("\n")[broken.line - 1 :][:1]
        return f"Line {broken.line} of the code does not parse ({broken.message}): {''.join(line)}"
    defined = [*groups, *(["imports"] if given.imports else [])]
    what = f"defines {', '.join(defined)}" if defined else "defines nothing"
    return (
        f"The code {what}, not {target.name}. Give all of {target.name}, beginning with:"
        f"\n{target.signature}"
    )
