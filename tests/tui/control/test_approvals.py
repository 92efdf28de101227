"""Questions above the prompt: what they show, what answers them, and what never does."""

from __future__ import annotations

from textual.events import Paste
from textual.widgets import Static

from agent.approval import ApprovalAnswer, Choice
from agent.mode import Mode
from tests.tui.control.conftest import DONE, WRITE, Drive, Person
from tui.engine import Asked
from tui.screens.help import Help
from tui.widgets.change import Hunk
from tui.widgets.panel import QUIET
from tui.widgets.prompt import Prompt
from tui.widgets.transcript import Transcript

NEVER = 3600.0
"""Seconds; no machine is so slow that a word takes them."""
BOTH_ENDS = """
[[step]]
[[step.call]]
tool = "read_file"
path = "long.txt"
[[step]]
[[step.call]]
tool = "write_file"
path = "long.txt"
content = '''
first
{middle}
last
'''
""".format(middle="\n".join(f"line {number}" for number in range(1, 29)))
HOSTILE = r"""
[[step]]
[[step.call]]
tool = "run"
argv = ["sh", "-c", "echo hi\nrm -rf x \u001b[2J\u202e [@click=app.quit]no[/]PADDINGend"]
""".replace("PADDING", " " * 25)
SLOW = """
[[step]]
text = "Now I think for long."
delay = 60.0
"""


def shown(person: Person) -> str:
    """What the question shows."""
    return "\n".join(str(part.render()) for part in person.approval.query(Static) if part.display)


