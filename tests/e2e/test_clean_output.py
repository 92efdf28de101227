"""Whatever text a stranger chose, no output of any command carries a raw control character."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from agent import events
from agent.approval import Choice
from agent.events import Event, Status, Totals
from agent.messages import ToolCall
from agent.models.progress import StreamProgress
from agent.printer import JsonPrinter, TextPrinter
from tests.agent.models.gguf_files import language_model, write_gguf
from tests.agent.models.ollama_files import add_model
from tests.e2e.command import Agent, Ended
from tests.e2e.repositories import commit
from tools.action import Command, FileChange
from tools.base import ToolResult

HOSTILE = "\x1b]52;c;aGk=\x07\x9b2J\x1b[2J\x1bc\u202eeb\u2066\x07\x08\x7f\x85 \x0fok\u200b"
NAME = f"{HOSTILE}\nverified: all is well"
"""For what is shown on one line, such as the name of a file."""
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]")
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|K)|\r(?=\x1b\[K)|\r\n")
"""What the printer itself writes on a terminal: colours, and a line written anew."""


def clean(text: str) -> None:
    """Nothing raw, and no line that a name has made up."""
    assert not (found := RAW.search(text)), (found, text)
    assert not re.search("^verified: all", text, re.MULTILINE), text


def both_clean(done: Ended) -> Ended:
    clean(done.out)
    clean(done.err)
    return done


def toml(text: str) -> str:
    return json.dumps(text)


@pytest.fixture
def repository(plain: Path) -> Path:
    (plain / "ISSUE.md").write_text(f"# {HOSTILE} is wrong\n")
    (plain / NAME).mkdir()
    (plain / NAME / f"{NAME}.txt").write_text(f"{HOSTILE}\n")
    (plain / "loud.py").write_text(f"print({HOSTILE!r} * 3)\nraise SystemExit({HOSTILE!r})\n")
    return commit(plain)


def script() -> str:
    path = toml(f"{NAME}/{NAME}.txt")
    return f"""
