import pytest

from tui.commands import COMMANDS, CommandRefused, parse, search


def test_a_line_is_read() -> None:
    command, arguments = parse("/model  claude-sonnet ")
    assert (command.name, arguments) == ("model", "claude-sonnet")
    assert parse("/HELP")[0].name == "help"


def test_what_is_unknown_names_the_nearest() -> None:
    with pytest.raises(CommandRefused, match=r"no command /hlep.*/help"):
        parse("/hlep")
    with pytest.raises(CommandRefused) as caught:
        parse("/zzzzzz")
    assert "Nearest" not in str(caught.value)


def test_they_are_found_by_letters_and_by_what_they_do() -> None:
    assert [command for command, _ in search("")] == list(COMMANDS)
    assert search("md")[0][0].name in ("model", "mode")
    assert search("dif")[0][0].name == "diff"
    assert "theme" in {command.name for command, _ in search("colours")}


def test_each_has_a_line_of_help_and_a_name_of_its_own() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    assert all(command.help and "\n" not in command.help for command in COMMANDS)


def test_names_of_other_programs_are_taken_or_lead_on() -> None:
    assert parse("/exit")[0].name == "quit"
    assert parse("/new")[0].name == "clear"
    assert "quit" in {command.name for command, _ in search("exi")}
    with pytest.raises(CommandRefused, match="agent config"):
        parse("/config")
    with pytest.raises(CommandRefused, match="/help"):
        parse("/hooks")
    names = [name for command in COMMANDS for name in (command.name, *command.also)]
    assert len(names) == len(set(names))
