"""`agent report`: reads the folders of replays, prints the figures, writes the page.

Owns where a report goes. Must not know what it says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from agent import private
from agent.errors import ExitCode, InputError
from agent.replay.report.content import Content, gather
from agent.replay.report.economics import Month
from agent.replay.report.page import render_html
from agent.replay.report.plain import render_json, render_markdown, render_text
from agent.replay.store import Store
from tools.text import shown

PAGE = "report.html"


class Style(StrEnum):
    """What is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


_RENDERERS: dict[Style, Callable[[Content], str]] = {
    Style.TEXT: render_text,
    Style.MARKDOWN: render_markdown,
    Style.JSON: render_json,
}


def report(
    dirs: Sequence[Path],
    out: Path | None,
    style: Style = Style.TEXT,
    month: Month | None = None,
) -> ExitCode:
    """Print what replays came to, and write the page.

    Args:
        dirs: Folders that `agent replay` wrote; several make one report.
        out: Where the page goes; None: `report.html` in the first folder.
        month: What the user does in a month; what is not given is measured or usual.

    Raises:
        InputError: A folder holds no replay, or `out` cannot be written there.
    """
    if not dirs:
        raise InputError("Name a folder that `agent replay` wrote.")
    page = out or dirs[0] / PAGE
    if page.is_dir() or (out is not None and not out.absolute().parent.is_dir()):
        raise InputError(f"The page cannot be written to {page}: name a file in a folder there is.")
    content = gather([Store(folder).read() for folder in dict.fromkeys(dirs)], month)
    private.write(page, render_html(content).encode("utf-8", "backslashreplace"))
    sys.stdout.write(_RENDERERS[style](content))
    print(f"The page: {shown(str(page))}", file=sys.stderr)
    return ExitCode.VERIFIED
