"""The page: closed to the network and to hostile text, readable for everybody."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from agent.replay.report.content import Content, gather
from agent.replay.report.economics import Month
from agent.replay.report.page import render_html
from agent.replay.results import Cause
from tests.agent.replay.attempts import attempt
from tests.agent.replay.replays import RECORD, listed, replayed

HOSTILE = (
    "</script></pre><script>alert(1)</script><img src=x onerror=alert(1)>&\x1b[31m\u202e{{ 7*7 }}"
)


class Page(HTMLParser):
    """Everything a test asks of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def content(tmp_path: Path, text: str = "plain", model: str = "a-model") -> Content:
    """Both levels, every verdict, and one text from outside in every place there is."""
    record = [
        *RECORD,
        {"event": "said", "message": {"role": "user", "text": text}},
        {"event": "notice", "text": text},
        {
            "event": "tool_finished",
            "origin": "model",
            "call": {"id": "1", "name": text, "arguments": {text: text}},
            "result": {"ok": False, "display": text, "output": text},
        },
    ]
    instances = [
        listed("f-1", "function"),
        listed("r-1", problem=text, gold=text, source=text, repo=text, difficulty=text),
        listed("r-2"),
        listed("r-3"),
    ]
    attempts = [
        attempt("f-1", model),
        attempt("r-1", model, cause=Cause.WRONG_FIX, patch=text, trouble=text, status=text),
        attempt("r-2", model, cause=Cause.INFRASTRUCTURE, trouble=text, grade=None),
        attempt("r-3", model, cause=Cause.TIMED_OUT),
        attempt("f-1", "other"),
        attempt("r-1", "other"),
    ]
    models = [model, "other"]
    unfit, skipped = {"r-3": text}, {text: text}
    return gather([replayed(tmp_path / "run", models, instances, attempts, unfit, skipped, record)])


def test_nothing_is_fetched_and_only_our_script_and_style_may_run(tmp_path: Path) -> None:
    text = render_html(content(tmp_path))
    page = Page(text)
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert name not in ("src", "srcset", "action", "style", "background", "data")
            assert not name.startswith("on")
            assert name != "href" or (value or "").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    text = render_html(content(tmp_path, HOSTILE, model=f"m{HOSTILE}"))
    page = Page(text)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert "{{ 7*7 }}" in text
    assert "&lt;/script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("</html>") == 1


def test_who_cannot_see_the_pictures_is_told_what_they_show(tmp_path: Path) -> None:
    page = Page(render_html(content(tmp_path)))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for picture in page.all("svg"):
        assert picture.get("aria-hidden") == "true" or picture.get("aria-labelledby")
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell.get("scope") for cell in page.all("th"))
    names = [attributes.get("id") for _, attributes in page.tags if attributes.get("id")]
    assert len(names) == len(set(names))
    for link in page.all("a"):
        assert (link["href"] or "")[1:] in names
    for attributes in page.all("section"):
        assert attributes["aria-labelledby"] in names


def test_what_does_not_count_is_kept_apart(tmp_path: Path) -> None:
    made = content(tmp_path)
    (repository,) = [level for level in made.levels if level.kind == "repository"]
    first = repository.scores[0]
    assert (first.rate.resolved, first.rate.instances) == (0.0, 1)
    assert (first.infrastructure, first.unfit) == (1, 1)
    verdicts = [told.verdict for entry in made.entries for told in entry.attempts]
    assert sorted(verdicts) == [
        "infrastructure",
        "resolved",
        "resolved",
        "resolved",
        "unfit",
        "unresolved",
    ]
    text = render_html(made)
    assert "Unfit instances: not counted" in text
    assert "Infrastructure: not counted" in text


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    full = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(full[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_lines_stand_out(tmp_path: Path, theme: int) -> None:
    text = render_html(content(tmp_path))
    light, dark = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
        for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)[:2]
    ]
    colours = light if theme == 0 else {**light, **dark}
    for name in (
        "ink",
        "soft",
        "good",
        "bad",
        "warn",
        "off",
        "link",
        "p",
        *map("m{}".format, range(6)),
    ):
        for ground in ("paper", "sheet"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name, ground in (("good", "add"), ("bad", "del"), ("ink", "faint"), ("soft", "faint")):
        assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for number in range(11):
        assert contrast(colours[f"s{number}"], colours["paper"]) >= 2.3, number


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def drawn(page: str) -> list[str]:
    """The picture of the break-even."""
    return re.findall(r'id="course-(?!title).*?(?=>)', page)


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
@pytest.mark.parametrize(
    "month", [Month(7, 21, 0.35, 4.5, 420, 0.41, 812), Month(1, 1, 0.001, 60, 900, 0.5, 400)]
)
def test_the_script_reckons_as_the_program_does(tmp_path: Path, month: Month) -> None:
    page = render_html(replace(content(tmp_path), month=month))
    figures = dict(re.findall(r'id="out-(\w+)"[^>]*>([^<]*)<', page))
    assert set(figures) == {"api", "card", "kwh", "months"}
    emptied = re.sub(r'(id="out-\w+"[^>]*>)[^<]*<', r"\1<", page)
    emptied = re.sub(r'(id="course-(?!title)[^>]*? (?:y2|cx|cy)=")[^"]*', r"\g<1>7", emptied)
    assert drawn(emptied) != drawn(page)
    (tmp_path / "page.html").write_text(emptied)
    done = subprocess.run(
        [
            CHROMIUM or "",
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            f"--user-data-dir={tmp_path / 'profile'}",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert dict(re.findall(r'id="out-(\w+)"[^>]*>([^<]*)<', done.stdout)) == figures
    numbers = [list(map(float, re.findall(r'="(-?[0-9.]+)', one))) for one in drawn(done.stdout)]
    expected = [list(map(float, re.findall(r'="(-?[0-9.]+)', one))) for one in drawn(page)]
    assert numbers == [pytest.approx(one, abs=0.11) for one in expected]
    assert re.search(r'id="shown">4 of 4<', done.stdout)


def test_no_attempts_at_all_make_a_page(tmp_path: Path) -> None:
    made = gather([replayed(tmp_path / "run", ["a"], [listed("one")], [])])
    assert "Nothing was attempted yet" in render_html(made)
    assert "No tasks" in render_html(gather([replayed(tmp_path / "empty", ["a"], [], [])]))
