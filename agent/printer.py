"""A run as lines of text: progress on stderr as it happens, the answer on stdout at its end.

Owns the look of the headless command. Must not know where events come from.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import Protocol, TextIO, assert_never

from agent import events
from agent.approval import Choice
from agent.costs import Cost
from agent.durations import duration
from agent.events import Event, Origin, Status, Totals, TurnFinished, to_json
from tools.text import shown
from tools.text_filter import clip_cells, clip_line, printable

DIM, BOLD, RED, GREEN, YELLOW, CYAN, RESET = (
    "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[0m",
)  # fmt: skip
_PACKED = re.compile(r"^GIT binary patch\n(?:literal \d+\n(?:[A-Za-z].+\n)+\n)+", re.MULTILINE)
"""The part of a patch that nobody can read."""
_SPOKEN = 100
"""Characters of an output's line that are told where each is read aloud."""


_TERMS = {
    Choice.SESSION: "allowed for this session",
    Choice.ALWAYS: "always allowed in this project",
}


class Printer(Protocol):
    """Shows events as they come."""

    def show(self, event: Event) -> None: ...


@dataclass(slots=True)
class JsonPrinter:
    """One event a line on stdout, pieces of answers included."""

    out: TextIO = field(default_factory=lambda: sys.stdout)

    def show(self, event: Event) -> None:
        # ASCII: a reader's encoding is not known, and bytes that are no UTF-8 are surrogates here.
        self.out.write(json.dumps(to_json(event)) + "\n")
        self.out.flush()


@dataclass(slots=True)
class TextPrinter:
    """Progress for people on `err`, the patch and the verdict on `out`."""

    out: TextIO
    err: TextIO
    colour: bool
    """Whether to dim and colour."""
    live: bool
    """Whether `err` is a terminal, so that a line may be rewritten."""
    pulse: float | None = None
    """Where no line may be rewritten: seconds between two lines of what a call prints while it
    runs; None: none are told."""
    _running: str = ""
    """The tool at work."""
    _since: float = 0.0
    """When it began, once it was allowed."""
    _told: float = 0.0
    """When its output was last told."""
    _column: int = 0
    """Where the cursor stands on `err`; 0 at the start of a line."""
    _transient: bool = False
    """Whether the line on `err` is to be overwritten."""
    _reasoning: bool = False
    """Whether the last piece of an answer was reasoning."""

    def show(self, event: Event) -> None:
        match event:
            case events.TurnStarted():
                head = f"{event.model}, {event.steering}, in {event.root}"
                self._line(self._style(shown(head), BOLD))
                if event.test_command:
                    tests = f"tests: {event.test_command} ({event.test_origin})"
                    self._line(self._style(shown(tests), DIM))
                if event.sandbox:
                    self._line(self._style(f"sandbox: {event.sandbox}", DIM))
            case events.StepStarted(number):
                self._line("")
                self._line(self._style(f"step {number}", BOLD + CYAN))
            case events.PromptReading(done, total):
                self._progress(f"reading {done} of {total} tokens")
            case events.Wrote(text, reasoning):
                self._stream(text, reasoning)
            case events.WroteCall(tool):
                self._progress(f"writing {printable(tool)} …")
            case events.Waiting(seconds):
                self._progress(f"asking again in {seconds:.0f} s")
            case events.StepFinished():
                self._line(self._style(_step(event), DIM))
            case events.ToolStarted(call):
                self._running = shown(call.name)
                self._since = self._told = time.monotonic()
                self._progress(f"{self._running} …")
            case events.ToolPrinted(_, text, line):
                self._printed(line or text)
            case events.ApprovalAsked():
                self._fresh_line()  # whoever is asked may be asked on this terminal
            case events.ApprovalAnswered():
                self._since = self._told = time.monotonic()  # the question took no work
                if event.choice in (Choice.SESSION, Choice.ALWAYS):
                    self._line(self._style(f"· {_TERMS[event.choice]}", DIM))
            case events.ToolFinished():
                self._tool(event)
            case events.Rewound(_, reason) | events.Notice(reason):
                self._line(self._style(f"· {shown(reason)}", YELLOW))
            case TurnFinished():
                self._finish(event)
            case events.Compacted():
                self._line(self._style(f"· {shown(_compacted(event))}", YELLOW))
            case events.Switched():
                self._line("")
                self._line(self._style(f"{shown(event.model)} goes on", BOLD))
                self._line(self._style(switch_cost(event), DIM))
            case events.Said():
                pass
            case _:
                assert_never(event)

    def _tool(self, event: events.ToolFinished) -> None:
        result = event.result
        mark = self._style("✓", GREEN) if event.good else self._style("✗", RED)
        who = "" if event.origin is Origin.MODEL else self._style(" (harness)", DIM)
        self._line(f"{mark} {shown(result.display)}{who}")

    def _printed(self, text: str) -> None:
        """The last line of what a call prints; few of them where they stay."""
        now = time.monotonic()
        last = shown(text.rstrip().rpartition("\n")[2].strip())
        told = f"{self._running} … {duration(now - self._since, whole=True)}"
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            self._progress(clip_cells(f"{told}  {last}" if last else told, width))
        elif self.pulse is not None and now - self._told >= self.pulse:
            self._told = now
            self._line(f"{told}: {clip_line(last, _SPOKEN)}" if last else told)

    def _finish(self, event: TurnFinished) -> None:
        self._line("")
        self.err.flush()
        if event.patch:
            self.out.write(self._patch(event.patch).rstrip("\n") + "\n\n")
        if event.answer and not (self.live and self.out.isatty()):  # there it was just read
            self.out.write(printable(event.answer).rstrip("\n") + "\n\n")
        good = event.status in (Status.VERIFIED, Status.PLANNED, Status.ANSWERED)
        colour = GREEN if good else RED
        status = self._style(event.status.value, BOLD + colour)
        self.out.write(f"{status}: {shown(event.summary)}\n")
        if event.patch:
            self.out.write(f"{extent(event.patch)}\n")
        self.out.write(f"{figures(event.totals)}\n")
        self.out.flush()

    def _patch(self, patch: str) -> str:
        patch = _PACKED.sub("GIT binary patch, not shown\n", patch)
        if not self.colour:
            return "\n".join(printable(line) for line in patch.split("\n"))
        colours = {"+": GREEN, "-": RED, "@": CYAN, "d": BOLD}
        return "\n".join(
            self._style(printable(line), colours.get(line[:1], "")) for line in patch.split("\n")
        )

    def _stream(self, text: str, reasoning: bool) -> None:
        self._clear()
        if self._column and reasoning is not self._reasoning:
            self.err.write("\n")
        self._reasoning = reasoning
        self.err.write(self._style(printable(text), DIM))
        self.err.flush()
        self._column = 0 if text.endswith("\n") else 1

    def _progress(self, text: str) -> None:
        if not self.live or (self._column and not self._transient):
            return
        self._clear()
        self.err.write(self._style(text, DIM))
        self.err.flush()
        self._transient, self._column = True, 1

    def _line(self, text: str) -> None:
        self._fresh_line()
        self.err.write(text + "\n")
        self.err.flush()

    def _fresh_line(self) -> None:
        self._clear()
        if self._column:
            self.err.write("\n")
        self.err.flush()
        self._column = 0

    def _clear(self) -> None:
        if self._transient:
            self.err.write("\r\x1b[K")
            self._transient, self._column = False, 0

    def _style(self, text: str, code: str) -> str:
        return f"{code}{text}{RESET}" if self.colour and code and text else text


