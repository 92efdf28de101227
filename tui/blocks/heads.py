"""The lines that a folded block shows: what it is, where it stands, the little that matters most.

Owns their wording and colours. Must not know widgets.
"""

from __future__ import annotations

import shlex
import textwrap
import time
from collections import Counter

from textual.content import Content

from agent.durations import duration
from agent.events import Origin, Status
from agent.printer import extent, figures
from tools.testing.progress import so_far
from tools.testing.reports import gist
from tools.text import shown
from tools.text_filter import clip_line, printable
from tui.blocks.entries import Call, Kind, Lookups, Remark, Shell, State, Thought, Verdict
from tui.blocks.story import LOOKUPS
from tui.themes import MUTED

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ARGUMENT = 100
"""Characters of a call's main argument."""
_PREVIEW = 4
"""Lines of a command's output that are shown while it is folded."""
OPENED = 400
"""Lines of what a command prints that are shown of an opened block."""
_LIVE = 5
"""Lines of what a command prints that are shown while it runs."""
_FACTS = 74
"""Cells of a line of facts where the room is not known yet: the narrowest usual terminal's."""
_LEAST = 20
"""Cells that a line of facts has at least."""
_SAID = 12
"""Lines of what the user said that are shown while it is folded."""
_WIDE = 200
"""Characters of a line of a preview."""
_AT_ONCE = 0.05
"""Seconds that are not worth telling."""
_MARKS = {
    State.ASKING: ("?", "$text-warning"),
    State.OK: ("✓", "$text-success"),
    State.FAILED: ("✗", "$text-error"),
    State.DENIED: ("⊘", "$text-warning"),
    State.LOST: ("■", "$text-warning"),
}
_TOLD = {
    State.ASKING: "waits for your answer",
    State.DENIED: "denied",
    State.LOST: "interrupted",
}
_KINDS = {
    Kind.NOTICE: ("·", "$muted"),
    Kind.REWOUND: ("↶", "$text-warning"),
    Kind.COMPACTED: ("⇲", "$text-accent"),
    Kind.MALFORMED: ("!", "$text-warning"),
    Kind.COMPLAINT: ("✗", "$text-error"),
}
_MAIN = ("path", "argv", "pattern", "query", "only", "symbol", "name")
"""Arguments that say most of a call."""


def spinner(rate: float = 10) -> str:
    """The picture of this moment.

    Args:
        rate: Pictures a second.
    """
    return SPINNER[int(time.monotonic() * rate) % len(SPINNER)]


def prompted(text: str, *, whole: bool) -> Content:
    """What the user said; of a long text the beginning, unless all of it is wanted."""
    lines = text.split("\n")
    left = len(lines) - _SAID
    if whole or left < 2:
        return Content(text)
    said = Content("\n".join([*lines[:_SAID], ""]))
    return Content.assemble(said, Content.styled(f"… {left:,} more lines", MUTED))


def thought(entry: Thought) -> Content:
    """`thought for 3 s`."""
    if not entry.done:
        passed = duration(time.monotonic() - entry.started)
        return Content.styled(f"{spinner()} thinking for {passed}", MUTED)
    took = "" if not entry.seconds or entry.seconds < 0.1 else f" for {duration(entry.seconds)}"
    fold = "▾" if entry.open else "▸"
    return Content.styled(f"{fold} thought{took}", f"{MUTED} italic")


def call(entry: Call) -> Content:
    """A call's line, and what came of it where that matters."""
    mark, colour = _MARKS.get(entry.state, (spinner(), "$text-accent"))
    parts = [Content.styled(f"{mark} ", colour), Content(_title(entry))]
    if entry.state is State.RUNNING and entry.elapsed >= 1:
        facts = " · ".join(filter(None, (duration(entry.elapsed), _progress(entry))))
        parts.append(Content.styled(f"  {facts}", MUTED))
    elif entry.result is not None and entry.seconds >= 1 and " s)" not in entry.result.display:
        parts.append(Content.styled(f"  {duration(entry.seconds)}", MUTED))
    if told := _TOLD.get(entry.state):
        parts.append(Content.styled(f"  {told}", colour))
    if entry.origin is Origin.HARNESS:
        parts.append(Content.styled("  harness", f"{MUTED} italic"))
    line = Content.assemble(*parts)
    word = shown(clip_line(entry.word, _WIDE)) if entry.state is State.DENIED else ""
    said = [Content.styled(f"  {word}", colour)] if word else []
    if entry.open:
        return Content("\n").join([line, *said])
    return Content("\n").join(
        [line, *said, *(Content.styled(f"  {text}", MUTED) for text in _preview(entry))]
    )


def _title(entry: Call) -> str:
    if entry.result is not None and entry.state is not State.DENIED:
        return shown(clip_line(entry.result.display, _WIDE))
    given = entry.call.arguments
    main = next((given[name] for name in _MAIN if given.get(name)), "")
    if isinstance(main, list | tuple):
        main = shlex.join(map(str, main))
    verb = shown(entry.call.name).replace("_", " ")
    return f"{verb} {shown(clip_line(str(main), _ARGUMENT))}".rstrip()


