"""`agent fix`: what it leaves in the tree, on stdout, on stderr and in its exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.command import Agent, Ended
from tests.e2e.repositories import FORMULA_FIX, PLAIN_FIX, commit, contents, git

FIXED = b"def value():\n    return 2\n"


def fix(agent: Agent, folder: Path, *options: str | Path, script: str = PLAIN_FIX) -> Ended:
    return agent.run("fix", "ISSUE.md", "--model", agent.script(script), *options, cwd=folder)


def test_a_repair_is_verified_and_shown(agent: Agent, formula: Path) -> None:
    done = fix(agent, formula, script=FORMULA_FIX)
    assert done.code == 0, done.err
    *patch, verdict, extent, figures = done.out.splitlines()
    assert patch[0] == "diff --git a/billing/invoice.py b/billing/invoice.py"
    assert "+        return percent(self.subtotal() - self.discount(), self.tax_rate)" in patch
    assert verdict == "verified: 4 tests failed and pass now; none that passed fails."
    assert extent == "1 file changed, +1 -1"
    assert re.fullmatch(
        r"2 steps · prompt \d+ read / \d+ reused · output \d+ tokens · \S+ s", figures
    )
    assert "\nstep 2\n" in done.err
    assert "✗ tests: 5 passed, 4 failed" in done.err
    assert "The tax is taken before the discount." in done.err
    assert done.err.endswith("To take it back: agent undo\n")
    assert "\x1b" not in done.out + done.err
    assert git(formula, "status", "--porcelain", "--ignored") == " M billing/invoice.py\n"


def test_every_line_of_json_is_an_event(agent: Agent, formula: Path) -> None:
    done = fix(agent, formula, "--json", "--steering", "guided", script=FORMULA_FIX)
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events[0]["event"] == "turn_started"
    assert events[-1]["event"] == "turn_finished"
    assert events[-1]["status"] == "verified"
    assert events[-1]["changed"] == ["billing/invoice.py"]
    assert {"said", "step_started", "wrote", "tool_finished"} <= {it["event"] for it in events}
    (record,) = (agent.home / "state" / "sessions").glob("*/record.jsonl")
    kept = [json.loads(line)["event"] for line in record.read_text("utf-8").splitlines()]
    passing = ("wrote", "prompt_reading", "tool_printed")
    told = [it["event"] for it in events if it["event"] not in passing]
    assert kept == ["session", *told]


def test_what_a_command_prints_is_told_while_it_runs(agent: Agent, plain: Path) -> None:
    script = """