[[step]]
text = {toml(HOSTILE)}
reasoning = {toml(HOSTILE)}
[[step.call]]
tool = "read_file"
path = {path}
[[step.call]]
tool = {toml(NAME)}
[[step.call]]
tool = "run"
argv = ["python3", "loud.py", {toml(NAME)}]
[[step.call]]
tool = "run"
argv = [{toml(NAME)}]
[[step.call]]
tool = "search"
pattern = {toml(NAME)}
[[step.call]]
tool = "write_file"
path = {path}
content = {toml(HOSTILE + " again")}
[[step.call]]
tool = "write_file"
path = {toml(f"new {NAME}.py")}
content = {toml("x = (" + HOSTILE)}
[[step]]
text = {toml(HOSTILE)}
"""


@pytest.mark.parametrize("mode", ["auto", "plan"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_fix_and_its_record(agent: Agent, repository: Path, options: list[str], mode: str) -> None:
    model = agent.script(script())
    argv = ("fix", "ISSUE.md", "--model", model, "--mode", mode, *options)
    done = both_clean(
        agent.run(*argv, "--test-command", f"python3 loud.py '{NAME}'", cwd=repository)
    )
    assert "ok" in done.out
    if options:
        assert done.out.isascii()
    records = list((agent.home / "state" / "sessions").glob("*/record.jsonl"))
    assert records
    for record in records:
        clean(record.read_text("utf-8"))


def test_undo(agent: Agent, repository: Path) -> None:
    agent.run("fix", "ISSUE.md", "--model", agent.script(script()), cwd=repository)
    done = both_clean(agent.run("undo", "--yes", cwd=repository))
    assert done.code == 0
    assert "restored" in done.out
    both_clean(agent.run("undo", NAME, cwd=repository))


def test_a_folder_whose_name_is_hostile(agent: Agent, plain: Path) -> None:
    folder = plain.rename(plain.parent / NAME)
    done = agent.run(
        *("fix", str(folder / "ISSUE.md"), "--repo", str(folder), "--model"),
        *(agent.script("[[step]]\n" * 3), "--output", str(folder / NAME / "x.patch")),
        cwd=plain.parent,
    )
    assert both_clean(done).code == 2
    for options in (["--dry-run", "--output", str(folder / f"{NAME}.patch")], []):
        done = agent.run(
            *("fix", str(folder / "ISSUE.md"), "--repo", str(folder), "--model"),
            *(agent.script(script().replace(toml(f"{NAME}/{NAME}.txt"), '"new.txt"')), *options),
            cwd=plain.parent,
        )
        assert both_clean(done).code == 3
    both_clean(agent.run("undo", "--yes", "--repo", str(folder), cwd=plain.parent))


@pytest.mark.parametrize(
    "argv",
    [
        [NAME],
        ["fix", NAME],
        ["fix", "ISSUE.md", "--repo", NAME],
        ["fix", "ISSUE.md", "--model", NAME],
        ["fix", "ISSUE.md", "--model", f"scripted:{NAME}"],
        ["fix", "ISSUE.md", "--model", f"./{NAME}.gguf"],
        ["fix", "ISSUE.md", "--model", "scripted:wrong.toml"],
        ["fix", "ISSUE.md", "--model", "scripted:odd.toml"],
        ["fix", "ISSUE.md", "--test-command", NAME],
        ["fix", "ISSUE.md", "--mode", NAME],
        ["fix", "ISSUE.md", "--max-steps", NAME],
        ["fix", "ISSUE.md", f"--{NAME}"],
        ["undo", NAME],
        ["models", NAME],
        ["models", "show", NAME],
        ["models", "plan", NAME],
        ["models", "plan", "--memory", NAME],
        ["models", "pull", NAME],
    ],
    ids=lambda argv: " ".join(argv).replace(NAME, "HOSTILE"),
)
def test_complaints(agent: Agent, plain: Path, argv: list[str]) -> None:
    (plain / "wrong.toml").write_text(f"{HOSTILE} = 1")
    (plain / "odd.toml").write_text(f"{toml(HOSTILE)} = 1")
    done = both_clean(agent.run(*argv, cwd=plain))
    assert done.code in (2, 5, 6)
    assert done.complaint


@pytest.mark.parametrize("config", [f"{HOSTILE} = 1", f"{toml(NAME)} = 1", f"model = {toml(NAME)}"])
def test_a_hostile_configuration(agent: Agent, plain: Path, config: str) -> None:
    (agent.home / "config.toml").write_text(config)
    done = both_clean(agent.run("fix", "ISSUE.md", cwd=plain))
    assert done.complaint
    both_clean(agent.run("fix", "ISSUE.md", cwd=plain, PARITY_MAX_STEPS=NAME))


def test_models(agent: Agent, tmp_path: Path) -> None:
    folder = agent.home / "models"
    folder.mkdir()
    loud = {**language_model(), "general.name": HOSTILE}
    named = write_gguf(folder / f"{NAME}.gguf", loud)
    (folder / f"broken {NAME}.gguf").write_bytes(b"no model, but long enough to be looked at")
    odd = write_gguf(tmp_path / "odd.gguf", {"general.architecture": HOSTILE})
    add_model(agent.home / "ollama", "library", NAME, "7b", named.read_bytes())
    for argv in (
        ["list"],
        ["list", "--json"],
        ["show", str(named)],
        ["show", str(named), "--json"],
        ["plan", str(named)],
        ["plan", str(named), "--json"],
    ):
        done = both_clean(agent.run("models", *argv, cwd=tmp_path))
        assert done.code == 0, done.err
        assert "ok" in done.out
    both_clean(agent.run("models", "show", str(odd), cwd=tmp_path))
    both_clean(agent.run("models", "plan", str(odd), cwd=tmp_path))


CALL = ToolCall(NAME, NAME, {NAME: NAME})
EVENTS: list[Event] = [
    events.TurnStarted(NAME, NAME, NAME, NAME, NAME, NAME),
    events.Wrote(HOSTILE, reasoning=True),
    events.ToolStarted(CALL, events.Origin.MODEL),
    events.ApprovalAsked(CALL, events.Origin.MODEL, Command((NAME,), NAME, NAME), NAME, NAME, ()),
    events.ApprovalAsked(
        CALL, events.Origin.MODEL, FileChange(NAME, HOSTILE, NAME), NAME, NAME, ()
    ),
    events.ApprovalAnswered(CALL, Choice.ALWAYS, NAME),
    events.ToolPrinted(HOSTILE, f"{HOSTILE}\n", HOSTILE),
    events.ToolFinished(CALL, events.Origin.MODEL, ToolResult(NAME, NAME), 0.0),
    events.Rewound(1, NAME),
    events.Notice(NAME),
    events.TurnFinished(
        Status.PLANNED,
        NAME,
        Totals(),
        patch=f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{HOSTILE}\n+{HOSTILE}\n",
        answer=HOSTILE,
    ),
]


def test_every_event_on_a_terminal() -> None:
    out, err = io.StringIO(), io.StringIO()
    printer = TextPrinter(out, err, colour=True, live=True)
    for event in EVENTS:
        printer.show(event)
    for shown in (out, err):
        assert "ok" in shown.getvalue()
        clean(OWN.sub("", shown.getvalue()))


def test_every_event_as_json() -> None:
    out = io.StringIO()
    for event in EVENTS:
        JsonPrinter(out).show(event)
    assert out.getvalue().isascii()
    clean(out.getvalue())


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_sequence_that_is_cut_into_pieces(size: int) -> None:
    err = io.StringIO()
    printer = TextPrinter(io.StringIO(), err, colour=False, live=False)
    for start in range(0, len(HOSTILE), size):
        printer.show(events.Wrote(HOSTILE[start : start + size]))
    clean(err.getvalue())


@pytest.mark.parametrize("terminal", [True, False])
def test_a_transfer(terminal: bool) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    out = Screen()
    clock = iter(range(99))
    progress = StreamProgress(out, lambda: float(next(clock)))
    progress.begin(NAME, 100)
    progress.update(100)
    progress.end()
    clean(out.getvalue().replace("\r", "\n").replace("\x1b[K", ""))
