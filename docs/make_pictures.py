"""Draws `docs/fix.svg`: a real run of `agent fix` on an example, as a terminal shows it.

Owns the recording through a pseudo-terminal and the drawing. Of what the agent prints it knows
only the line that begins a step.

Those of the screen are `screen_pictures.py`'s.

    .venv/bin/python docs/make_pictures.py [--example NAME] [--model NAME] [--whole] [--output FILE]

The temporary repository and the home folder are shown below `~`, long lines are broken at blanks,
and without --whole the steps before the last are left out, which a line of the picture says.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 96

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SIZE, ADVANCE, LEADING = 14.0, 8.43, 20.0
"""Height of a letter, width of a letter, distance of two lines; in pixels."""
MARGIN, BAR = 22.0, 40.0
"""Around the text, and the height of the title bar."""

BACKGROUND, BORDER, TITLE = "#12161f", "#2a3140", "#8a94a6"
TEXT, DIM = "#d7dde8", "#8d97a8"
COLOURS = {31: "#ff8b8b", 32: "#7fd88f", 33: "#e5c07b", 36: "#6cc7e0"}
"""The terminal's colours by their escape codes."""
BUTTONS = ("#ff5f57", "#febc2e", "#28c840")

_TOKEN = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|(\r)|(\n)|([^\x00-\x1f\x7f])")
_STEP = re.compile(r"step \d+")


@dataclass(frozen=True, slots=True)
class Style:
    colour: str = TEXT
    bold: bool = False

    def after(self, codes: str) -> Style:
        """The style once an SGR sequence was read."""
        style = self
        for code in (int(part or 0) for part in codes.split(";")):
            match code:
                case 0:
                    style = Style()
                case 1:
                    style = replace(style, bold=True)
                case 2:
                    style = replace(style, colour=DIM)
                case _:
                    style = replace(style, colour=COLOURS.get(code, style.colour))
        return style


Cell = tuple[str, Style]


@dataclass(slots=True)
class Screen:
    """The lines that a stream of bytes leaves on a terminal without end."""

    lines: list[list[Cell]] = field(default_factory=lambda: [[]])
    _style: Style = Style()
    _column: int = 0

    def feed(self, text: str) -> None:
        for codes, command, back, down, letter in _TOKEN.findall(text):
            if command == "m":
                self._style = self._style.after(codes)
            elif command == "K":
                del self.lines[-1][self._column :]
            elif back:
                self._column = 0
            elif down:
                self.lines.append([])
                self._column = 0
            elif letter:
                self.lines[-1][self._column : self._column + 1] = [(letter, self._style)]
                self._column += 1


def layout(lines: list[list[Cell]], *, whole: bool) -> list[list[Cell]]:
    """The lines as they are drawn: at most `COLUMNS` wide, no two of them empty in a row."""
    pieces: list[list[Cell]] = []
    for line in lines if whole else _last_step(lines):
        for piece in _wrap(line):
            if _text(piece) or (pieces and _text(pieces[-1])):
                pieces.append(piece)
    while pieces and not _text(pieces[-1]):
        pieces.pop()
    return pieces


def _last_step(lines: list[list[Cell]]) -> list[list[Cell]]:
    """The lines without the steps before the last one; the last notice among them stays."""
    begun = [row for row, line in enumerate(lines) if _STEP.fullmatch(_text(line))]
    if len(begun) < 2:
        return lines
    first, last = begun[0], begun[-1]
    notices = [line for line in lines[first:last] if _text(line).startswith("· ")]
    before = {2: "step 1 is", 3: "steps 1 and 2 are"}.get(
        len(begun), f"steps 1 to {len(begun) - 1} are"
    )
    note: list[Cell] = [(letter, Style(DIM)) for letter in f"⋯ {before} left out here"]
    return [*lines[:first], note, *notices[-1:], [], *lines[last:]]


def _text(line: list[Cell]) -> str:
    return "".join(letter for letter, _ in line).strip()


