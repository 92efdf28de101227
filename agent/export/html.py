"""A session as one HTML file that fetches nothing and runs nothing.

Owns what of a session stands in it; `session.html` owns its look. Must not know where it goes.
All text is escaped, by the template or as Markdown without HTML, links and pictures; what could
hide or reorder it is made visible before.
"""

from __future__ import annotations

import json
from pathlib import Path

from agent.export.trajectory import Trajectory, clock
from agent.messages import ToolCall
from agent.printer import figures
from tools.text_filter import clip, printable

LONGEST = 20_000
"""Characters of one result; more is left out of its middle."""


def to_html(trajectory: Trajectory) -> str:
    """The whole file."""
    # 60 ms, all three; only needed for HTML
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.disable(["html_block", "html_inline", "image", "link", "autolink", "reference"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "seen": printable,
        "markdown": lambda text: Markup(markdown.render(printable(text))),
        "clip": lambda text: clip(text, LONGEST),
        "clock": lambda seconds: clock(seconds)[:19].replace("T", " "),
        "arguments": _arguments,
        "figures": figures,
        "kind": lambda item: type(item).__name__,
        "sort_of_line": _sort_of_line,
    }
    template = environment.get_template("session.html")
    return template.render(trajectory=trajectory, info=trajectory.info) + "\n"


def _arguments(call: ToolCall) -> str:
    """A call's arguments as lines: texts of several lines as they are."""
    parts = []
    for name, value in call.arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts.append(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
    return "\n".join(parts)


def _sort_of_line(line: str) -> str:
    """The class of a line of a patch."""
    if line.startswith(("diff ", "--- ", "+++ ")):
        return "file"
    return {"+": "new", "-": "old", "@": "hunk"}.get(line[:1], "same")
