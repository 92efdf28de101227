"""Prompt templates, as files beside this module: `string.Template` text in Markdown.

Owns how a template is found and filled. Must not know what it is for.
"""

from __future__ import annotations

from pathlib import Path
from string import Template


def fill(name: str, **values: str) -> str:
    """The template `name`.md with its `$placeholders` filled; a missing one raises KeyError."""
    text = Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8")
    return Template(text).substitute(values).strip()
