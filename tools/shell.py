"""The `run` tool: one program, without a shell.

Owns the reading of a command that a model wrote and the form of its result. Must not know how a
process is kept and ended: `tools.process` does.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from tools.action import Command
from tools.base import Arguments, Cancel, Heard, ProgramTool, ToolResult, unheard
from tools.errors import Cancelled
from tools.interpreters import project_path
from tools.process import clean_environment, execute
from tools.sandboxing.base import UNCONFINED, Sandbox
from tools.text_filter import clip, clip_line, printable

_OUTPUT = 4_000
"""Characters of a program's output that a model reads."""
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_OPERATOR = re.compile(r"&&|\|\||>>|\$\(|[|&;<>`\n]")
_OPERATORS = frozenset({"|", "||", "&&", ">", ">>", "2>&1", "2>"})


def split_command(value: object) -> object:
    """One line as an argument list; other values as they are, for pydantic to judge.

    Raises:
        PydanticCustomError: It needs a shell, or a quote is not closed.
    """
    match value:
        case str():
            line = value.strip()
        case [str() as only] if " " in only.strip():  # a whole line in the first element
            line = only.strip()
        case [*words]:
            for word in words[1:]:
                if isinstance(word, str) and word in _OPERATORS:
                    raise _needs_shell(word)
            return value
        case _:
            return value
    if found := _OPERATOR.search(_QUOTED.sub("''", line)):
        raise _needs_shell(found.group())
    try:
        return shlex.split(line)
    except ValueError as error:
        raise PydanticCustomError("quotes", "{reason}", {"reason": str(error)}) from None


def _needs_shell(operator: str) -> PydanticCustomError:
    shown = "a line break" if operator == "\n" else operator
    return PydanticCustomError(
        "shell",
        "there is no shell, so {operator} does not work; run one program at a time",
        {"operator": shown},
    )


class RunArguments(Arguments):
    argv: Annotated[tuple[str, ...], BeforeValidator(split_command)] = Field(
        min_length=1, description="The program and its arguments; there is no shell."
    )
    timeout: float = Field(60, gt=0, le=600, description="Seconds.")
    network: bool = Field(False, description="Whether it needs the network; the user is asked.")


class Run(ProgramTool[RunArguments]):
    name = "run"
    description = (
        "Run one program in the repository and see its exit code and output. "
        "No shell: no pipes, redirections or `cd`."
    )
    Args = RunArguments

    def __init__(self, root: Path, sandbox: Sandbox = UNCONFINED) -> None:
        self._root = root
        self._sandbox = sandbox

    def action(self, args: RunArguments) -> Command:
        program = program_for(args.argv[0], self._root)
        return Command(args.argv, str(self._root), program, network=args.network)

    def run(self, args: RunArguments, cancel: Cancel, heard: Heard = unheard) -> ToolResult:
        done = execute(
            args.argv,
            self._root,
            timeout=args.timeout,
            cancel=cancel,
            env=project_path(self._root),
            sandbox=self._sandbox,
            network=args.network,
            heard=heard,
        )
        if done.cancelled:
            raise Cancelled
        output = clip(done.output.strip("\n"), _OUTPUT) or "(no output)"
        line = printable(shlex.join(args.argv)).replace("\n", "\\n")
        return ToolResult(
            output=f"{done.ending}\n{output}",
            display=f"run: {clip_line(line, 120)} ({done.ending}, {done.seconds:.1f} s)",
            ok=done.code == 0,
            details=done,
        )


def program_for(word: str, root: Path) -> str:
    """The file that is run for the first word of a command; empty if there is none."""
    if "/" in word:
        return str(root / word)
    path = clean_environment(project_path(root))["PATH"]
    return shutil.which(word, path=path) or ""
