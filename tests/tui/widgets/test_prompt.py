"""The prompt in the real application, over a scripted model."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from tests.tui.conftest import Drive, until
from tui.blocks.entries import Shell
from tui.screens.session import SessionScreen
from tui.widgets.prompt import Prompt
from tui.widgets.prompt.box import Box
from tui.widgets.prompt.menu import Menu
from tui.widgets.prompt.queued import Queued
from tui.widgets.prompt.sending import Submitted
from tui.widgets.transcript import Transcript

LONG = "\n".join(f"line {number}" for number in range(1, 121))
SLOW = 'steering = "free"\n' + '[[step]]\ntext = "Slow."\ndelay = 1.5\n' * 3


def prompt_of(pilot: Pilot[None]) -> Prompt:
    return pilot.app.screen.query_one(Prompt)


def menu_of(pilot: Pilot[None]) -> list[str]:
    """What is offered; nothing while the list is not there."""
    menu = pilot.app.screen.query_one(Menu)
    if not menu.display:
        return []
    return [str(menu.get_option_at_index(at).prompt) for at in range(menu.option_count)]


def told(pilot: Pilot[None]) -> str:
    """All that the transcript says."""
    return "\n".join(entry.copied for entry in pilot.app.screen.query_one(Transcript).story.entries)


def screen_of(pilot: Pilot[None]) -> SessionScreen:
    screen = pilot.app.screen
    assert isinstance(screen, SessionScreen)
    return screen


async def type_text(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if char == " " else char for char in text))


async def paste(pilot: Pilot[None], text: str) -> None:
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


async def opened(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: screen_of(pilot).conversation)


def said(pilot: Pilot[None]) -> list[str]:
    """What the user told the model, a turn each."""
    conversation = screen_of(pilot).conversation
    assert conversation is not None
    return [getattr(message, "text", "") for message in conversation.agent.history[1::2]]


def test_enter_sends_and_every_other_enter_is_a_new_line(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await pilot.press("a", "shift+enter", "b", "ctrl+j", "c", "alt+enter", "d", "\\", "enter")
        await pilot.press("e")
        assert prompt_of(pilot).text == "a\nb\nc\nd\ne"
        assert prompt_of(pilot).region.height == 5 + 2
        await pilot.press("enter")
        assert prompt_of(pilot).text == ""
        await until(pilot, lambda: "a\nb\nc\nd\ne" in told(pilot))

    drive(behave)


def test_what_was_sent_at_the_threshold_comes_back(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        early = Prompt(None)
        await pilot.app.screen.mount(early)
        early.write("mend it")
        early.focus()
        await pilot.press("enter")
        prompt = pilot.app.screen.query(Prompt).first()
        prompt.take_over(early)
        await early.remove()
        prompt.at_work = False
        prompt.focus()
        await pilot.press("up")
        assert prompt.text == "mend it"

    drive(behave)


def test_what_was_sent_at_the_threshold_is_taken_by_a_session_that_is_open(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        screen_of(pilot).take_over(Prompt(None), [Submitted("early")])
        await until(pilot, lambda: "Well." in told(pilot))

    drive(behave)


def test_what_is_written_in_the_conversation_goes_to_the_prompt(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await pilot.press("tab")
        assert isinstance(pilot.app.focused, Transcript)
        await type_text(pilot, "/model x")
        assert prompt_of(pilot).text == "/model x"
        await pilot.press("tab")
        pilot.app.screen.query_one(Transcript).post_message(events.Paste("yz"))
        await until(pilot, lambda: prompt_of(pilot).text == "/model xyz")

    drive(behave)


def test_ctrl_c_clears_what_is_written_and_up_brings_it_back(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await type_text(pilot, "no")
        await pilot.press("ctrl+c")
        assert prompt_of(pilot).text == ""
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert pilot.app.is_running
        await pilot.press("up")
        assert prompt_of(pilot).text == "no"

    drive(behave)


def test_what_is_named_in_a_question_leaves_it_one(drive: Drive) -> None:
    """A guided model answers what ends in a question mark, and mends all else."""

    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        prompt_of(pilot).write("What does @shop.py do?")
        await pilot.press("enter")
        await until(pilot, lambda: "It adds." in told(pilot))
        assert "What does shop.py do?" in told(pilot)
        assert "Named below" not in told(pilot)
        assert "Named below:\n- shop.py has 2 lines.\n\nWhat" in said(pilot)[0]

    drive(behave, 'steering = "guided"\n[[step]]\ntext = "It adds."\n', talk=True)


def test_the_last_answer_is_copied_from_the_prompt(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await type_text(pilot, "well")
        await pilot.press("enter")
        await until(pilot, lambda: "Well." in told(pilot) and not prompt_of(pilot).at_work)
        await type_text(pilot, "more")
        await pilot.press("f6")
        await until(pilot, lambda: pilot.app.clipboard == "Well.")
        assert prompt_of(pilot).text == "more"

    drive(behave)


def test_a_prompt_without_letters_is_not_sent(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await pilot.press("space", "ctrl+j", "enter")
        assert not prompt_of(pilot).at_work

    drive(behave)


def test_prompts_come_back_in_the_next_start(drive: Drive) -> None:
    async def first(pilot: Pilot[None]) -> None:
        await opened(pilot)
        for text in ("one", "two"):
            await type_text(pilot, text)
            await pilot.press("enter")
            await until(pilot, lambda: not prompt_of(pilot).at_work)

    async def second(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await type_text(pilot, "own")
        texts = []
        for key in ("up", "up", "up", "down", "down"):
            await pilot.press(key)
            texts.append(prompt.text)
        assert texts == ["two", "one", "one", "two", "own"]

    drive(first)
    drive(second)


def test_earlier_prompts_are_searched(drive: Drive) -> None:
    async def first(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await pilot.press(*"alpha", "ctrl+j", *"more", "enter")
        await type_text(pilot, "beta")
        await pilot.press("enter")
        await until(pilot, lambda: not prompt_of(pilot).at_work)

    async def second(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await type_text(pilot, "mine")
        await pilot.press("ctrl+r")
        assert menu_of(pilot) == ["beta", "alpha\\nmore"]
        await type_text(pilot, "alp")
        assert menu_of(pilot) == ["alpha\\nmore"]
        await pilot.press("escape")
        assert (prompt.text, menu_of(pilot)) == ("mine", [])
        await pilot.press("ctrl+r", "a", "l", "p", "enter")
        assert (prompt.text, menu_of(pilot)) == ("alpha\nmore", [])
        await pilot.press("ctrl+r", "z", "z")
        assert menu_of(pilot) == ["Nothing like that was sent here."]

    drive(first)
    drive(second)


def test_a_long_paste_is_folded_sent_whole_and_removed_at_once(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await paste(pilot, "short")
        await paste(pilot, LONG)
        assert prompt.text == "short[pasted 120 lines #1]"
        await paste(pilot, "x" * 600)
        assert prompt.text == "short[pasted 120 lines #1][pasted 600 characters #2]"
        await pilot.press("backspace")
        assert prompt.text == "short[pasted 120 lines #1]"
        await pilot.press("enter")
        await until(pilot, lambda: "line 119\nline 120" in told(pilot))
        assert prompt.text == ""
        await pilot.press("up")
        assert prompt.text == "short[pasted 120 lines #1]"

    drive(behave)


def test_pasted_text_gives_no_key_and_no_escape(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await paste(pilot, "a\x1b[31m\r!id\r\x1b]0;title\x07\x00b\u202e")
        assert prompt_of(pilot).text == "a\n!id\n\\x00b\\u202e"
        assert not prompt_of(pilot).at_work

    drive(behave)


def test_files_and_symbols_are_completed(drive: Drive) -> None:
    (drive.folder / "a\x1b[31mb.py").write_text("")
    (drive.folder / "[bold]x[link].py").write_text("")

    async def behave(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await type_text(pilot, "see @")
        await until(pilot, lambda: "shop.py" in menu_of(pilot))
        assert "[bold]x[link].py" in menu_of(pilot)
        assert not [line for line in menu_of(pilot) if "\x1b" in line]
        await until(pilot, lambda: not prompt._places or not prompt._places.looking)
        await type_text(pilot, "tot")
        await until(pilot, lambda: menu_of(pilot) == ["total  shop.py"])
        menu = pilot.app.screen.query_one(Menu)
        assert menu.region.bottom <= pilot.app.screen.query_one("#box").region.y
        await pilot.press("tab")
        assert (prompt.text, menu_of(pilot)) == ("see @shop.py:total ", [])
        await pilot.press("enter")
        await until(pilot, lambda: said(pilot))
        assert "shop.py:total is in shop.py, lines 1 to 2." in said(pilot)[0]

    drive(behave)


def test_escape_closes_the_list_and_interrupts_nothing(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await type_text(pilot, "go")
        await pilot.press("enter")
        await until(pilot, lambda: screen_of(pilot).at_work)
        await pilot.press("/", "h")
        assert menu_of(pilot)
        await pilot.press("escape")
        assert not menu_of(pilot)
        assert prompt_of(pilot).at_work
        await pilot.press("escape")
        await until(pilot, lambda: not prompt_of(pilot).at_work)

    drive(behave, SLOW)


def test_commands_are_filtered_chosen_and_given(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await pilot.press("/")
        assert len(menu_of(pilot)) > 20
        assert prompt.region.bottom <= 24
        await type_text(pilot, "dif")
        assert menu_of(pilot)[0].split()[0] == "/diff"
        await pilot.press("enter")
        await until(pilot, lambda: "Nothing is changed." in told(pilot))
        assert prompt.text == ""
        await type_text(pilot, "/mo")
        await pilot.press("down", "tab")
        assert prompt.text == "/mode "
        await type_text(pilot, "plan")
        await pilot.press("enter")
        await until(pilot, lambda: prompt.screen.has_class("-mode-plan"))

    drive(behave)


def test_an_unknown_command_names_the_nearest_and_keeps_the_text(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await type_text(pilot, "/xcostx")
        await pilot.press("enter")
        await until(pilot, lambda: "There is no command /xcostx. Nearest: /cost." in told(pilot))
        assert prompt_of(pilot).text == "/xcostx"
        for _ in range(7):
            await pilot.press("backspace")
        await type_text(pilot, "/rename")
        await pilot.press("space", "enter")
        await until(pilot, lambda: "/rename takes NAME." in told(pilot))

    drive(behave)


def test_a_path_is_no_command(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await type_text(pilot, "/etc/hosts is odd")
        await pilot.press("enter")
        await until(pilot, lambda: "/etc/hosts is odd" in told(pilot))

    drive(behave)


def test_what_is_sent_meanwhile_waits_and_can_be_taken_back(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await opened(pilot)
        for text in ("one", "two", "three"):
            await type_text(pilot, text)
            await pilot.press("enter")
        assert [draft.text for draft in prompt.queue] == ["two", "three"]
        assert "queued: two\nqueued: three" in str(prompt.query_one(Queued).render())
        await pilot.press("up")
        assert prompt.text == "three"
        assert [draft.text for draft in prompt.queue] == ["two"]
        await until(pilot, lambda: not prompt.queue)
        await until(pilot, lambda: "two" in told(pilot).split("\n"))
        assert prompt.text == "three"

    drive(behave, SLOW)


def test_an_interrupt_gives_back_what_waits(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await opened(pilot)
        for text in ("one", "two", "three"):
            await type_text(pilot, text)
            await pilot.press("enter")
        await type_text(pilot, "four")
        await pilot.press("escape")
        await until(pilot, lambda: not prompt.at_work)
        assert (prompt.text, prompt.queue) == ("two\nthree\nfour", ())

    drive(behave, SLOW)


def test_what_cannot_wait_ends_the_turn_and_is_sent(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt = prompt_of(pilot)
        await opened(pilot)
        await type_text(pilot, "one")
        await pilot.press("enter")
        await type_text(pilot, "later")
        await pilot.press("enter")
        await until(pilot, lambda: screen_of(pilot).at_work)
        await type_text(pilot, "now")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "now" in told(pilot).split("\n"))
        assert "interrupted" in told(pilot)
        assert [draft.text for draft in prompt.queue] == ["later"]

    drive(behave, SLOW)


def test_a_command_that_needs_rest_says_so_while_a_turn_is_at_work(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await pilot.press("x", "enter")
        await type_text(pilot, "/clear")
        await pilot.press("enter")
        await until(pilot, lambda: "/clear waits for the end of the turn" in told(pilot))
        assert prompt_of(pilot).text == "/clear"

    drive(behave, SLOW)


def test_a_shell_line_runs_in_the_sandbox_and_the_model_hears_of_it(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await type_text(pilot, "!!echo secret words")
        assert prompt_of(pilot).query_one(Box).has_class("-shell")
        await pilot.press("enter")
        await until(pilot, lambda: not screen_of(pilot).shell_lines.at_work)
        await type_text(pilot, "!cat *.py | head -1")
        await pilot.press("enter")
        await until(pilot, lambda: "def total(prices):" in told(pilot))
        await until(pilot, lambda: screen_of(pilot)._notes)
        await type_text(pilot, "why")
        await pilot.press("enter")
        await until(pilot, lambda: not prompt_of(pilot).at_work)
        (message,) = [text for text in said(pilot) if "why" in text]
        assert "I ran a command myself (exit code 0):" in message
        assert "$ cat *.py | head -1\ndef total(prices):\n\nwhy" in message
        assert "secret words" not in message

    drive(behave)


def test_escape_stops_a_shell_line(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await type_text(pilot, "!sleep 60")
        await pilot.press("enter")
        await until(pilot, lambda: screen_of(pilot).shell_lines.at_work)
        await pilot.press("escape")
        await until(pilot, lambda: not screen_of(pilot).shell_lines.at_work)
        line = screen_of(pilot).query_one(Transcript).story.entries[-1]
        assert isinstance(line, Shell)
        assert (line.copied, line.code) == ("$ sleep 60", None)

    drive(behave)


def test_the_text_goes_through_an_editor(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a terminal to give away it is told so; `test_outside` runs a real one.
    monkeypatch.setenv("VISUAL", "true")

    async def behave(pilot: Pilot[None]) -> None:
        await type_text(pilot, "text")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "No editor can be shown here." in told(pilot))
        assert prompt_of(pilot).text == "text"

    drive(behave)


def test_undo_takes_back_the_last_turn(drive: Drive) -> None:
    script = """
