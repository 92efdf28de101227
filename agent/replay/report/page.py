"""A report as one HTML file that fetches nothing.

Owns the page's values and its policy. Must not know what is counted where. Whatever comes from
outside is escaped by the template; the policy allows the one style and the one script that are
ours, by their digests, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.replay.environments.base import Grade
from agent.replay.report import tables, wording
from agent.replay.report.content import Content
from agent.replay.report.economics import break_even, course
from agent.replay.report.picture import draw
from agent.replay.results import Cause
from agent.replay.scores import Spending
from tools.text_filter import printable

_INPUTS = (
    ("sessions", "Sessions a day", "", "1"),
    ("days", "Days a month", "", "1"),
    ("usd_per_session", "API, one session", "$", "any"),
    ("minutes", "Card, one session", "minutes", "any"),
    ("watts", "Card at work", "W", "10"),
    ("usd_per_kwh", "Electricity", "$/kWh", "any"),
    ("card_usd", "Price of the card", "$", "any"),
)
_VERDICTS = ("resolved", "unresolved", "timed out", "infrastructure", "unfit")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a bar."""

    name: str
    value: float
    start: float
    width: float
    """Per cent of the whole."""
    style: int
    """Which colour."""


def render_html(content: Content) -> str:
    """The page."""
    # 40 ms; only needed for a page
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        finalize=_safe,
    )
    style = (folder / "page.css").read_text(encoding="utf-8")
    script = (folder / "page.js").read_text(encoding="utf-8")
    page = environment.get_template("page.html.j2").render(
        content=content,
        title=_title(content),
        headline=wording.headline(content),
        colours={model: index % 6 for index, model in enumerate(content.models)},
        picture=draw(content.levels, content.models, content.published),
        causes=list(Cause),
        shares=_causes,
        times=_times,
        failing=_failing,
        tables=tables,
        say=wording,
        inputs=_INPUTS,
        values=asdict(content.month),
        even=break_even(content.month),
        course=course(content.month),
        left_out=list(tables.left_out(content)),
        verdicts=_VERDICTS,
        style=style,
        script=script,
        policy=_policy(style, script),
    )
    return page.lstrip()


def _safe(value: object) -> object:
    """Text without what could hide or reorder it; it is escaped afterwards."""
    return printable(value) if type(value) is str else value


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _title(content: Content) -> str:
    return " against ".join(", ".join(level.sets) for level in content.levels) or "No tasks"


def _causes(counts: Mapping[Cause, int]) -> list[Share]:
    known = list(Cause)
    return _laid([(cause.value, number, known.index(cause)) for cause, number in counts.items()])


def _times(spending: Spending) -> list[Share]:
    """Where the seconds went; what is left of them is the harness's, grading and waiting."""
    named = (spending.model_seconds, spending.tool_seconds, spending.environment_seconds)
    rest = max(0.0, spending.seconds - sum(named))
    names = ("model", "tools", "environment", "grading and the rest")
    values = zip(names, (*named, rest), (5, 3, 7, 1), strict=True)
    return _laid([each for each in values if each[1] > 0])


def _laid(parts: Sequence[tuple[str, float, int]]) -> list[Share]:
    """Parts beside each other."""
    whole = sum(value for _, value, _ in parts) or 1.0
    shares: list[Share] = []
    start = 0.0
    for name, value, style in parts:
        width = round(100 * value / whole, 3)
        shares.append(Share(name, value, round(start, 3), width, style))
        start += width
    return shares


def _failing(grade: Grade) -> list[str]:
    tests = {**grade.fail_to_pass, **grade.pass_to_pass}
    return [name for name, passed in tests.items() if not passed]