[[step]]
[[step.call]]
tool = "run"
argv = ["sh", "-c", "printf 'so far\\n50%%'; sleep 1; printf '\\r100%%\\n'"]
[[step]]
text = "Done."
"""
    done = fix(agent, plain, "--json", "--yes", script=script)
    events = [json.loads(line) for line in done.out.splitlines()]
    (began,) = (it for it in events if it["event"] == "tool_started")
    told = [it for it in events if it["event"] == "tool_printed"]
    assert {it["call_id"] for it in told} == {began["call"]["id"]}
    assert (told[0]["text"], told[0]["line"], told[0]["left_out"]) == ("so far\n", "50%", 0)
    (ended,) = (it for it in events if it["event"] == "tool_finished")
    assert ended["result"]["output"] == "exit code 0\nso far\n100%"


def test_the_issue_comes_from_standard_input(agent: Agent, plain: Path) -> None:
    model = agent.script(PLAIN_FIX)
    done = agent.run("fix", "-", "--model", model, "--json", cwd=plain, stdin="# Fünf is wrong\n")
    assert done.code == 3
    assert json.loads(done.out.splitlines()[0])["task"] == "# Fünf is wrong"


def test_a_dry_run_leaves_a_patch_and_the_tree_as_it_was(agent: Agent, plain: Path) -> None:
    (plain / "build.log").write_text("ignored\n")
    before, status = contents(plain), git(plain, "status", "--porcelain", "--ignored")
    done = fix(agent, plain, "--dry-run")
    assert done.code == 3
    assert contents(plain) == before
    assert git(plain, "status", "--porcelain", "--ignored") == status
    told = re.search(r"Nothing was changed\. The patch is (.+)\.\n", done.err)
    assert told
    git(plain, "apply", "--check", told[1])
    assert done.out.startswith(Path(told[1]).read_text())
    assert agent.run("undo", "--yes", cwd=plain).code == 2  # it has nothing to take back


def test_the_patch_goes_where_it_is_wanted(agent: Agent, plain: Path, tmp_path: Path) -> None:
    output = tmp_path / "my patch.diff"
    assert fix(agent, plain, "--dry-run", "--output", output).code == 3
    git(plain, "apply", output)
    assert (plain / "app.py").read_bytes() == FIXED


def test_the_patch_of_a_change_is_written_too(agent: Agent, plain: Path) -> None:
    assert fix(agent, plain / "sub", "--output", "x.log", script="").code == 2  # no ISSUE.md there
    assert fix(agent, plain, "--output", "x.log").code == 3
    git(plain, "apply", "--check", "--reverse", "x.log")


def test_a_user_s_uncommitted_work_survives(agent: Agent, plain: Path) -> None:
    (plain / "app.py").write_text("# mine\ndef value():\n    return 1\n")
    (plain / "notes.txt").write_text("staged\n")
    git(plain, "add", "notes.txt")
    (plain / "notes.txt").write_text("not staged\n")
    (plain / "untracked.txt").write_text("new\n")
    staged, head = git(plain, "diff", "--cached"), git(plain, "rev-parse", "HEAD")
    assert fix(agent, plain).code == 3
    assert (plain / "app.py").read_bytes() == b"# mine\n" + FIXED
    assert (plain / "notes.txt").read_text() == "not staged\n"
    assert (plain / "untracked.txt").read_text() == "new\n"
    assert git(plain, "diff", "--cached") == staged
    assert git(plain, "rev-parse", "HEAD") == head
    assert git(plain, "stash", "list") == ""
    assert git(plain, "branch", "--list").split() == [
        "*",
        git(plain, "branch", "--show-current").strip(),
    ]


@pytest.mark.parametrize("by", ["flag", "file", "environment"])
def test_the_command_for_the_tests_is_the_user_s(agent: Agent, plain: Path, by: str) -> None:
    (plain / "check.sh").write_text("exec grep -q 'return 2' app.py\n")
    flags = ["--test-command", "sh check.sh"] if by == "flag" else []
    if by == "file":
        (agent.home / "config.toml").write_text('test_command = "sh check.sh"\n')
    environ = {"PARITY_TEST_COMMAND": "sh check.sh"} if by == "environment" else {}
    model = agent.script(PLAIN_FIX)
    done = agent.run("fix", "ISSUE.md", "--model", model, *flags, cwd=plain, **environ)
    assert done.code == 0, done.err
    assert "tests: sh check.sh" in done.err


def test_a_model_cannot_steer_the_terminal(agent: Agent, plain: Path) -> None:
    script = r"""
[[step]]
text = "\u001b]52;c;aGk=\u0007 \u001b[2Jhello"
[[step.call]]
tool = "write_file"
path = "\u001b]0;title\u0007.txt"
content = "\u001b[31mred \u009b2J\n"
"""
    done = fix(agent, plain, script=script + "[[step]]\ntext = '\x7f'\n".replace("\x7f", "Done."))
    assert done.code == 3, done.err
    undone = agent.run("undo", "--yes", cwd=plain)
    assert undone.code == 0
    told = done.out + done.err + undone.out + undone.err
    assert "hello" in told
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", told)


def test_bytes_that_are_no_utf_8_pass_through_unharmed(agent: Agent, plain: Path) -> None:
    (plain / "app.py").write_bytes(
        b"# -*- coding: latin-1 -*-\n# caf\xe9\ndef value():\n    return 1\n"
    )
    commit(plain)
    done = fix(agent, plain, "--json", "--dry-run")
    assert done.code == 3, done.err
    assert "caf\udce9" in json.loads(done.out.splitlines()[-1])["patch"]
    done = fix(agent, plain, "--output", "change.log")
    assert done.code == 3, done.err
    assert b"caf\xe9" in (plain / "app.py").read_bytes()
    git(plain, "apply", "--check", "--reverse", "change.log")


def test_an_output_that_cannot_show_every_letter(agent: Agent, plain: Path) -> None:
    model = agent.script(PLAIN_FIX)
    done = agent.run("fix", "ISSUE.md", "--model", model, cwd=plain, PYTHONIOENCODING="ascii")
    assert done.code == 3, done.err
    assert "unverified: " in done.out