steering = "free"
[[step]]
[[step.call]]
tool = "write_file"
path = "new.py"
content = "x = 1"
[[step]]
text = "Written."
[[step]]
text = "Well."
[[step]]
text = "Well then."
"""

    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await type_text(pilot, "write")
        await pilot.press("enter")
        await until(pilot, lambda: not prompt_of(pilot).at_work)
        assert (drive.folder / "new.py").exists()
        await type_text(pilot, "/undo")
        await pilot.press("enter")
        await until(pilot, lambda: not (drive.folder / "new.py").exists())

    drive(behave, script)


def test_a_new_session_begins_empty(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        first = screen_of(pilot).conversation
        await type_text(pilot, "hello")
        await pilot.press("enter")
        await until(pilot, lambda: not prompt_of(pilot).at_work and "hello" in told(pilot))
        await type_text(pilot, "/clear")
        await pilot.press("enter")
        await until(pilot, lambda: screen_of(pilot).conversation not in (None, first))
        assert "hello" not in told(pilot)

    drive(behave)


@pytest.mark.parametrize("line", ["/cost", "/trust", "/copy", "/figures"])
def test_each_command_within_reach_does_something(drive: Drive, line: str) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        await opened(pilot)
        before = pilot.app.export_screenshot()
        await type_text(pilot, line)
        await pilot.press("escape", "enter")
        await until(pilot, lambda: prompt_of(pilot).text == "")
        await pilot.pause()
        assert pilot.app.export_screenshot() != before
        assert "cannot be used" not in told(pilot)

    drive(behave)


def test_nothing_is_hidden_in_a_small_terminal(drive: Drive) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt_of(pilot).write("x\n" * 40)
        await pilot.press("@")
        await until(pilot, lambda: menu_of(pilot))
        box, menu = (pilot.app.screen.query_one(each).region for each in ("#box", "Menu"))
        assert box.height == 9 + 2
        assert menu.y >= 0
        assert menu.bottom <= box.y
        assert box.bottom <= 24
        await pilot.resize_terminal(40, 12)
        await pilot.pause()
        assert pilot.app.screen.query_one("#box").region.height == 4 + 2

    drive(behave)


@pytest.mark.parametrize("word", ["exit", ":q", "/exit"])
def test_what_many_type_to_leave_leaves(drive: Drive, word: str) -> None:
    async def behave(pilot: Pilot[None]) -> None:
        prompt_of(pilot).write(word)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app._exit)

    drive(behave)
