"""The model takes the steps: it picks tools until it says it is done and the tests agree.

Owns what the model is told at the start and when it may stop. Must not know how a model is asked,
nor how a tool works.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.events import Status
from agent.messages import ToolCall, ToolMessage, ToolOutput, UserMessage
from agent.models.base import CallForm, Form
from agent.prompts import fill
from agent.steering.evidence import Case, Evidence, run_tests
from agent.steering.moves import Ask, Move, Moves, Reply, Tell, Verdict, ask, use
from tools.base import ToolSpec
from tools.errors import ToolError
from tools.testing.reports import TestRun
from tools.workspace import Workspace

if TYPE_CHECKING:
    from tools.outline import Index

CHANGING = ("edit", "replace_symbol", "write_file", "run")
"""Tools that may change the tree."""
ANSWER_TOKENS = 64_000
"""More than any model is allowed: the model's own limit decides."""
REFUSALS_IN_A_ROW = 3
"""Times a model may say that it is done, when it is not and does nothing about it."""
MALFORMED_IN_A_ROW = 3
"""Answers in a row whose calls cannot be read, after which the turn ends."""


@dataclass(slots=True)
class Free:
    """Implements `agent.steering.moves.Steering`."""

    workspace: Workspace
    tools: tuple[ToolSpec, ...]
    index: Callable[[], Index] | None
    """The index of the workspace as it is now; None for a model that is held to no form."""
    has_tests: bool
    """Whether there is a command that runs the project's tests."""
    case: Case = field(default_factory=Case)
    planning: bool = False
    """Whether a plan is asked for, and no change; then there is nothing to test either."""
    talk: bool = False
    """Whether a turn may end with an answer alone, nothing changed; then nothing is tested."""
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    offers_tools = True

    @property
    def system(self) -> str:
        return fill("free_system")

    def retreat(self) -> None:
        """What a model changed of its own accord stays."""

    def moves(self, task: str, onward: str = "") -> Moves:
        """Conduct one turn."""
        if not onward:
            self.case.open(self.workspace.checkpoint())
        first = onward or (fill("free_plan", task=task) if self.planning else task)
        message: UserMessage | ToolMessage = UserMessage(first)
        malformed = refused = 0
        while True:
            answer = yield from ask(Ask(message, self._form(), max_tokens=ANSWER_TOKENS))
            malformed = malformed + 1 if answer.malformed else 0
            if malformed == MALFORMED_IN_A_ROW:
                return Verdict(Status.FAILED, f"{malformed} answers in a row could not be read.")
            outputs = [ToolOutput("", "error", line, ok=False) for line in answer.malformed]
            for call in answer.calls:
                outputs.append((yield from self._carry_out(call)))
            if outputs:
                refused = 0
                message = ToolMessage(tuple(outputs))
                continue
            if self.planning:
                return _planned(answer.text.strip())
            if self.talk and self.workspace.checkpoint() == self.case.began:
                return Verdict(Status.ANSWERED, "Nothing was changed.")
            verdict, run = yield from self._verify()
            refused += 1
            if verdict.status is not Status.FAILED or refused == REFUSALS_IN_A_ROW:
                return verdict
            result = f"```\n{run.brief()}\n```" if run is not None else ""
            message = UserMessage(fill("free_unverified", reason=verdict.summary, result=result))

    def _carry_out(self, call: ToolCall) -> Generator[Move, Reply, ToolOutput]:
        """Use a tool for the model; the tests run before its first change, as the baseline."""
        note = ""
        if self.case.evidence is None:
            self.case.evidence = Evidence(self.workspace)
        judge = self.case.judge
        if call.name in CHANGING and judge.baseline is None:
            baseline = yield from self._test()
            if baseline is not None and baseline.ok:
                note = "\n" + fill("free_reproduce")
        result = yield from use(call, by_model=True)
        if isinstance(result.details, TestRun) and not call.arguments.get("only"):
            judge.see(result.details)
        return ToolOutput(call.id, call.name, result.output + note, result.ok)

    def _verify(self) -> Generator[Move, Reply, tuple[Verdict, TestRun | None]]:
        run = yield from self._test()
        changes = self.workspace.changes(turn=True)
        paths = [change.path for change in changes]
        if paths and self.case.untested:
            return Verdict(Status.UNVERIFIED, self.case.untested), None
        return self.case.judge.verdict(paths, self.case.rewritten()), run

    def _test(self) -> Generator[Move, Reply, TestRun | None]:
        """Run the tests; None: there are none, or a conversation goes on without them."""
        if not self.has_tests or self.case.untested:
            return None
        name = f"harness_{next(self._ids)}"
        try:
            return (yield from run_tests(self.case.judge, name, needed=not self.talk))
        except ToolError as error:
            if not self.talk:
                raise
            self.case.untested = str(error)
            yield Tell(f"{error} The turn goes on without them.")
            return None

    def _form(self) -> Form | None:
        """Calls whose tool, path and symbol are among those that exist."""
        if self.index is None:
            return None
        index = self.index()
        paths = self.workspace.files()
        forms = []
        for spec in self.tools:
            plain = [name for name in spec.parameters if name not in spec.bodies]
            headers: Iterable[Sequence[tuple[str, str | None]]]
            if {"path", "symbol"} <= set(plain):
                headers = (
                    (("path", path), ("symbol", symbol.name))
                    for path in index.paths
                    for symbol in index.symbols(path)
                )
            elif spec.name == "write_file" or "path" not in spec.required:
                headers = [[(name, None) for name in spec.required if name in plain]]
            else:
                headers = ([("path", path)] for path in paths)
            forms.append(CallForm(spec.name, tuple(map(tuple, headers)), spec.bodies))
        return Form(tuple(forms))


def _planned(plan: str) -> Verdict:
    if not plan:
        return Verdict(Status.FAILED, "The model described no plan.")
    return Verdict(Status.PLANNED, "Nothing was changed.", plan)