def _progress(entry: Call) -> str:
    """How far a test run is."""
    if entry.call.name != "run_tests" or entry.printed is None:
        return ""
    return so_far(entry.printed.whole)


def _preview(entry: Call) -> list[str]:
    result = entry.result
    if result is None:
        last = entry.printed.last(_LIVE) if entry.printed is not None else []
        return [clip_line(line, _WIDE) for line in last]
    if tests := gist(result.details):
        told = (tests.failure, tests.error)
        return [shown(clip_line(line, _WIDE)) for line in told if line]
    if entry.call.name == "run":
        lines = [line for line in printable(result.output[:50_000]).split("\n")[1:] if line.strip()]
        return head_and_tail([clip_line(line, _WIDE) for line in lines], _PREVIEW)
    if entry.state is State.FAILED:
        lines = printable(result.output[:5_000]).split("\n")
        return [clip_line(line, _WIDE) for line in lines[1:2]]
    return []


def head_and_tail(lines: list[str], most: int) -> list[str]:
    """The first and the last lines, with how many are between."""
    if len(lines) <= most:
        return lines
    head = most // 2
    return [*lines[:head], f"… {len(lines) - most:,} lines …", *lines[len(lines) - (most - head) :]]


def lookups(entry: Lookups) -> Content:
    """`read 4 files, searched twice`."""
    if len(entry.calls) == 1:
        return call(entry.calls[0])
    counts = Counter(item.call.name for item in entry.calls)
    told = ", ".join(_counted(name, count) for name, count in counts.items())
    running = [item for item in entry.calls if not item.state.ended]
    failed = sum(item.state is State.FAILED for item in entry.calls)
    mark, colour = (spinner(), "$text-accent") if running else _MARKS[State.OK]
    parts = [Content.styled(f"{mark} ", colour), Content(told)]
    if running:
        parts.append(Content.styled(f"  {_title(running[-1])}", MUTED))
    if failed:
        parts.append(Content.styled(f"  {failed} failed", "$text-error"))
    if entry.calls[0].origin is Origin.HARNESS:
        parts.append(Content.styled("  harness", f"{MUTED} italic"))
    return Content.assemble(*parts)


def _counted(name: str, count: int) -> str:
    if name == "read_file":
        return "read 1 file" if count == 1 else f"read {count} files"
    times = {1: "once", 2: "twice"}.get(count, f"{count} times")
    return f"{LOOKUPS[name]} {times}"


def remark(entry: Remark) -> Content:
    """One line, or a few."""
    mark, colour = _KINDS[entry.kind]
    return Content.styled(f"{mark} {entry.text}", colour)


def verdict(entry: Verdict, width: int = _FACTS) -> Content:
    """How the turn ended, what it changed, its figures.

    Args:
        width: Cells of a line that there are.
    """
    good = entry.status.exit_code == 0
    stopped = entry.status is Status.INTERRUPTED or entry.status is Status.UNVERIFIED
    mark = "✓" if good else "■" if stopped else "✗"
    colour = "$text-success" if good else "$text-warning" if stopped else "$text-error"
    told = Content.assemble(
        Content.styled(f"{mark} {entry.status.value}", f"bold {colour}"),
        Content(f"  {entry.summary}" if entry.summary else ""),
    )
    if entry.status is Status.ANSWERED:
        return Content.styled(f"{mark} {_facts(figures(entry.totals), width)}", MUTED)
    changed = f"{extent(entry.patch)} · " if entry.patch else ""
    facts = Content.styled(f"\n  {_facts(changed + figures(entry.totals), width)}", MUTED)
    facts = facts.highlight_regex(r"(?<=, )\+\d+", style="$text-success")
    facts = facts.highlight_regex(r"(?<=\d )-\d+", style="$text-error")
    return Content.assemble(told, facts)


def _facts(told: str, width: int) -> str:
    """What is told of a turn, in lines that end between two facts."""
    whole = told.replace(" ", "\xa0").replace("·\xa0", "· ")
    return "\n  ".join(textwrap.wrap(whole, max(_LEAST, width - 2))).replace("\xa0", " ")


def shell(entry: Shell) -> Content:
    """The user's command, its output's head and tail, how it ended."""
    mark, colour = (spinner(), "$text-accent") if not entry.ended else ("$", "$text-primary")
    told = duration(entry.seconds if entry.ended else time.monotonic() - entry.started)
    ending = told if entry.ended else f"{told}  Esc stops it"
    if entry.ended and entry.code is None:
        ending = f"stopped, {told}"
    elif entry.ended and entry.code:
        ending = f"exit {entry.code}, {told}"
    elif entry.ended and entry.seconds < _AT_ONCE:
        ending = ""
    bad = "$text-error" if entry.ended and entry.code != 0 else MUTED
    head = Content.assemble(
        Content.styled(f"{mark} ", colour),
        Content.styled(shown(clip_line(entry.command, 10 * _WIDE)), "bold"),
        Content.styled(f"  {ending}" if ending else "", bad),
    )
    most = OPENED if entry.open else entry.SHOWN
    lines = [
        clip_line(line, _WIDE * (10 if entry.open else 1)) for line in entry.printed.lines(most)
    ]
    return Content("\n").join([head, *(Content.styled(f"  {line}", MUTED) for line in lines)])
