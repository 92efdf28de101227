"""The shape of an answer: free text, then calls whose headers are constrained, bodies free.

Owns the order of an answer's parts and the moments at which form takes over from freedom. Must
not know logits, frames or templates.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.models import text_calls
from agent.models.base import CallForm, Form
from agent.models.local.driver import Doubt
from agent.models.local.structure import Choice, Grammar, Matcher, StructureError, find
from agent.models.local.writer import Writer

_OVERRUN = 32
"""The most tokens past `max_thought`, or a quarter of it, to wait for the end of a line."""

_LINE_TOKENS = 80
"""The most tokens that a line is written anew with."""

_BLOCK_LINES = 3
"""The most lines that follow an added line which opens a block."""

_STATEMENT_LINES, _STATEMENT_TOKENS = 20, 200
"""The most lines of a statement whose beginning is given, and the most tokens of each."""

_QUOTES = ('"', "'", "`")
_OPENERS = frozenset({"for", "if", "try", "while", "with"})
"""What begins a block in most languages."""

_BEGUN = re.compile(r"<(?:call\b|tool_call>|tools>)")
"""The beginning of a call, in our format or in one that models were trained on."""
_FENCED = re.compile(rf"{_BEGUN.pattern}|^[ \t]*```", re.MULTILINE)
"""The same, or code: where a call must come, code belongs into its body."""


def write_free(writer: Writer) -> None:
    """Let the model write until it ends its turn."""
    while True:
        token = writer.choose()
        if writer.ends(token):
            writer.drop()
            return
        writer.write([token])


def write_form(writer: Writer, form: Form, grammar: Callable[[], Grammar], budget: int) -> None:
    """Let the model write what the form describes.

    Args:
        writer: Takes the answer.
        form: The shape.
        grammar: Gives the compiler of headers; the first time may wait for it.
        budget: The most tokens of reasoning before it is closed.

    Raises:
        StructureError: The grammar failed; what is written so far stands.
    """
    if not _write_thought(writer, form, budget):
        return
    used: set[Choice] = set()
    for number in range(form.max_calls):
        try:
            header = _begin(writer, form, grammar(), frozenset(used), first=number == 0)
        except StructureError:
            if number == 0:
                raise
            return
        if not header:
            return
        choice = find(form, header)
        if choice is None:
            raise StructureError(f"a header outside the form: {header}")
        if len(choice.form.bodies) < 2:
            # The same header again would only overwrite this call.
            used.add(choice)
        _write_bodies(writer, choice, header, grammar())
        writer.force(text_calls.CLOSE)


def _write_thought(writer: Writer, form: Form, budget: int) -> bool:
    """Free text up to the first call; whether a call is to follow."""
    trigger = _FENCED if form.required else _BEGUN
    spoken = 0
    if form.required and form.max_thought == 0 and not writer.thinking:
        return True
    while True:
        token = writer.choose()
        if writer.thinking:
            if writer.ends(token) or len(writer.output) >= budget:
                writer.drop()
                writer.force("\n</think>\n\n")
            else:
                writer.write([token])
            continue
        if writer.ends(token):
            writer.drop()
            return form.required
        piece = writer.peek(token)
        match = trigger.search(writer.line + piece)
        if match:
            writer.drop()
            before = (writer.line + piece)[: match.start()]
            writer.force(before[len(writer.line) :])
            return True
        spoken += 1
        if form.required and spoken >= form.max_thought:
            late = spoken >= form.max_thought + min(_OVERRUN, form.max_thought // 4)
            if late or "\n" in piece:
                writer.drop()
                writer.force(piece[: piece.find("\n")] if "\n" in piece else piece)
                return True
        writer.write([token])


def _begin(
    writer: Writer, form: Form, grammar: Grammar, used: frozenset[Choice], *, first: bool
) -> str:
    """Write a header line; empty if the model ended its turn instead."""
    begun = _overlap(writer.line) if first else ""
    if first and writer.line and not begun:
        writer.force("\n")
    size = len(writer.text)
    writer.follow(grammar.header(form, used, begun, optional=not first))
    if len(writer.text) == size:
        return ""
    return writer.text[max(0, size - len(begun)) :].strip()


def _write_bodies(writer: Writer, choice: Choice, line: str, grammar: Grammar) -> None:
    form = choice.form
    begun = form.original or _opening(form, choice.index)
    mark = text_calls.fence(text_calls.attributes(line) or (), begun)
    for number, name in enumerate(form.bodies):
        label = name if len(form.bodies) > 1 else form.language
        opening = _opening(form, choice.index) if number == 0 else ""
        if form.original:
            _write_variant(writer, form, f"{mark}{label}\n", mark)
            writer.force("\n")
            continue
        text = f"{mark}{label}\n{opening}"
        _write_beginning(writer, text, grammar)
        if form.one_line and number == 0:
            _write_statement(writer, mark)
            writer.force(f"\n{mark}")
        else:
            _write_body(writer, mark)
        writer.force("\n")


def _write_beginning(writer: Writer, text: str, grammar: Grammar) -> None:
    matcher: Matcher = grammar.literal(text)
    writer.follow(matcher, until=len(writer.text) + len(text))


def _write_variant(writer: Writer, form: CallForm, head: str, mark: str) -> None:
    """The code that is there, but for one line from where the model doubts it.

    A small model that rewrites code copies its faults; made to depart at the token it trusts
    least it often writes the cure.
    """
    writer.force(head)
    tokens = writer.tokenize(form.original)
    departure = next(itertools.islice(_departures(writer, tokens, form), form.variant, None), None)
    if departure is None:
        writer.force(f"{form.original.rstrip()}\n{mark}")
        return
    before = writer.text_of(tokens[: departure.doubt.index])
    writer.write([*tokens[: departure.doubt.index], departure.doubt.token])
    _write_line(writer, mark)
    begins = before.rfind("\n") + 1
    if departure.adds:
        for _ in range(_BLOCK_LINES):
            if not writer.line.rstrip().endswith(":"):
                break
            writer.force("\n")
            _write_line(writer, mark)
        rest = form.original[begins:]
    else:
        rest = form.original[len(before) :].partition("\n")[2]
    rest = rest.rstrip()
    writer.force(f"\n{rest}\n{mark}" if rest else f"\n{mark}")


def _write_statement(writer: Writer, mark: str) -> None:
    """Free text up to the end of the line at which no bracket is open any more, nor a text of
    several lines."""
    begins = len(writer.text) - len(writer.line)
    for number in range(_STATEMENT_LINES):
        if number:
            writer.force("\n")
        _write_line(writer, mark, _STATEMENT_TOKENS)
        text = writer.text[begins:]
        quoted = text.count('"""') % 2 or text.count("'''") % 2
        if not quoted and sum(map(text.count, "([{")) <= sum(map(text.count, ")]}")):
            return


