"""Where things stand: the line, the panel of figures, the list of models."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from agent.mode import Mode
from tests.tui.control.conftest import Drive, Person
from tui.screens.models import ModelsScreen
from tui.widgets.figures import Figures
from tui.widgets.status_line import StatusLine, branch, thousands

DONE = """
[[step]]
text = "Done."
"""
SOLD = 'price_as = "claude-sonnet-5-5"\n'


def line(person: Person) -> str:
    return str(person.screen.query_one(StatusLine).render())


@pytest.mark.parametrize(
    ("width", "shown", "hidden"),
    [
        (120, ["ask", "scripted:script.toml", "trunk", "/32.8k", "$0.00"], []),
        (60, ["ask", "scripted:script.toml", "/32.8k"], ["trunk"]),
        (30, ["ask", "scripted:script.toml"], ["trunk", "/32.8k"]),
    ],
)
def test_the_line_drops_what_matters_least_first(
    drive: Drive, width: int, shown: list[str], hidden: list[str]
) -> None:
    async def behave(person: Person) -> None:
        await person.send("hello")
        await person.until(lambda: "answered" in person.told() or not person.screen.at_work)
        await person.rest()
        told = line(person)
        assert len(told) <= width
        assert not [text for text in shown if text not in told], told
        assert not [text for text in hidden if text in told], told

    drive(behave, SOLD + DONE, size=(width, 24))


def test_a_line_at_work_tells_the_context_at_80_columns(drive: Drive) -> None:
    slow = SOLD + '[[step]]\n[[step.call]]\ntool = "outline"\n[[step]]\ndelay = 60.0\n'

    async def behave(person: Person) -> None:
        await person.send("hello")
        await person.until(lambda: "/32.8k" in line(person))
        assert "thinking" in line(person)
        assert len(line(person)) <= 80
        await person.press("escape")
        await person.rest()

    drive(behave, slow)


def test_an_idle_line_draws_nothing(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("hello")
        await person.rest()
        await person.until(lambda: person.screen.query_one(StatusLine)._timer is None)

    drive(behave, DONE)


def test_a_branch_is_read_without_git(tmp_path: Path) -> None:
    assert branch(tmp_path) == ""
    (tmp_path / ".git").mkdir()
    assert branch(tmp_path) == ""
    (tmp_path / ".git" / "HEAD").write_bytes(b"ref: refs/heads/feature/\x1b[31mred\n")
    assert branch(tmp_path) == "feature/red"
    (tmp_path / ".git" / "HEAD").write_text("0123456789abcdef0123456789abcdef01234567\n")
    assert branch(tmp_path) == "0123456789"


def test_a_linked_worktree_has_its_own_branch(tmp_path: Path) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "HEAD").write_text("ref: refs/heads/other\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text(f"gitdir: {tmp_path / 'git'}\n")
    assert branch(tmp_path / "tree") == "other"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [(870, "870"), (12_345, "12.3k"), (200_000, "200k"), (1_000_000, "1M"), (32_000, "32k")],
)
def test_numbers_of_tokens_are_short(tokens: int, text: str) -> None:
    assert thousands(tokens) == text


def test_the_figures_show_both_ways(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITY_WATTS", "300")
    monkeypatch.setenv("PARITY_USD_PER_KWH", "0.40")

    async def behave(person: Person) -> None:
        figures = person.screen.query_one(Figures)
        assert not figures.display
        await person.send("hello")
        await person.rest()
        await person.press("f3")
        await person.until(lambda: figures.children)
        money = figures.query_one("#money", Static)
        await person.until(lambda: "The other way" in str(money.render()))
        await person.until(lambda: "$0.40 a kWh" in str(money.render()).replace("0.4 ", "0.40 "))
        told = str(money.render())
        assert "scripted:script.toml  $0.00" in told
        assert "300 W" in told
        assert "qwen2.5-coder" in told
        assert " Wh ($" in told or " Wh (under $" in told
        await person.press("f3")
        assert not figures.display

    drive(behave, SOLD + DONE, size=(120, 40))


def test_a_model_that_is_not_sold_is_compared_with_claude(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("hello")
        await person.rest()
        await person.press("f3")
        await person.until(lambda: person.screen.query("#money"))
        money = person.screen.query_one("#money", Static)
        await person.until(lambda: "claude-sonnet-5-5  $0.00" in str(money.render()))
        assert "scripted:script.toml  free" in str(money.render())

    drive(behave, DONE)


def rows(person: Person) -> list[str]:
    view = person.pilot.app.screen.query_one(OptionList)
    return [str(view.get_option_at_index(at).prompt) for at in range(view.option_count)]


def test_the_list_of_models_tells_what_fits_and_what_it_costs(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.press("f4")
        screen = person.pilot.app.screen
        assert isinstance(screen, ModelsScreen)
        await person.until(lambda: any("claude-haiku-4-5" in row for row in rows(person)))
        (small,) = [row for row in rows(person) if "smollm2-135m" in row]
        assert "0.1 GB" in small
        assert "fetch" in small
        (haiku,) = [row for row in rows(person) if "claude-haiku-4-5" in row]
        assert "$1 in" in haiku
        assert "$5 out" in haiku
        assert "200k" in haiku
        assert "no key" in haiku
        state = screen.query_one("#state", Static)
        await person.press(*"haiku-4")
        await person.until(lambda: len(rows(person)) == 2)
        await person.press("enter")
        await person.until(lambda: "needs a key" in str(state.render()))
        await person.press("escape")
        await person.press(*["backspace"] * 7, *"smollm")
        await person.until(lambda: len(rows(person)) == 2)
        await person.press("enter")
        await person.until(lambda: "Enter once more fetches 0.1 GB" in str(state.render()))
        await person.press("escape")
        assert person.pilot.app.screen is person.screen

    drive(behave, DONE, Mode.AUTO)


def test_a_key_for_claude_is_pasted_into_the_list(drive: Drive) -> None:
    key = "sk-ant-test-0123456789"

    async def behave(person: Person) -> None:
        await person.press("f4")
        await person.until(lambda: any("claude-haiku-4-5" in row for row in rows(person)))
        await person.press(*"haiku-4")
        await person.until(lambda: len(rows(person)) == 2)
        await person.press("enter")
        await person.pilot.pause()
        await person.press(*key)
        assert key not in person.pilot.app.export_screenshot()
        await person.press("enter")
        await person.until(lambda: person.pilot.app.screen is person.screen)
        await person.until(lambda: "claude-haiku-4-5" in line(person))

    drive(behave, DONE, Mode.AUTO)
    (kept,) = drive.root.parent.glob("keys/ANTHROPIC_API_KEY")
    assert kept.read_text() == f"{key}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
