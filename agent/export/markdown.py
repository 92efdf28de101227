"""A session as Markdown, to be read or put into an issue.

Owns its form. Must not know where it is shown: whatever a model, a file or a program said stands
in a fence or a quotation that it cannot leave, no HTML of theirs is HTML there and no picture of
theirs is fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape

from agent.export.trajectory import (
    Checked,
    Item,
    Note,
    Outcome,
    Step,
    Told,
    Trajectory,
    Turn,
    clock,
)
from agent.messages import SystemMessage
from agent.printer import figures
from tools.text_filter import clip, printable

LONGEST = 8_000
"""Characters of one result; more is left out of its middle."""
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
"""What could begin an HTML tag or a link in brackets, or a picture."""
_TICKS = re.compile(r"`+")


def to_markdown(trajectory: Trajectory) -> str:
    """The whole session, a section for each turn."""
    info = trajectory.info
    lines = [
        f"# {_line(trajectory.title) or 'A session'}",
        "",
        f"- session {_code(info.id)} in {_code(str(info.root))}",
        f"- started {_line(info.started)}",
    ]
    for number, turn in enumerate(trajectory.turns, start=1):
        lines += ["", f"## Turn {number}", "", f"{_code(turn.model)}, {clock(turn.at)}"]
        for block in _blocks(turn):
            lines += ["", block]
    return "\n".join(lines) + "\n"


def _blocks(turn: Turn) -> Iterator[str]:
    yield "**Task**"
    yield _quoted(turn.task)
    for item in turn.items:
        if not (isinstance(item, Told) and item.message.text == turn.task):
            yield from _item(item)
    end = turn.finished
    if end is None:
        yield "**The turn did not end.**"
        return
    yield f"**{_line(end.status.value)}**: {_line(end.summary)}"
    if end.answer:
        yield _quoted(end.answer)
    if end.patch:
        yield _fenced(end.patch, "diff")
    yield _line(figures(end.totals))


def _item(item: Item) -> Iterator[str]:
    match item:
        case Told(_, message):
            who = "System prompt" if isinstance(message, SystemMessage) else "Told to the model"
            yield _folded(who, _fenced(message.text))
        case Note(_, text):
            yield f"_{_line(text)}_"
        case Checked(_, outcome):
            yield _outcome(outcome, " (by the harness)")
        case Step():
            if item.message.reasoning:
                yield _folded("Reasoning", _quoted(item.message.reasoning))
            if item.message.text:
                yield _quoted(item.message.text)
            for line in item.message.malformed:
                yield f"✗ {_line(line)}"
            for outcome in item.outcomes:
                yield _outcome(outcome)


def _outcome(outcome: Outcome, by: str = "") -> str:
    mark = "✓" if outcome.ok else "✗"
    arguments = json.dumps(dict(outcome.call.arguments), indent=1, ensure_ascii=False)
    return _folded(
        f"{mark} {escape(_flat(outcome.display))}{by}",
        f"{_fenced(arguments, 'json')}\n\n{_fenced(clip(outcome.output, LONGEST))}",
    )


def _folded(summary: str, body: str) -> str:
    """`<details>`; the summary is HTML, in which theirs is escaped."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _fenced(text: str, language: str = "") -> str:
    """A text in a fence that it cannot close."""
    text = printable(text).rstrip("\n")
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _quoted(text: str) -> str:
    """Markdown of theirs in a quotation, which ends whatever was opened in it."""
    lines, open_fence = [], ""
    for line in printable(text).strip("\n").split("\n"):
        # Only fences at the line's beginning count: those further in may end sooner than they say.
        fence = _FENCE.fullmatch(line)
        mark = (fence[1] or fence[2]) if fence else ""
        if open_fence:
            closes = mark.startswith(open_fence) and line.strip() == mark
            open_fence = "" if closes else open_fence
        elif mark:
            open_fence = mark
        else:
            line = _MARKUP.sub(lambda found: "&lt;" if found[0] == "<" else "!\\", line)
        lines.append(f"> {line}".rstrip())
    return "\n".join(lines)


def _code(text: str) -> str:
    """A text of one line as code."""
    text = _flat(text)
    ticks = "`" * (1 + max(map(len, _TICKS.findall(text)), default=0))
    edge = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{ticks}{edge}{text or ' '}{edge}{ticks}"


def _line(text: str) -> str:
    """A text as one line that is not read as Markdown or HTML."""
    escaped = re.sub(r"([\\`*_\[\]#~|!])", r"\\\1", _flat(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _flat(text: str) -> str:
    return " ".join(printable(text).split())
