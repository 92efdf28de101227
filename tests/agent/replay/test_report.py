"""What a report says, and in which forms."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.costs import Cost
from agent.errors import InputError
from agent.replay.report.content import gather
from agent.replay.report.economics import Month, break_even, course
from agent.replay.report.picture import draw
from agent.replay.report.plain import render_json, render_markdown, render_text
from agent.replay.report.published import published
from agent.replay.report.trajectory import Teller, read_trajectory
from agent.replay.report.writing import Style, report
from agent.replay.results import Cause
from agent.replay.store import Replay
from tests.agent.replay.attempts import attempt
from tests.agent.replay.replays import RECORD, listed, replayed

HOSTILE = "a|b`c`\n# d <b> \x1b]0;x\x07\u202e"


def both(tmp_path: Path) -> list[Replay]:
    """Functions in one folder, repositories in another, the same two models."""
    functions = [listed(f"f-{n}", "function") for n in range(4)]
    repositories = [listed(f"r-{n}", difficulty="hard" if n else "easy") for n in range(4)]
    made = [attempt(one.id, model) for model in ("weak", "strong") for one in functions]
    tried = [
        attempt(
            f"r-{n}", model, cause=Cause.NONE if model == "strong" or n == 0 else Cause.WRONG_FIX
        )
        for model in ("weak", "strong")
        for n in range(4)
    ]
    models = ["weak", "strong"]
    return [
        replayed(tmp_path / "functions", models, functions, made),
        replayed(tmp_path / "repositories", models, repositories, tried, record=RECORD),
    ]


def test_the_gap_is_taken_over_several_folders(tmp_path: Path) -> None:
    content = gather(both(tmp_path))
    assert [(gap.model, gap.points) for gap in content.gaps] == [("weak", 75.0), ("strong", 0.0)]
    assert [level.kind for level in content.levels] == ["function", "repository"]
    (pair,) = content.levels[1].comparisons
    assert (pair.both, pair.only_one, pair.only_other, pair.neither) == (1, 0, 3, 0)
    groups = {(g.capability, g.label): g.rate.resolved for g in content.levels[1].groups["weak"]}
    assert groups["difficulty", "easy"] == 1.0
    assert groups["difficulty", "hard"] == 0.0


def test_the_same_attempt_in_two_folders_counts_twice(tmp_path: Path) -> None:
    instances = [listed("r-1")]
    one = replayed(tmp_path / "one", ["m"], instances, [attempt("r-1", "m")])
    two = [attempt("r-1", "m", cause=Cause.WRONG_FIX)]
    content = gather([one, replayed(tmp_path / "two", ["m"], instances, two)])
    (score,) = content.levels[0].scores
    assert score.rate.value == 0.5
    assert score.at == {1: 0.5, 2: 1.0}
    assert len(content.entries[0].attempts) == 2


def test_an_instance_that_another_environment_can_judge_counts_there(tmp_path: Path) -> None:
    instances = [listed("r-1")]
    unable = {"r-1": "no Python 3.9"}
    wrong = [attempt("r-1", "m", cause=Cause.WRONG_FIX)]
    here = replayed(tmp_path / "here", ["m"], instances, wrong, unable)
    there = replayed(tmp_path / "there", ["m"], instances, [attempt("r-1", "m")])
    content = gather([here, there])
    assert content.levels[0].scores[0].rate.value == 1.0
    assert content.unfit == ()


def test_a_file_is_called_by_its_name(tmp_path: Path) -> None:
    models = ["/w/small.gguf", "/a/twin.gguf", "/b/twin.gguf", "http://localhost/v1/x"]
    attempts = [attempt("r-1", model) for model in models]
    content = gather([replayed(tmp_path / "run", models, [listed("r-1")], attempts)])
    assert content.models == ("small", *models[1:])
    assert [told.attempt.model for told in content.entries[0].attempts] == list(content.models)
    assert [score.rate.instances for score in content.levels[0].scores] == [1] * 4
    assert content.runs[0][1].models == tuple(models)


def test_a_session_of_the_users_month_costs_what_was_measured(tmp_path: Path) -> None:
    attempts = [
        attempt("r-1", "api", cost=Cost(0.5)),
        attempt("r-2", "api", cost=Cost(0.7)),
        attempt("r-1", "own", cost=Cost(0.0, 9.0, None, ("cards",)), model_seconds=90.0),
    ]
    run = replayed(tmp_path / "run", ["api", "own"], [listed("r-1"), listed("r-2")], attempts)
    month = gather([run], Month(sessions=3)).month
    assert (month.sessions, month.usd_per_session, month.minutes) == (3, 0.6, 1.5)
    month = gather([run], Month(usd_per_session=2, minutes=9)).month
    assert (month.usd_per_session, month.minutes) == (2, 9)


def test_attempts_that_share_a_card_share_its_energy(tmp_path: Path) -> None:
    together: dict[str, Any] = {
        "worked": ((10.0, 40.0), (50.0, 80.0)),
        "model_seconds": 60.0,
        "cost": Cost(0.0, 9.0, 0.09, ("cards",)),
    }
    attempts = [attempt(f"r-{n}", "own", **together) for n in range(3)]
    run = replayed(tmp_path / "run", ["own"], [listed(f"r-{n}") for n in range(3)], attempts)
    content = gather([run])
    (score,) = content.levels[0].scores
    assert score.spending.cost.watt_hours == pytest.approx(9.0)
    assert score.spending.dollars == pytest.approx(0.09)
    assert content.month.minutes == pytest.approx(0.33)
    assert "9 Wh" in render_text(content)


def test_break_even() -> None:
    # 400 sessions: $200 on the API; 40 h at 0.35 kW are 14 kWh, $4.20.
    result = break_even(Month(20, 20, 0.5, 6, 350, 0.3, 979))
    assert result.kwh == pytest.approx(14)
    assert result.electricity_usd == pytest.approx(4.2)
    assert result.months == pytest.approx(979 / 195.8)
    assert break_even(Month(usd_per_session=0.001)).months is None
    assert break_even(Month(sessions=0)).months is None


def test_the_courses_meet_where_the_card_is_paid_for() -> None:
    month = Month(20, 20, 0.5, 6, 350, 0.3, 979)
    drawn = course(month)
    assert drawn.horizon == 10
    assert drawn.even is not None
    assert drawn.even == pytest.approx((300, 90), abs=1)
    assert drawn.api == 0.0
    assert drawn.card[0] > drawn.card[1] > 0.0
    assert course(Month(sessions=0)).even is None
    assert course(Month(sessions=0, card_usd=0)).top == 1.0


def test_labels_do_not_cover_each_other_and_keep_their_order(tmp_path: Path) -> None:
    content = gather(both(tmp_path))
    picture = draw(content.levels, content.models, published())
    for anchor in ("end", "start"):
        labels = [label for label in picture.labels if label.anchor == anchor]
        assert len(labels) > 3
        places = [label.y for label in labels]
        assert all(b - a >= 16.9 for a, b in pairwise(places))
        assert [label.to for label in labels] == sorted(label.to for label in labels)
        assert places[0] > 0
        assert places[-1] < 560
    (weak, strong) = [slope for slope in picture.slopes if slope.style != "p"]
    assert weak.y2 > weak.y1
    assert strong.y2 == strong.y1


def test_published_scores_have_a_source_and_a_date() -> None:
    for one in published():
        assert 0 < one.low <= one.high <= 100
        assert one.source
        assert one.date
        assert one.level in ("function", "repository")


def test_text_is_safe_and_says_what_counts(tmp_path: Path) -> None:
    run = replayed(
        tmp_path / "run",
        [HOSTILE],
        [listed("r-1"), listed("r-2")],
        [attempt("r-1", HOSTILE), attempt("r-2", HOSTILE, cause=Cause.INFRASTRUCTURE)],
        skipped={HOSTILE: HOSTILE},
    )
    text = render_text(gather([run]))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "1 of 1" in text
    assert "1 infrastructure" in text
    assert "Card or API: the break-even" in text
    assert "break-even after" in text
    markdown = render_markdown(gather([run]))
    assert "\n# d" not in markdown
    assert "<b>" not in markdown.replace("\\<b\\>", "")
    tables = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (3, 4, 6, 7, 8, 9, 10) for row in tables)


def test_json_has_every_attempt(tmp_path: Path) -> None:
    value = json.loads(render_json(gather(both(tmp_path))))
    assert len(value["attempts"]) == 16
    assert value["levels"][1]["scores"][0]["rate"]["resolved"] == 1.0
    assert value["gaps"][0]["points"] == 75.0
    assert value["break_even"]["months"] > 0


def test_a_record_is_told_in_order(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    lines = [json.dumps(line) for line in RECORD]
    file.write_text("\n".join([*lines, '{"event": "said"}', "[]", '{"event": "not', ""]))
    beats = read_trajectory(file, 10_000)
    assert [beat.teller for beat in beats] == [
        Teller.TASK,
        Teller.THOUGHT,
        Teller.ANSWER,
        Teller.CALL,
        Teller.RESULT,
        Teller.CALL,
        Teller.FAILURE,
        Teller.NOTE,
        Teller.NOTE,
    ]
    assert beats[3].title == "read_file(path='a.py')"
    assert beats[5].title == "harness: run_tests()"
    assert read_trajectory(tmp_path / "none", 10_000) == ()


def test_a_long_record_is_told_from_both_ends(tmp_path: Path) -> None:
    said = [{"event": "notice", "text": f"{number} " + "x" * 90} for number in range(100)]
    file = tmp_path / "record.jsonl"
    file.write_text("\n".join(map(json.dumps, said)))
    beats = read_trajectory(file, 1_000)
    assert beats[0].title.startswith("0 ")
    assert beats[-1].title.startswith("99 ")
    (gap,) = [beat for beat in beats if "left out" in beat.title]
    assert gap.title.startswith(f"{100 - len(beats) + 1} more")


def test_the_command_prints_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [replay.folder for replay in both(tmp_path)]
    report(folders, None)
    assert "95 % interval" in capsys.readouterr().out
    assert (folders[0] / "report.html").read_text().startswith("<!doctype html>")
    report(folders, tmp_path / "other.html", Style.JSON)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["version"] == 1
    assert printed.err == f"The page: {tmp_path / 'other.html'}\n"
    report([*folders, folders[0]], None, Style.MARKDOWN)
    assert "| weak | 1 of 4 |" in capsys.readouterr().out


def test_what_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no replay in"):
        report([tmp_path], None)
    with pytest.raises(InputError, match=r"There is no replay in .*none"):
        report([tmp_path / "none"], None)
    folder = both(tmp_path)[0].folder
    with pytest.raises(InputError, match="cannot be written"):
        report([folder], tmp_path / "no" / "page.html")
    with pytest.raises(InputError, match="Name a folder"):
        report([], None)
