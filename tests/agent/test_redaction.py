"""Redaction: no value that is known passes, whole or cut, and files keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.events import Origin, ToolFinished
from agent.messages import ToolCall, ToolMessage, ToolOutput
from agent.redaction import Redactor, known_values
from agent.secrets import Keys
from tools.base import Arguments, ToolResult
from tools.errors import ToolError
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun

KEY = "sk-ant-api03-CANARYcanary0123456789"
MARK = "[redacted ANTHROPIC_API_KEY]"
PART = "[redacted ANTHROPIC_API_KEY, {} {} characters]"
REDACTOR = Redactor({"ANTHROPIC_API_KEY": KEY, "SHORT": "abc"})
HALF = len(KEY) // 2 + 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (f"a {KEY} b {KEY}", f"a {MARK} b {MARK}"),
        (KEY[:-3] + "[...]", f"{PART.format('first', len(KEY) - 3)}[...]"),
        ("[...]" + KEY[5:], f"[...]{PART.format('last', len(KEY) - 5)}"),
        (f"x{KEY[:HALF]}\n[... 9 left out ...]\n{KEY[-HALF:]}y", None),
        ("abc sk-ant-api03- and others", "abc sk-ant-api03- and others"),
    ],
)
def test_values_are_replaced_also_where_they_were_cut(given: str, told: str | None) -> None:
    seen = REDACTOR.text(given)
    if told is not None:
        assert seen == told
    assert KEY[:HALF] not in seen
    assert KEY[-HALF:] not in seen


def test_everything_in_a_value_is_looked_through() -> None:
    case = TestCase("t.py::t", Outcome.FAILED, f"E {KEY}")
    run = TestRun(("env", KEY), Runner.PYTEST, (case,), 1, f"out {KEY}", 0.1)
    call = ToolCall("1", "run", {"argv": ["echo", KEY], KEY: 1})
    event = ToolFinished(call, Origin.MODEL, ToolResult(KEY, KEY, True, (KEY,), run), 0.1)
    seen = REDACTOR.scrub(event)
    assert KEY not in repr(seen)
    assert isinstance(seen.result.details, TestRun)
    assert seen.result.details.cases[0].outcome is Outcome.FAILED
    assert MARK in seen.result.details.brief()
    clean = ToolMessage((ToolOutput("1", "run", "fine"),))
    assert REDACTOR.scrub(clean) is clean


def test_a_value_that_begins_like_another_is_replaced_whole() -> None:
    other = KEY[:-8] + "98765"
    seen = Redactor({"A_KEY": KEY, "B_KEY": other}).text(f"{other} {KEY}")
    assert seen == "[redacted B_KEY] [redacted A_KEY]"


PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASCB\n-----END KEY-----\n"


def test_several_lines_are_replaced_each() -> None:
    redactor = Redactor({"PEM_KEY": PEM})
    told = "1 [redacted PEM_KEY, line 2]\n2 x"
    assert redactor.text("1 MIIEvQIBADANBgkqh\n2 x") == told
    assert redactor.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"
    assert redactor.text(redactor.text(PEM)) == redactor.text(PEM)


@pytest.mark.parametrize(
    "there",
    [
        f"KEY = '{KEY}'\n",
        f"KEY = '{KEY[:-3]}'\n",
        f"KEY = '{KEY[5:]}'\n",
        f"{KEY[:HALF]} {KEY[:-4]} {KEY} {KEY[-HALF:]}\n",
        "".join(f"    {line}\n" for line in PEM.split("\n")),
        f"sample = '{MARK}'\n",
        "no key\n",
    ],
)
def test_what_is_written_back_as_it_was_shown_changes_nothing(there: str) -> None:
    redactor = Redactor({"ANTHROPIC_API_KEY": KEY, "PEM_KEY": PEM})
    given = {"path": "a.py", "content": redactor.text(there) + "x = 1\n", "start": 1}
    assert redactor.restored(given, there) == {**given, "content": there + "x = 1\n"}


@pytest.mark.parametrize(
    ("there", "mark"),
    [
        ("", MARK),
        (KEY[:-1], MARK),
        (KEY, PART.format("first", HALF)),
        (KEY, PART.format("first", "9" * 5000)),
        (KEY, "[redacted ANTHROPIC_API_KEY, line 1]"),
        (f"{KEY} {MARK}", MARK),
        ("MIIEvQIBADANBgkqh", "[redacted PEM_KEY, line 3]"),
        ("MIIEvQIBADANBgkqh", "[redacted PEM_KEY]"),
    ],
)
def test_a_mark_that_stands_for_nothing_there_is_refused(there: str, mark: str) -> None:
    redactor = Redactor({"ANTHROPIC_API_KEY": KEY, "PEM_KEY": PEM})
    with pytest.raises(ToolError, match="as it is") as caught:
        redactor.restored({"path": "a.py", "content": f"a = '{mark}'\n"}, there)
    assert mark in str(caught.value)


def test_the_mark_of_an_unknown_name_is_a_text_as_any_other() -> None:
    given = {"content": "log('[redacted password] [redacted ANTHROPIC_API_KEYS]')"}
    assert REDACTOR.restored(given, KEY) == given
    assert Redactor().restored(given, KEY) == given


def test_what_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "OTHER_KEY").write_text("from-a-file-0123456789\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / ".env").write_text(
        "export API_TOKEN='env-token-0123456789'\nNAME=ordinary-0123456789\n"
    )
    (root / ".env.local").write_text("DB_PASSWORD=local-password-01\n")
    environ = {
        "MY_SECRET": "variable-0123456789",
        "HOME": "/home/ordinary-name",
        "KEY_FILE": str(root / ".env"),
    }
    keys = Keys(environ, folder)
    values = set(known_values(environ, keys, root).values())
    assert values == {
        "variable-0123456789",
        "from-a-file-0123456789",
        "env-token-0123456789",
        "local-password-01",
    }
    named = set(known_values(environ, keys, root, [".env"]).values())
    assert "env-token-0123456789" not in named
    assert "local-password-01" in named


def test_arguments_of_tools_are_scrubbed_too() -> None:
    class Given(Arguments):
        text: str
        count: int = 3

    scrubbed = Redactor({"MY_KEY": "sk-0123456789abcdef"}).scrub(Given(text="sk-0123456789abcdef"))
    assert scrubbed == Given(text="[redacted MY_KEY]")


@pytest.mark.parametrize(
    ("given", "cut", "told"),
    [
        (f"a {KEY[:5]}", False, "a "),
        (f"a {KEY[:-1]}", False, "a "),
        (f"a {KEY}", False, f"a {KEY}"),
        (f"{KEY[5:]} b", False, f"{KEY[5:]} b"),
        (f"{KEY[5:]} b", True, " b"),
        (f"{KEY[-1]} b {KEY[:1]}", True, " b "),
        ("a task", False, "a ta"),
        ("a task.", True, "a task."),
        ("", True, ""),
    ],
)
def test_of_a_text_that_goes_on_no_end_of_a_value_is_left(given: str, cut: bool, told: str) -> None:
    assert REDACTOR.within(given, cut=cut) == told
