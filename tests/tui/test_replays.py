"""Replays on the screen: begun, followed, stopped, gone on with; their instances from near."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Input, Log

from agent import events
from agent.events import Origin
from agent.messages import ToolCall
from agent.replay.following import State
from agent.replay.instance import FunctionTask, Instance
from agent.replay.jobs import Job, Where
from agent.replay.results import Cause
from agent.replay.schedule import Schedule
from agent.replay.standing import Noting, alone, is_at_work
from agent.replay.store import Store
from agent.replay.table import PlainLines
from tests.agent.replay.attempts import attempt
from tests.agent.replay.replays import RECORD, listed, replayed
from tests.e2e.command import wait_for
from tests.e2e.test_replay import results, write_tasks
from tests.tui.launching import Place, seen, until
from tools.base import ToolResult
from tui.screens.attempt import AttemptScreen
from tui.screens.play import Play
from tui.screens.replay import ReplayScreen
from tui.screens.replays import ReplaysScreen
from tui.screens.session import SessionScreen
from tui.widgets.panel import QUIET
from tui.widgets.prompt import Prompt
from tui.widgets.replay_rows import ReplayRows

HOSTILE = "\x1b[2J[red]x\u202e"
THINKS = '[[step]]\ntext = "Let me think."\n[[step]]\ntext = "Done."\ndelay = 600\n'
ANSWERS = '[[step]]\ntext = "Well."\n' * 4

Person = Callable[[Pilot[Any]], Awaitable[None]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place.made(tmp_path, monkeypatch)


def drive(place: Place, behave: Person, size: tuple[int, int] = (100, 30)) -> None:
    async def work() -> None:
        async with place.app().run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))
            await behave(pilot)

    asyncio.run(asyncio.wait_for(work(), 90))


async def say(pilot: Pilot[Any], line: str) -> None:
    prompt = pilot.app.screen.query_one(Prompt)
    prompt.focus()
    prompt.write(line)
    await pilot.press("enter")


async def patiently(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Wait for what processes do."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, seen(pilot)
        await pilot.pause(0.1)


async def begun(pilot: Pilot[Any], line: str) -> ReplayScreen:
    """A replay whose question was answered with yes."""
    await say(pilot, f"/replay {line}")
    await until(pilot, lambda: isinstance(pilot.app.screen, ReplayScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ReplayScreen)
    await answered(pilot, "Go on?")
    return screen


async def answered(pilot: Pilot[Any], question: str) -> None:
    await patiently(pilot, lambda: question in seen(pilot))
    await pilot.pause(2 * QUIET)
    await pilot.press("y")


def states(pilot: Pilot[Any]) -> list[State]:
    return [row.state for row in pilot.app.screen.query_one(ReplayRows).rows]


def test_a_replay_is_begun_followed_and_read(place: Place) -> None:
    write_tasks(place.home / "tasks.jsonl", 2)

    async def work(pilot: Pilot[Any]) -> None:
        screen = await begun(pilot, "tasks.jsonl --model gold --model empty -o run")
        await patiently(pilot, lambda: "✓ ended" in seen(pilot))
        assert "4/4" in seen(pilot)
        assert "2 of 2 resolved · 100 %" in seen(pilot)
        assert "0 of 2 resolved · 0 %" in seen(pilot)
        await pilot.press("u")
        await until(pilot, lambda: states(pilot) == [State.UNRESOLVED] * 2)
        await pilot.press("escape", "slash", *"gold", "enter", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AttemptScreen))
        await until(pilot, lambda: "write solution.py" in seen(pilot))
        assert "Sums-1  gold" in seen(pilot)
        await pilot.press("2")
        await until(pilot, lambda: "return value + 1" in seen(pilot))
        await pilot.press("right")
        await until(pilot, lambda: "1 of 1 tests that should pass now pass" in seen(pilot))
        await pilot.press("4")
        await until(pilot, lambda: "Write the body of the function" in seen(pilot))
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, Play))
        await pilot.press("escape", "escape")
        assert pilot.app.screen is screen
        await pilot.press("escape", "escape")
        assert isinstance(pilot.app.screen, SessionScreen)

    drive(place, work)
    report = place.home / "run" / "gold" / "report.json"
    assert report.exists()  # as the command leaves it


def test_a_replay_at_work_is_watched_stopped_and_gone_on_with(place: Place) -> None:
    write_tasks(place.home / "tasks.jsonl", 2)
    (place.home / "slow.toml").write_text(THINKS)

    async def work(pilot: Pilot[Any]) -> None:
        line = "tasks.jsonl --model gold --model scripted:slow.toml -w 4 -o run --no-validate"
        await begun(pilot, line)
        done = [State.RESOLVED, State.RUNNING] * 2
        await patiently(pilot, lambda: states(pilot) == done)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Let me think." in seen(pilot))
        await pilot.press("2")
        await until(pilot, lambda: "The diff is here once it has ended." in seen(pilot))
        await pilot.press("escape", "escape")  # it goes on while nobody looks
        assert isinstance(pilot.app.screen, SessionScreen)
        await say(pilot, "/replay run")
        await until(pilot, lambda: "● at work" in seen(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "Stop this replay?" in seen(pilot))
        await pilot.pause(2 * QUIET)
        await pilot.press("n")
        await pilot.pause(0.5)
        assert is_at_work(place.home / "run")
        await pilot.press("x")
        await answered(pilot, "Stop this replay?")
        await patiently(pilot, lambda: "■ stopped" in seen(pilot))
        assert states(pilot) == [State.RESOLVED, State.WAITING] * 2
        (place.home / "slow.toml").write_text(ANSWERS)
        await pilot.press("g")
        await answered(pilot, "Go on?")
        await patiently(pilot, lambda: "✓ ended" in seen(pilot))
        assert states(pilot) == [State.RESOLVED, State.UNRESOLVED] * 2

    drive(place, work)


def test_a_run_that_is_killed_goes_on(place: Place) -> None:
    write_tasks(place.home / "tasks.jsonl", 2)
    (place.home / "slow.toml").write_text(THINKS)

    async def work(pilot: Pilot[Any]) -> None:
        line = "tasks.jsonl --model gold --model scripted:slow.toml -w 4 -o run --no-validate"
        await begun(pilot, line)
        await patiently(pilot, lambda: states(pilot) == [State.RESOLVED, State.RUNNING] * 2)
        before = {at: row["started"] for at, row in results(place.home / "run").items()}
        run = pilot.app.replays.of(place.home / "run")  # type: ignore[attr-defined]
        os.kill(run._process.pid, signal.SIGKILL)
        await patiently(pilot, lambda: "■ stopped" in seen(pilot))
        (place.home / "slow.toml").write_text(ANSWERS)
        await pilot.press("g")
        await answered(pilot, "Go on?")
        await patiently(pilot, lambda: "✓ ended" in seen(pilot))
        after = results(place.home / "run")
        assert len(after) == 4
        assert all(after[at]["started"] == started for at, started in before.items())

    drive(place, work)


def test_a_run_stops_with_the_screen(place: Place) -> None:
    write_tasks(place.home / "tasks.jsonl", 1)
    (place.home / "slow.toml").write_text(THINKS)
    commands: list[str] = []

    async def work(pilot: Pilot[Any]) -> None:
        await begun(pilot, "tasks.jsonl --model scripted:slow.toml -o run --no-validate")
        await patiently(pilot, lambda: states(pilot) == [State.RUNNING])
        replays = pilot.app.replays  # type: ignore[attr-defined]
        pilot.app.exit()
        await pilot.pause()
        replays.close()
        commands.extend(replays.stopped())

    drive(place, work)
    wait_for(lambda: not is_at_work(place.home / "run"), 30)
    line = "agent replay tasks.jsonl --model scripted:slow.toml -o run --no-validate"
    assert commands == [line]
    assert not results(place.home / "run")


def test_what_is_no_stays_undone(place: Place) -> None:
    write_tasks(place.home / "tasks.jsonl", 1)

    async def work(pilot: Pilot[Any]) -> None:
        await say(pilot, "/replay tasks.jsonl --model gold -o run")
        await patiently(pilot, lambda: "Go on?" in seen(pilot))
        assert "agent replay tasks.jsonl --model gold -o run" in seen(pilot)
        await pilot.pause(2 * QUIET)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))

    drive(place, work)
    assert not (place.home / "run").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("tasks.jsonl", "There is no replay in tasks.jsonl"),
        ("tasks.jsonl -o run", "Missing option '--model'"),
        ("tasks.jsonl --model gold -o run -w none", "Invalid value for '--workers'"),
        ("tasks.jsonl --model 'gold", "no closing quotation"),
    ],
)
def test_a_line_that_cannot_be_used_is_told(place: Place, line: str, told: str) -> None:
    async def work(pilot: Pilot[Any]) -> None:
        await say(pilot, f"/replay {line}")
        await until(pilot, lambda: told in " ".join(seen(pilot).split()))
        assert isinstance(pilot.app.screen, SessionScreen)

    drive(place, work, (140, 30))


def test_what_the_command_complains_of_is_told(place: Place) -> None:
    async def work(pilot: Pilot[Any]) -> None:
        await say(pilot, "/replay nowhere.jsonl --model gold -o run")
        await patiently(pilot, lambda: "nowhere.jsonl" in seen(pilot).splitlines()[-2])
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, SessionScreen)

    drive(place, work, (140, 30))


def test_replays_at_hand_are_listed(place: Place) -> None:
    replayed(place.home / "theirs", ["gold"], [listed("one"), listed("two")], [attempt("one")])

    async def work(pilot: Pilot[Any]) -> None:
        await say(pilot, "/replay")
        await until(pilot, lambda: "stopped · 1 of 2" in seen(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "1 of 1 resolved" in seen(pilot))
        await pilot.press("g")  # how it was begun is not known here
        await until(pilot, lambda: "not begun here" in seen(pilot))
        await pilot.press("escape")
        await say(pilot, "/replay '--help'")
        await until(pilot, lambda: "Replay TASKS on models" in seen(pilot))
        field = pilot.app.screen.query_one("#new", Input)
        field.focus()
        await pilot.press(*"theirs", "enter")
        await until(pilot, lambda: "1 of 1 resolved" in seen(pilot))
        await pilot.press("escape")
        await say(pilot, "/replay")
        await until(pilot, lambda: isinstance(pilot.app.screen, ReplaysScreen))
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, SessionScreen)

    drive(place, work)


@pytest.mark.parametrize("size", [(60, 14), (80, 24), (160, 48)])
def test_what_is_hostile_is_shown_as_text(place: Place, size: tuple[int, int]) -> None:
    patch = f"--- a/a.py\n+++ b/a.py\n@@ -1,1 +1,1 @@\n-a = 1\n+a = '{HOSTILE}'\n"
    failed = attempt(
        f"one{HOSTILE}",
        f"mo{HOSTILE}",
        cause=Cause.INFRASTRUCTURE,
        trouble=f"lost{HOSTILE}",
        patch=patch,
    )
    folder = place.home / "run"
    record = [*RECORD, {"event": "said", "message": {"role": "user", "text": HOSTILE}}]
    item = listed(f"one{HOSTILE}", problem=f"Mend{HOSTILE}", source=HOSTILE, gold=patch)
    replay = replayed(folder, [f"mo{HOSTILE}"], [item], [failed], record=record)
    (replay.place(failed) / "test_output.txt").write_text(f"output{HOSTILE}\n" * 3)

    async def work(pilot: Pilot[Any]) -> None:
        def unharmed() -> bool:
            return not {"\x1b", "\u202e"} & set(seen(pilot))

        await say(pilot, "/replay run")
        await until(pilot, lambda: "0 of 0 resolved · 1 not counted" in seen(pilot))
        assert unharmed()
        assert "red" in seen(pilot)  # is no markup
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AttemptScreen))
        await until(pilot, lambda: "trajectory" in seen(pilot))
        for key, text in (("2", "[red]"), ("3", "output"), ("4", "Mend")):
            await pilot.press(key)
            await until(pilot, lambda text=text: text in seen(pilot))  # type: ignore[misc]
            assert unharmed()
        screen = pilot.app.screen
        assert screen.query_one("#tests", Log).line_count > 3
        assert screen.query_one("#diff", VerticalScroll).children

    drive(place, work, size)


def test_an_attempt_at_work_is_seen_as_such_until_its_run_is_gone(place: Place) -> None:
    folder, model = place.home / "run", "scripted"
    replayed(folder, [model], [listed("one")], [])
    store = Store(folder)
    record = store.draft(model, "one", 1) / "state" / "sessions" / "s" / "record.jsonl"
    record.parent.mkdir(parents=True)
    calls = [ToolCall(f"c{number}", "run", {"argv": ["make", f"it{number}"]}) for number in (1, 2)]
    done = ToolResult("exit code 0", "run make it1")

    def told(*said: events.Event) -> None:
        with record.open("a") as file:
            file.writelines(json.dumps(events.to_json(event)) + "\n" for event in said)

    told(
        events.TurnStarted("Mend it.", model, "free", "/", "", ""),
        events.ToolStarted(calls[0], Origin.MODEL),
    )
    task = Instance("one", "", FunctionTask("a.py", "", "", ""))
    schedule = Schedule(store, [Job(task, folder, Where(), model)])
    noting = Noting(PlainLines(schedule, io.StringIO()), schedule, folder)

    async def work(pilot: Pilot[Any]) -> None:
        with alone(folder):
            job = schedule.take()
            assert job is not None
            noting.began(job)
            noting.tick()
            await say(pilot, "/replay run")
            await until(pilot, lambda: states(pilot) == [State.RUNNING])
            await pilot.press("enter")
            await until(pilot, lambda: "run make it1" in seen(pilot))
            await pilot.pause(1)  # several looks, at which nothing is new
            assert "cut off" not in seen(pilot)
            assert "interrupted" not in seen(pilot)
            told(
                events.ToolFinished(calls[0], Origin.MODEL, done, 0.1),
                events.ToolStarted(calls[1], Origin.MODEL),
            )
            await until(pilot, lambda: "run make it2" in seen(pilot))
            assert seen(pilot).count("✓ run make it1") == 1
            assert seen(pilot).count("run make it1") == 1
        await until(pilot, lambda: "was cut off here" in seen(pilot))
        assert "■ run make it2  interrupted" in seen(pilot)

    drive(place, work)


def test_damaged_and_missing_files_are_lived_with(place: Place) -> None:
    folder = place.home / "run"
    replay = replayed(
        folder, ["gold"], [listed("one"), listed("two")], [attempt("one"), attempt("two")]
    )
    (replay.place(replay.attempts[0]) / "result.json").write_text("{")

    async def work(pilot: Pilot[Any]) -> None:
        await say(pilot, "/replay run")
        await until(pilot, lambda: states(pilot) == [State.WAITING, State.RESOLVED])
        await pilot.press("down", "enter")
        await until(pilot, lambda: "There is no trajectory." in seen(pilot))
        await pilot.press("p")
        await until(pilot, lambda: "nothing to play" in seen(pilot))
        await pilot.press("escape")
        (folder / "run.json").write_text("{")
        await until(pilot, lambda: "cannot be read" in " ".join(seen(pilot).split()))

    drive(place, work)