def open_printer() -> TextPrinter:
    """A printer on this process's streams, with colours where they are wanted and seen."""
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    colour = live and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return TextPrinter(sys.stdout, sys.stderr, colour=colour, live=live)


def extent(patch: str) -> str:
    """How much a patch changes: `2 files changed, +5 -3`."""
    from unidiff.patch import PatchSet  # 15 ms; only needed at the end of a turn

    files = PatchSet(patch, metadata_only=True)
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    return f"{count} changed, +{files.added} -{files.removed}"


def figures(totals: Totals) -> str:
    """The line of figures at the end of a turn."""
    usage = totals.usage
    rate = usage.output / usage.output_seconds if usage.output_seconds else 0.0
    parts = [
        f"{totals.steps} steps" if totals.steps != 1 else "1 step",
        f"prompt {usage.evaluated} read / {usage.reused} reused",
        f"output {usage.output} tokens",
    ]
    if rate:
        parts.append(f"{rate:.1f} tok/s")
    return " · ".join([*parts, *costs(totals.cost), f"{totals.seconds:.1f} s"])


def costs(cost: Cost) -> list[str]:
    """What was paid: `$0.0123`, `1.2 Wh ($0.0004)`; nothing of what cost nothing."""
    parts = []
    if cost.api_usd is None:
        parts.append("price unknown")
    elif cost.api_usd:
        parts.append(dollars(cost.api_usd))
    if cost.watt_hours:
        price = f" ({dollars(cost.electricity_usd)})" if cost.electricity_usd else ""
        digits = 1 if cost.watt_hours >= 1 else 3
        parts.append(f"{cost.watt_hours:.{digits}f} Wh{price}")
    return parts


def dollars(amount: float) -> str:
    """An amount, to a hundredth of a cent."""
    return f"${amount:.4f}" if amount >= 0.0001 else "under $0.0001"


def _step(event: events.StepFinished) -> str:
    usage = event.usage
    rate = f" at {usage.output / usage.output_seconds:.1f} tok/s" if usage.output_seconds else ""
    bad = f" · {len(event.malformed)} malformed calls" if event.malformed else ""
    context = event.context
    parts = [
        f"prompt {usage.evaluated} read / {usage.reused} reused",
        f"output {usage.output}{rate}",
        *([f"context {context.used}/{context.window}"] if context.window else []),
        *costs(event.cost),
        f"{event.seconds:.1f} s",
    ]
    return " · ".join(parts) + bad


def switch_cost(event: events.Switched) -> str:
    """What a change of models costs: `it reads about 5200 tokens anew, about 7 s`."""
    parts = [f"it reads about {event.tokens} tokens anew"]
    if event.seconds is not None:
        parts.append(f"about {duration(event.seconds, whole=True)}")
    if event.dollars:
        parts.append(f"about {dollars(event.dollars)}")
    return ", ".join(parts)


def _compacted(event: events.Compacted) -> str:
    return (
        f"{event.reason}: the conversation is shortened from {event.messages_before} to "
        f"{event.messages_after} messages, about {event.tokens_before} to {event.tokens_after} "
        "tokens"
    )
