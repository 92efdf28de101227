"""Text from outside made safe to show: escapes, control characters, marks that hide or reorder.

`printable` is for what is read, `visible` for what is judged: there nothing is left out, and
nothing looks like something else. Owns what may reach a terminal or a model. Must not know where
a text came from.
"""

from __future__ import annotations

import re
from unicodedata import east_asian_width

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, clipboard, links
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"  # two characters: charsets, keypad, reset
)
# A sequence that never ends hides nothing: only its ESC is replaced, the text after it stays.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad"
    "\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Letters and marks that show nothing, though Unicode counts them as printable."""
_PADDING = re.compile(" {24,}")
"""More spaces than a person would write: what follows them may be out of sight."""


def printable(text: str) -> str:
    """The text as a reader may safely see it; newlines and tabs stay.

    Terminal sequences go; other control characters, bidirectional marks, invisible characters
    and lone surrogates become visible as `\\x07` or `\\u202e`. Of a line that was overwritten
    after a carriage return (a progress bar) the last state is kept.
    """
    text = _SEQUENCE.sub("", text.replace("\r\n", "\n"))
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _UNSEEN.sub(_escape, text)


def visible(text: str, keep: str = "") -> str:
    """The text with everything that is not plainly seen as an escape, and nothing left out.

    Control characters, line ends, terminal sequences, invisible and reordering characters and
    spaces other than the plain one become `\\n`, `\\x1b`, `\\u202e`; a long run of spaces its
    count, as `[80 spaces]`.

    Args:
        keep: Characters to leave alone, such as a tab in code.
    """
    seen = "".join(
        char if char in keep or (char.isprintable() and not _BLANK.match(char)) else _named(char)
        for char in text
    )
    return _PADDING.sub(lambda run: f"[{len(run.group())} spaces]", seen)


def clip(text: str, limit: int, head: float = 0.5) -> str:
    """At most `limit` characters: the beginning and the end, with a notice between.

    Args:
        head: The share of what is kept that comes from the beginning; 0 keeps the end alone.
    """
    if len(text) <= limit:
        return text
    notice = f"\n[... {len(text) - limit:,} characters left out ...]\n"
    room = limit - len(notice)
    if room < 2:
        return text[:limit]
    first = int(room * head)
    return text[:first] + notice + text[len(text) - (room - first) :]


def clip_line(line: str, limit: int) -> str:
    """At most `limit` characters of one line, more of its beginning than of its end."""
    if len(line) <= limit:
        return line
    room = max(0, limit - 5)
    first = room * 2 // 3
    return (line[:first] + " ... " + line[len(line) - (room - first) :])[:limit]


def clip_cells(line: str, cells: int) -> str:
    """The beginning of a line that takes no more than so many cells of a terminal."""
    left = cells
    for index, char in enumerate(line):
        left -= 2 if east_asian_width(char) in "WF" else 1
        if left < 0:
            return line[:index]
    return line


def _named(char: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char) or _escaped(char)


def _escape(match: re.Match[str]) -> str:
    return _escaped(match.group())


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