def test_what_was_typed_before_a_question_does_not_answer_it(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        person.approval.quiet = NEVER
        await person.send("make it")
        await person.until(lambda: person.screen.focused is person.approval)
        await person.press("y", "e", "s", "enter")
        assert person.approval.display
        assert person.prompt == "yes"
        person.approval.quiet = QUIET
        await person.asked()
        assert not (person.root / "made.txt").exists()
        await person.press("enter")
        await person.pilot.pause(0.1)
        assert person.approval.display
        await person.press("y")
        await person.rest()
        assert (person.root / "made.txt").read_text() == "hello\n"
        assert person.prompt == "yes"
        assert not person.approval.display

    drive(behave, WRITE + DONE)


def test_the_answers_stand_in_the_help(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        await person.press("question_mark")
        await person.until(lambda: isinstance(person.pilot.app.screen, Help))
        await person.until(lambda: "offered" in person.pilot.app.export_screenshot())
        await person.press("escape")
        await person.asked()
        await person.press("n", "enter")
        await person.rest()

    drive(behave, WRITE + DONE, size=(80, 60))


def test_no_reaches_the_model_with_a_word(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        await person.press("n", *"other", "enter")
        await person.rest()
        assert "The user says: other" in person.told()
        assert not (person.root / "made.txt").exists()

    drive(behave, WRITE + DONE)


def test_escape_denies_and_interrupts(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.until(lambda: person.screen.focused is person.approval)
        await person.press("escape")
        await person.rest()
        assert not (person.root / "made.txt").exists()
        assert len(person.conversation.agent.history) < 6

    drive(behave, WRITE + SLOW)


def test_nothing_is_asked_of_the_model_after_escape(drive: Drive) -> None:
    """Though it would answer at once."""

    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        await person.press("escape")
        await person.rest()
        assert "Done." not in person.told()
        assert not (person.root / "made.txt").exists()

    drive(behave, WRITE + DONE)


def test_a_session_long_answer_says_what_it_allows_and_holds(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        assert "s and a would allow edits of the files directly in the top folder" in shown(person)
        await person.press("s")
        await person.rest()
        assert (person.root / "more.txt").exists()

    drive(behave, WRITE + WRITE.replace("made", "more") + DONE)


def test_parts_of_a_change_are_allowed_and_the_model_hears_of_the_others(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("change it")
        await person.asked()
        assert len(person.approval.query(Hunk)) == 2
        await person.press("tab", "space")
        await person.pilot.pause()
        assert "allow 1 of 2 parts" in shown(person)
        assert "for this session" not in shown(person)
        await person.press("y")
        await person.rest()
        lines = (person.root / "long.txt").read_text().splitlines()
        assert (lines[0], lines[-1]) == ("first", "line 29")
        assert "refused 1 of 2 parts" in person.told()

    drive(behave, BOTH_ENDS + DONE)


def test_nothing_hides_in_a_command(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("run it")
        await person.asked()
        told = shown(person)
        assert r"rm -rf x \x1b[2J\u202e [@click=app.quit]no[/][25 spaces]end" in told
        assert r"echo hi\n" in told
        assert "/sh, in " in told
        await person.press("n", "enter")
        await person.rest()

    drive(behave, HOSTILE + DONE)


def test_an_endless_text_is_cut_and_that_is_told(drive: Drive) -> None:
    huge = WRITE.replace("hello", "x" * 400_000)

    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        assert "300,0" in shown(person)
        assert "more characters are not shown" in shown(person)
        await person.press("escape")
        await person.rest()

    drive(behave, huge + DONE)


def test_every_answer_can_be_reached_at_80_by_24(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("change it")
        await person.asked()
        for choice in person.approval.query(".choice"):
            assert person.approval.content_region.contains_region(choice.region)
            assert choice.region.height
        offered = person.approval._request.choices
        assert offered == (Choice.ONCE, Choice.SESSION, Choice.ALWAYS, Choice.DENY)
        await person.press("escape")
        await person.rest()

    drive(behave, BOTH_ENDS + DONE)


def test_auto_mode_asks_nothing_about_edits(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.rest()
        assert (person.root / "made.txt").exists()

    drive(behave, WRITE + DONE, Mode.AUTO)


def test_questions_wait_for_each_other(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        before = person.screen.focused
        await person.send("make it")
        first = await person.asked()
        (waiting,) = person.approval._waiting
        answers: list[ApprovalAnswer] = []
        await person.approval.put(Asked(waiting.request, answers.append))
        await person.press("n", "enter")
        await person.until(lambda: len(person.approval._waiting) == 1)
        await person.asked()
        assert first.display
        await person.press("n", *"later", "enter")
        await person.until(lambda: answers)
        assert answers == [ApprovalAnswer(Choice.DENY, "later")]
        assert not first.display
        assert person.screen.focused is before
        await person.press("escape")
        await person.rest()

    drive(behave, WRITE + SLOW)


def test_a_question_begins_at_its_beginning(drive: Drive) -> None:
    """Whatever was scrolled to in the one before."""
    script = (
        BOTH_ENDS.replace("first", "first" + " word" * 60)
        + """
[[step.call]]
tool = "write_file"
path = "new.txt"
content = '''
{lines}
'''
""".format(lines="\n".join(f"new {number}" for number in range(30)))
    )

    async def behave(person: Person) -> None:
        await person.send("change it")
        await person.asked()
        body = person.approval.query_one(".body")
        await person.press("tab", "pagedown", "space")
        await person.until(lambda: body.scroll_y > 0)
        await person.press("y")
        await person.until(lambda: "new.txt" in shown(person))
        await person.asked()
        assert body.scroll_y == 0
        assert body.max_scroll_y > 0
        await person.press("n", "enter")
        await person.rest()

    drive(behave, script + DONE)


def test_a_word_that_is_written_answers_nothing(drive: Drive) -> None:
    """Though its letters are among the answers."""

    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        person.approval.quiet = NEVER
        await person.press("l", "a", "y", "s")
        assert person.prompt == "lays"
        assert person.approval.display
        person.approval.quiet = QUIET
        await person.asked()
        await person.press("y")
        await person.rest()
        assert (person.root / "made.txt").exists()

    drive(behave, WRITE + DONE)


def test_a_pause_within_what_is_written_beneath_a_question_is_no_end_of_it(drive: Drive) -> None:
    """Between two words people pause longer than a question does."""

    async def behave(person: Person) -> None:
        await person.send("make it")
        await person.asked()
        await person.press("W", "h")
        await person.pilot.pause(2 * QUIET)
        await person.press("y", "x", "backspace")
        assert person.prompt == "Why"
        assert person.approval.display
        box = person.screen.query_one("#box")
        assert "Enter" not in str(box.border_subtitle)
        await person.asked()
        await person.press("y")
        await person.rest()
        assert (person.root / "made.txt").exists()

    drive(behave, WRITE + DONE)


def test_what_is_written_in_the_conversation_goes_to_the_prompt_or_answers(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        conversation = person.screen.query_one(Transcript)
        conversation.focus()
        person.screen.query_one(Prompt).write("make it")
        person.screen.engine.run("make it")
        await person.asked()
        person.approval.quiet = NEVER
        await person.press("h", "a")
        assert person.prompt == "make itha"
        person.approval.quiet = QUIET
        await person.asked()
        await person.press("tab")
        assert person.screen.focused is conversation
        person.approval.quiet = NEVER
        await person.press("l", "y")
        assert person.prompt == "make ithaly"
        assert person.screen.focused is conversation
        person.approval.quiet = QUIET
        await person.pilot.pause(QUIET)
        await person.until(lambda: person.approval.armed)
        await person.press("y")
        await person.rest()
        assert (person.root / "made.txt").exists()
        assert person.screen.focused is conversation

    drive(behave, WRITE + DONE)


def test_a_long_text_is_pasted_into_the_prompt_meanwhile(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        question = await person.asked()
        question.post_message(Paste("y\n" * 50))
        await person.until(lambda: "50 lines" in person.prompt)
        assert person.screen.focused is question
        await person.press("escape")
        await person.rest()

    drive(behave, WRITE + DONE)


def test_escape_in_the_word_goes_back_to_the_question(drive: Drive) -> None:
    async def behave(person: Person) -> None:
        await person.send("make it")
        question = await person.asked()
        await person.press("n", "w")
        told = [found.binding.description for found in person.screen.active_bindings.values()]
        assert "Back" in told
        await person.press("escape")
        assert person.screen.focused is question
        assert person.screen.at_work
        await person.asked()
        await person.press("n", *"hy", "enter")
        await person.rest()
        assert "The user says: why" in person.told()

    drive(behave, WRITE + DONE)
