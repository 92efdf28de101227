"""Sessions for others to read: people, and programs that know another format.

Owns which formats there are. Must not know what is done with the text.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import assert_never

from agent.session import SessionInfo


class Format(StrEnum):
    """What a session can be written as."""

    MARKDOWN = "markdown"
    HTML = "html"
    """One file, which fetches nothing and runs nothing."""
    JSON = "json"
    """All that was recorded."""
    ATIF = "atif"
    """Agent Trajectory Interchange Format, version 1.7."""
    SWE_AGENT = "swe-agent"
    """A `.traj` file of SWE-agent."""
    MINI_SWE_AGENT = "mini-swe-agent"
    """A `.traj.json` file of mini-swe-agent, version 1.1."""

    @property
    def suffix(self) -> str:
        """How the name of such a file ends."""
        match self:
            case Format.MARKDOWN:
                return ".md"
            case Format.HTML:
                return ".html"
            case Format.JSON | Format.ATIF:
                return ".json"
            case Format.SWE_AGENT:
                return ".traj"
            case Format.MINI_SWE_AGENT:
                return ".traj.json"


def export(source: SessionInfo | Path, kind: Format, instance: str = "") -> str:
    """A session as text that can be written as UTF-8.

    What was redacted in the record is so here; nothing else is left out.

    Args:
        source: A session, or its `record.jsonl`.
        instance: The id of the benchmark task that it was an attempt at, for formats that tell it.

    Raises:
        InputError: The record cannot be read.
    """
    # Each format is imported when it is wanted: HTML takes 30 ms.
    from agent.export.trajectory import read

    trajectory = read(source)
    match kind:
        case Format.MARKDOWN:
            from agent.export.markdown import to_markdown

            return to_markdown(trajectory)
        case Format.HTML:
            from agent.export.html import to_html

            return to_html(trajectory)
        case Format.JSON:
            from agent.export.plain import to_json

            return to_json(trajectory)
        case Format.ATIF:
            from agent.export.atif import to_atif

            return to_atif(trajectory)
        case Format.SWE_AGENT:
            from agent.export.swe_agent import to_swe_agent

            return to_swe_agent(trajectory, instance)
        case Format.MINI_SWE_AGENT:
            from agent.export.mini_swe_agent import to_mini_swe_agent

            return to_mini_swe_agent(trajectory, instance)
        case _:
            assert_never(kind)