def _write_line(writer: Writer, mark: str, most: int = _LINE_TOKENS) -> None:
    """Free text up to the line's end, or to what would close the body; either is left out."""
    for _ in range(most):
        token = writer.choose()
        text, newline, _ = writer.peek(token).partition("\n")
        closes = (writer.line + text).startswith((mark, text_calls.CLOSE[:-1]))
        if newline or closes or writer.ends(token):
            writer.drop()
            writer.force(text if newline and not closes else "")
            return
        writer.write([token])


@dataclass(frozen=True, slots=True)
class _Departure:
    doubt: Doubt
    adds: bool
    """Whether the line that begins so comes before the one that is there, not in its place."""


def _departures(writer: Writer, tokens: Sequence[int], form: CallForm) -> Iterator[_Departure]:
    """Where and how the code may change in one line, the likeliest first.

    Who doubts a line's beginning may miss a line as well as mistrust the one that is there. No
    change of comments and docstrings mends anything, and a line that begins a block where none
    was has nothing to stand over.
    """
    lines = form.original.split("\n")
    for doubt in writer.doubts(tokens):
        before = writer.text_of(tokens[: doubt.index])
        number = before.count("\n")
        other = writer.peek(doubt.token)
        begins = not before.rpartition("\n")[2].strip()
        words = other.strip()
        if writer.ends(doubt.token) or number not in form.editable or "\n" in other:
            continue
        if "#" in other or (begins and words.startswith(_QUOTES)) or not (words or begins):
            continue
        if not (begins and words in _OPENERS and not lines[number].rstrip().endswith(":")):
            yield _Departure(doubt, adds=False)
        if begins:
            yield _Departure(doubt, adds=True)


def _write_body(writer: Writer, mark: str) -> None:
    """Free text up to the closing fence, which is written out whatever the model made of it."""
    closing = re.compile(rf"^(?:{mark}|{text_calls.CLOSE[:-1]})", re.MULTILINE)
    while True:
        token = writer.choose()
        line = writer.line
        if writer.ends(token):
            writer.drop()
            writer.force(mark[len(line) :] if mark.startswith(line) else f"\n{mark}")
            return
        candidate = line + writer.peek(token)
        match = closing.search(candidate)
        if match is None:
            writer.write([token])
            continue
        writer.drop()
        at = match.start()
        begun = line[at:] if at < len(line) else ""
        kept = candidate[len(line) : at]
        # What is begun of `</call` stays in the text, and the reader leaves it out.
        writer.force(kept + (mark[len(begun) :] if mark.startswith(begun) else f"\n{mark}"))
        return


def _overlap(line: str) -> str:
    """The end of the line with which a call has begun."""
    for size in range(len(text_calls.OPEN) - 1, 0, -1):
        if line.endswith(text_calls.OPEN[:size]):
            return line[-size:]
    return ""


def _opening(form: CallForm, index: int) -> str:
    return form.openings[index] if index < len(form.openings) else ""