def _wrap(line: list[Cell]) -> list[list[Cell]]:
    pieces = []
    while len(line) > COLUMNS:
        blanks = [i for i in range(COLUMNS // 2, COLUMNS + 1) if line[i][0] == " "]
        at = blanks[-1] if blanks else COLUMNS
        pieces.append(line[:at])
        line = line[at + bool(blanks) :]
    return [*pieces, line]


def record(argv: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a program writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        written += piece
        sys.stderr.buffer.write(piece)
    os.close(ours)
    if code := process.wait():
        raise SystemExit(f"{argv[0]} ended with {code}; no picture was made.")
    return written.decode("utf-8", "replace")


def run_example(example: str, agent: Path, model: str | None) -> str:
    """The agent's run on a fresh copy of an example, the command typed before it included."""
    command = ["agent", "fix", "ISSUE.md", *(["--model", model] if model else [])]
    with tempfile.TemporaryDirectory() as scratch:
        repository = Path(scratch).resolve() / example
        shutil.copytree(
            ROOT / "examples" / example,
            repository,
            ignore=shutil.ignore_patterns("__pycache__", ".*cache"),
        )
        for git in (["init", "--quiet"], ["add", "--all"]):
            subprocess.run(["git", *git], cwd=repository, check=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "TERM": "xterm-256color",
            "PARITY_STATE": str(Path(scratch) / "state"),
        }
        shown = record([str(agent), *command[1:]], repository, environment)
        shown = shown.replace(str(repository), f"~/{example}").replace(str(Path.home()), "~")
    return f"\x1b[32m\x1b[1m~/{example}\x1b[0m $ \x1b[1m{' '.join(command)}\x1b[0m\n{shown}"


def draw(lines: list[list[Cell]], title: str) -> str:
    """The lines in a window, as SVG."""
    width = COLUMNS * ADVANCE + 2 * MARGIN
    height = BAR + len(lines) * LEADING + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(title)}">',
        f'<rect x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="10" '
        f'fill="{BACKGROUND}" stroke="{BORDER}"/>',
    ]
    parts += [
        f'<circle cx="{MARGIN + 20 * place:.0f}" cy="{BAR / 2:.0f}" r="6" fill="{colour}"/>'
        for place, colour in enumerate(BUTTONS)
    ]
    parts.append(
        f'<text x="{width / 2:.0f}" y="{BAR / 2 + 5:.0f}" text-anchor="middle" fill="{TITLE}" '
        f'font-family="system-ui, sans-serif" font-size="13">{escape(title)}</text>'
    )
    parts.append(f'<g font-family="{FONT}" font-size="{SIZE:g}" xml:space="preserve">')
    for row, line in enumerate(lines):
        parts += _runs(line, BAR + row * LEADING + SIZE)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _runs(line: list[Cell], baseline: float) -> Iterator[str]:
    """A line's letters of one style each, placed so that no font can shift the columns."""
    column = 0
    for style, cells in groupby(line, key=lambda cell: cell[1]):
        text = "".join(letter for letter, _ in cells)
        words = text.strip(" ")
        if words:
            x = MARGIN + (column + len(text) - len(text.lstrip(" "))) * ADVANCE
            weight = ' font-weight="600"' if style.bold else ""
            yield (
                f'<text x="{x:.2f}" y="{baseline:.0f}" fill="{style.colour}"{weight} '
                f'textLength="{len(words) * ADVANCE:.2f}" lengthAdjust="spacingAndGlyphs">'
                f"{escape(words)}</text>"
            )
        column += len(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--example", default="wrong_formula")
    parser.add_argument("--model", help="as `agent fix --model`; default: the machine's default")
    parser.add_argument("--agent", type=Path, default=Path(sys.executable).with_name("agent"))
    parser.add_argument("--whole", action="store_true", help="all steps, not only the last")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "fix.svg")
    chosen = parser.parse_args()
    screen = Screen()
    screen.feed(run_example(chosen.example, chosen.agent, chosen.model))
    lines = layout(screen.lines, whole=chosen.whole)
    picture = draw(lines, f"agent fix: {chosen.example}")
    chosen.output.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
