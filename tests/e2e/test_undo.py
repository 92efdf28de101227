"""`agent undo`: byte for byte, around a user's later edits, once."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.command import Agent
from tests.e2e.repositories import PLAIN_FIX, SLOW_END, contents, git

NEW_FILE = """
[[step]]
[[step.call]]
tool = "write_file"
path = "made/deep/new.py"
content = "x = 1\\n"
"""


def fix(agent: Agent, folder: Path, script: str = PLAIN_FIX) -> None:
    done = agent.run("fix", "ISSUE.md", "--model", agent.script(script), cwd=folder)
    assert done.code == 3, done.err


def test_every_byte_comes_back(agent: Agent, plain: Path) -> None:
    (plain / "app.py").write_bytes(b"def value():\r\n\treturn 1 # no newline at the end")
    (plain / "app.py").chmod(0o755)
    before = contents(plain)
    fix(agent, plain, NEW_FILE + PLAIN_FIX)
    assert contents(plain) != before
    done = agent.run("undo", "--yes", cwd=plain)
    assert done.code == 0
    assert sorted(done.out.splitlines()) == ["removed  made/deep/new.py", "restored  app.py"]
    assert contents(plain) == before
    assert not (plain / "made").exists()
    assert (plain / "app.py").stat().st_mode & 0o777 == 0o755


def test_a_later_edit_elsewhere_in_the_file_stays(agent: Agent, plain: Path) -> None:
    rest = "".join(f"\n\ndef other_{number}():\n    return {number}\n" for number in range(9))
    (plain / "app.py").write_text("def value():\n    return 1\n" + rest)
    fix(agent, plain)
    later = (plain / "app.py").read_text() + "\nMINE = True\n"
    (plain / "app.py").write_text(later)
    done = agent.run("undo", "--yes", cwd=plain)
    assert (done.code, done.out) == (0, "merged  app.py\n")
    assert (plain / "app.py").read_text() == later.replace("return 2", "return 1", 1)


def test_a_later_edit_of_the_same_line_wins(agent: Agent, plain: Path) -> None:
    fix(agent, plain)
    (plain / "app.py").write_text("def value():\n    return 3  # mine\n")
    done = agent.run("undo", "--yes", cwd=plain)
    assert (done.code, done.out) == (1, "kept  app.py\n")
    assert (plain / "app.py").read_text() == "def value():\n    return 3  # mine\n"


def test_it_asks_first(agent: Agent, plain: Path) -> None:
    fix(agent, plain)
    changed = contents(plain)
    done = agent.run("undo", cwd=plain)
    assert done.code == 2
    assert "give --yes" in done.err
    assert "  app.py" in done.err
    assert contents(plain) == changed


def test_sessions_are_undone_from_the_last_to_the_first(agent: Agent, plain: Path) -> None:
    fix(agent, plain)
    fix(agent, plain, PLAIN_FIX.replace("return 2", "return 4"))
    for left in ("return 2", "return 1"):
        assert agent.run("undo", "--yes", cwd=plain).code == 0
        assert left in (plain / "app.py").read_text()
    done = agent.run("undo", "--yes", cwd=plain)
    assert done.code == 2
    assert "There is no session" in done.complaint
    assert git(plain, "status", "--porcelain") == ""


def test_a_repository_that_is_gone(agent: Agent, plain: Path, tmp_path: Path) -> None:
    fix(agent, plain)
    (session,) = (agent.home / "state" / "sessions").iterdir()
    shutil.rmtree(plain)
    done = agent.run("undo", session.name, "--yes", cwd=tmp_path)
    assert done.code == 2
    assert str(plain) in done.err


def test_a_session_that_took_everything_back_is_passed_over(agent: Agent, plain: Path) -> None:
    fix(agent, plain)
    test = "from app import value\n\n\ndef test_value():\n    assert value() == 3\n"
    (plain / "test_app.py").write_text(test)
    guided = 'steering = "guided"\n' + PLAIN_FIX.replace("return 2", "return 7")
    agent.run("fix", "ISSUE.md", "--model", agent.script(guided), "--max-steps", "1", cwd=plain)
    assert "return 2" in (plain / "app.py").read_text()
    assert agent.run("undo", "--yes", cwd=plain).code == 0
    assert "return 1" in (plain / "app.py").read_text()


COMMAND = """
[[step]]
[[step.call]]
tool = "run"
argv = ["sh", "-c", "printf 'a\\\\0b' > made.bin; echo 2 >> notes.txt; rm ISSUE.md; ln -s x link"]
"""


def test_what_commands_did_comes_back(agent: Agent, plain: Path) -> None:
    before = contents(plain)
    done = agent.run("fix", "ISSUE.md", "--model", agent.script(COMMAND + PLAIN_FIX), cwd=plain)
    assert done.code == 3, done.err
    assert "5 files changed" in done.out
    assert "GIT binary patch, not shown" in done.out
    (session,) = (agent.home / "state" / "sessions").iterdir()
    done = agent.run("undo", "--list", cwd=plain)
    assert done.out == f"{session.name}  5 files  value() should be 2\n"
    done = agent.run("undo", "--yes", cwd=plain)
    assert done.code == 0
    assert set(done.err.split()) == {"made.bin", "notes.txt", "ISSUE.md", "link", "app.py"}
    assert contents(plain) == before
    assert not (plain / "link").is_symlink()
    assert agent.run("undo", "--list", cwd=plain).out == ""


def test_a_dry_run_holds_what_commands_did_and_leaves_nothing(agent: Agent, plain: Path) -> None:
    before = contents(plain)
    argv = ("--dry-run", "--output", str(plain.parent / "x.patch"))
    script = agent.script(COMMAND + PLAIN_FIX)
    assert agent.run("fix", "ISSUE.md", *argv, "--model", script, cwd=plain).code == 3
    assert contents(plain) == before
    assert not (agent.home / "state" / "snapshots").exists()
    git(plain, "apply", plain.parent / "x.patch")
    assert (plain / "made.bin").read_bytes() == b"a\0b"
    assert (plain / "link").is_symlink()


def test_a_second_session_is_told_and_undo_waits(agent: Agent, plain: Path) -> None:
    slow = agent.script(PLAIN_FIX.replace('[[step]]\ntext = "Done."\n', SLOW_END))
    first = agent.start("fix", "ISSUE.md", "--model", slow, cwd=plain)
    first.until("step 2")
    second = agent.run("fix", "ISSUE.md", "--model", agent.script(COMMAND), cwd=plain)
    assert "Another session is at work on this tree" in second.err
    done = agent.run("undo", "--yes", cwd=plain)
    assert done.code == 2
    assert "A session is at work" in done.complaint
    first.process.kill()
    first.end()
    for _ in range(2):
        done = agent.run("undo", "--yes", cwd=plain)
        assert done.code == 0, done.err
    assert git(plain, "status", "--porcelain") == ""
