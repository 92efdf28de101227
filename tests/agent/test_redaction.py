"""Redaction: no value that is known passes, whole or cut, and files keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.events import Origin, ToolFinished
from agent.messages import ToolCall, ToolMessage, ToolOutput
from agent.redaction import Redactor, known_values
from agent.secrets import Keys
from tools.base import Arguments, ToolResult
from tools.testing.commands import Runner
from tools.testing.reports import Outcome, TestCase, TestRun

KEY = "sk-ant-api03-CANARYcanary0123456789"
MARK = "[redacted ANTHROPIC_API_KEY]"
REDACTOR = Redactor({"ANTHROPIC_API_KEY": KEY, "SHORT": "abc"})
HALF = len(KEY) // 2 + 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (f"a {KEY} b {KEY}", f"a {MARK} b {MARK}"),
        (KEY[:-3] + "[...]", f"{MARK}[...]"),
        ("[...]" + KEY[5:], f"[...]{MARK}"),
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


def test_several_lines_are_replaced_each() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\n-----END KEY-----"
    assert "MIIEvQ" not in Redactor({"PEM_KEY": pem}).text("1 MIIEvQIBADANBgkqh\n2 x")


def test_a_mark_becomes_the_value_only_where_the_file_has_it() -> None:
    given = {"path": "a.py", "content": f"KEY = '{MARK}'\n", "start": 1}
    assert REDACTOR.restored(given, f"KEY = '{KEY}'")["content"] == f"KEY = '{KEY}'\n"
    assert REDACTOR.restored(given, "KEY = ''") == given
    assert REDACTOR.restored(given, KEY[:-1]) == given


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
