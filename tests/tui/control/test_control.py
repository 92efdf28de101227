"""Modes, plans, the change of models, interrupting: by keys."""

from __future__ import annotations

import time
from functools import partial

import pytest

from agent.mode import Mode
from agent.recorded import TurnInfo
from tests.tui.control.conftest import DONE, WRITE, Drive, Person
from tui.screens.models import ModelsScreen
from tui.screens.rewind import Choice, RewindScreen
from tui.widgets.offers import PlanOffer, SwitchOffer
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine
from tui.widgets.todo import TodoPanel
from tui.widgets.transcript import Transcript

SLOW = """
[[step]]
text = "Now I think for long."
delay = 60.0
"""
TODO = """
[[step]]
[[step.call]]
tool = "todo"
items = "[x] one\\n[>] two [red]\\u001b[2J\\n[ ] three"
"""


def _has_mode(person: Person, mode: Mode) -> bool:
    return person.conversation.gate.mode is mode


def line(person: Person) -> str:
    """What the status line says."""
    return str(person.screen.query_one(StatusLine).render())


def test_the_modes_follow_each_other(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        for mode in (Mode.EDIT, Mode.AUTO, Mode.PLAN, Mode.ASK):
            await person.press("shift+tab")
            await person.until(partial(_has_mode, person, mode))
            assert person.screen.has_class(f"-mode-{mode}")
        await person.until(lambda: "Ask mode" in line(person))

    drive(behave, DONE)


def test_the_conversation_scrolls_from_the_prompt_and_from_a_question(drive: Drive) -> None:
    long = '[[step]]\ntext = """' + "\n\n".join(f"part {n}" for n in range(40)) + '"""\n'

    async def behave(person: Person) -> None:
        conversation = person.screen.query_one(Transcript)
        await person.send("think")
        await person.rest()
        await person.until(lambda: conversation.max_scroll_y > 30)
        await person.press("pageup")
        await person.until(lambda: conversation.scroll_y < conversation.max_scroll_y)
        await person.press("pagedown")
        await person.until(lambda: conversation.following)
        await person.send("make it")
        await person.asked()
        await person.press("pageup")
        await person.until(lambda: conversation.scroll_y < conversation.max_scroll_y)
        await person.press("escape")
        await person.rest()

    drive(behave, long + WRITE + DONE)


def test_a_plan_ends_in_do_it(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("think")
        await person.asked(PlanOffer)
        await person.press("y")
        await person.until(lambda: "Carry out the plan." in person.told())
        await person.rest()
        assert person.screen.mode is Mode.EDIT
        assert (person.root / "made.txt").exists()

    drive(behave, DONE + WRITE + DONE, Mode.PLAN)


def test_what_is_sent_while_a_plan_is_carried_out_waits(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("think")
        await person.asked(PlanOffer)
        await person.press("a")
        await person.until(lambda: "step 1" in line(person))
        await person.send("more")
        assert [draft.text for draft in person.screen.query_one(Prompt).queue] == ["more"]
        await person.press("escape")
        await person.rest()

    drive(behave, DONE + SLOW, Mode.PLAN)


def test_a_plan_can_go_on(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("think")
        await person.asked(PlanOffer)
        await person.press("n")
        assert not person.screen.query_one(PlanOffer).display
        await person.send("think more")
        await person.asked(PlanOffer)
        assert person.screen.mode is Mode.PLAN

    drive(behave, DONE + DONE, Mode.PLAN)


def test_escape_interrupts_at_once_and_keeps_the_work(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.until(lambda: "step 2" in line(person))
        assert "thinking" in line(person)
        began = time.monotonic()
        await person.press("escape")
        await person.rest()
        assert time.monotonic() - began < 2
        assert (person.root / "made.txt").exists()
        assert "thinking" not in line(person)

    drive(behave, WRITE + SLOW, Mode.AUTO)


def test_a_change_of_models_is_told_and_confirmed(drive: Drive) -> None:
    other = drive.root.parent / "other.toml"
    other.write_text(f'price_as = "claude-sonnet-5-5"\n{DONE}')

    async def behave(person: Person) -> None:
        await person.send("hello")
        await person.rest()
        person.screen.switching.to(f"scripted:{other}")
        offer = await person.asked(SwitchOffer)
        assert "tokens anew" in str(offer.query_one(".title").render())
        await person.press("n")
        assert person.conversation.agent.upcoming.model.spec.name == "scripted:script.toml"
        person.screen.switching.to(f"scripted:{other}")
        await person.asked(SwitchOffer)
        await person.press("enter")
        await person.until(
            lambda: person.conversation.agent.upcoming.model.spec.name.endswith("other.toml")
        )
        await person.until(lambda: "goes on: it reads about" in line(person))

    drive(behave, DONE)


def test_the_question_that_was_there_first_is_answered_first(drive: Drive) -> None:
    other = drive.root.parent / "other.toml"
    other.write_text(DONE)

    async def behave(person: Person) -> None:
        await person.send("make it")
        person.screen.switching.to(f"scripted:{other}")
        offer = await person.asked(SwitchOffer)
        await person.until(lambda: person.approval.display)
        assert person.screen.focused is offer
        await person.press("n")
        assert not offer.display
        await person.asked()
        await person.press("y")
        await person.rest()
        assert (person.root / "made.txt").exists()
        assert person.screen.focused is not person.approval

    drive(behave, SLOW.replace("60.0", "1.5") + WRITE.partition("[[step]]")[2] + DONE)


def test_before_a_word_is_said_a_change_costs_nothing(drive: Drive) -> None:
    other = drive.root.parent / "other.toml"
    other.write_text(DONE)

    async def behave(person: Person) -> None:
        person.screen.switching.to(f"scripted:{other}")
        await person.until(
            lambda: person.conversation.agent.upcoming.model.spec.name.endswith("other.toml")
        )

    drive(behave, DONE)


def test_a_model_that_is_not_there_leaves_all_as_it_was(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        person.screen.switching.to("scripted:/nowhere.toml")
        await person.pilot.pause(0.3)
        assert person.conversation.agent.upcoming.model.spec.name == "scripted:script.toml"
        await person.send("hello")
        await person.rest()

    drive(behave, DONE)


def test_the_key_for_the_other_model_opens_the_list_where_there_is_none(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.press("ctrl+t")
        await person.until(lambda: isinstance(person.pilot.app.screen, ModelsScreen))
        await person.press("escape")
        assert person.pilot.app.screen is person.screen

    drive(behave, DONE)


def test_one_key_goes_to_claude_and_back(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-a-real-key")

    async def behave(person: Person) -> None:
        def name() -> str:
            return person.conversation.agent.upcoming.model.spec.name

        person.screen.commands.action_command_model("claude")
        await person.until(lambda: name() == "claude-sonnet-5-5")
        await person.until(lambda: "claude-sonnet-5-5" in line(person))
        await person.press("ctrl+t")
        await person.until(lambda: name() == "scripted:script.toml")
        await person.send("hello")
        await person.rest()
        await person.press("ctrl+t")
        await person.asked(SwitchOffer)
        await person.press("enter")
        await person.until(lambda: name() == "claude-sonnet-5-5")

    drive(behave, DONE)


def test_a_mode_can_be_named(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        person.screen.commands.action_command_mode("auto")
        await person.until(partial(_has_mode, person, Mode.AUTO))
        person.screen.commands.action_command_mode("fast")
        assert person.screen.mode is Mode.AUTO

    drive(behave, DONE)


def test_the_list_is_shown_and_ticked_off(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        panel = person.screen.query_one(TodoPanel)
        assert not panel.display
        await person.send("do three things")
        await person.until(lambda: panel.display)
        text = str(panel.render())
        assert "To do  1 of 3" in text
        assert "◐ two [red]" in text
        assert "\x1b" not in text
        await person.until(lambda: panel.todo.done == 3)
        await person.rest()
        await person.send("thanks")
        await person.until(lambda: not panel.display)
        await person.rest()

    ticked = TODO.replace("[>]", "[x]").replace("[ ]", "[x]")
    ticked = ticked.replace("[[step]]", "[[step]]\ndelay = 1.0")
    drive(behave, TODO + ticked + DONE + DONE)


def turn(number: int, changed: tuple[str, ...] = ()) -> TurnInfo:
    """A turn that can be gone back to."""
    patch = "".join(f"@@ -1 +1 @@\n-old {path}\n+new \x1b[2J\n" for path in changed)
    return TurnInfo(number, f"Task {number}", 0.0, "model", "answered", "", changed, patch)


def test_the_way_back_shows_what_is_taken_back(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        chosen: list[Choice | None] = []
        turns = [turn(1), turn(2, ("a.py",)), turn(3, ("b.py",))]
        await person.pilot.app.push_screen(RewindScreen(turns), chosen.append)
        taken = person.pilot.app.screen.query_one("#taken")
        await person.until(lambda: "This turn would be taken back" in str(taken.render()))
        await person.press("down")
        await person.until(lambda: "These 2 turns" in str(taken.render()))
        text = str(taken.render())
        assert "These files go back" in text
        assert text.index("b.py") < text.index("a.py")
        assert "\x1b" not in text
        await person.press("enter")
        await person.until(lambda: chosen)
        assert chosen[0] is not None
        assert (chosen[0].turn.number, chosen[0].files) == (2, True)
        await person.pilot.app.push_screen(RewindScreen(turns), chosen.append)
        await person.press("c")
        await person.until(lambda: len(chosen) == 2)
        assert chosen[1] is not None
        assert (chosen[1].turn.number, chosen[1].files) == (3, False)
        await person.pilot.app.push_screen(RewindScreen(turns), chosen.append)
        await person.press("escape")
        await person.until(lambda: len(chosen) == 3)
        assert chosen[2] is None

    drive(behave, DONE)
