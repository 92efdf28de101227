"""The harness takes the steps; the model only says what is wrong and writes code.

Ranks and shows the code, runs the tests, asks for the cause and the whole symbols that must
change, applies them, tests, feeds back; what made nothing better is taken back and asked for
anew. Must not know how a model is asked, nor how a tool works.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from agent.messages import AssistantMessage, ToolCall, UserMessage
from agent.models.base import CallForm, Form, ModelSpec, Sampling
from agent.prompts import fill
from agent.steering import material
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Moves, Reply, Rewind, Tell, ask, use
from agent.steering.suspects import mentioned, suspects
from agent.verify import Judge, compare
from tools.outline import Index
from tools.tests import TestRun
from tools.workspace import Workspace

ATTEMPTS = 9
"""Independent answers to one question: they help as much as the format does."""
OWN_TEST_ATTEMPTS = 5
"""The same where only a test that the model wrote says what is right."""
CANDIDATES = 8
"""Definitions among which the model chooses at first."""
SUSPECTS = 5
"""Definitions that it is asked about one by one."""
TEST_ATTEMPTS = 3
"""Tries at writing a test that fails."""
CODE_SHARE = 0.4
"""Part of the window that code may take."""
MAX_CODE = 6_000
"""Tokens of code, however large the window: a weak model loses its way in more."""
CHOICES = 60
"""Definitions offered when the code does not fit."""
VARIED = Sampling(temperature=0.7, top_p=0.9, top_k=40)
"""For every attempt after the first: the likeliest answer was wrong."""


@dataclass(frozen=True, slots=True)
class _Question:
    """The end of a question; what comes before it is the same at every attempt."""

    text: str
    form: Form
    sampling: Sampling | None


@dataclass(slots=True)
class Guided:
    """Implements `agent.steering.moves.Steering`."""

    workspace: Workspace
    index: Callable[[], Index]
    """The index of the workspace as it is now."""
    spec: ModelSpec
    count: Callable[[str], int]
    has_tests: bool
    """Whether there is a command that runs the project's tests."""
    judge: Judge = field(default_factory=Judge)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    offers_tools = False

    @property
    def system(self) -> str:
        return fill("guided_system")

    def moves(self, task: str) -> Moves:
        """Conduct one turn."""
        self.judge = Judge()
        start = self.workspace.checkpoint()
        run = (yield from self._test()) if self.has_tests else None
        if run is not None and run.ok:
            run = (yield from self._reproduce(task, run)) or run
        if run is not None and not run.ok:
            solved = yield from self._solve(task, run)
            if not solved and self.judge.baseline_ok:
                yield Rewind(1, start, "No change satisfies the test that was written for it.")
                yield from self._change_untested(task)
        else:
            yield from self._change_untested(task)
        return self.judge.verdict([change.path for change in self.workspace.changes()])

    def _solve(self, task: str, run: TestRun) -> Generator[Move, Reply, bool]:
        """Change the code until the failing tests pass; whether anything got better.

        A change that fixes a test and breaks none is kept, and the tests that still fail are
        taken up anew.
        """
        solved = False
        while not run.ok:
            better = yield from self._improve(task, run)
            if better is None:
                break
            solved, run = True, better
            if not run.ok:
                yield Rewind(1, self.workspace.checkpoint(), f"{run.summary()}; going on.")
        return solved

    def _improve(self, task: str, run: TestRun) -> Generator[Move, Reply, TestRun | None]:
        """One improvement of `run`, or None when all attempts failed and were taken back."""
        shown = yield from self._show(task, run)
        shared = fill("guided_task", task=task, code=shown.code, tests=self._tests(run))
        checkpoint = self.workspace.checkpoint()
        tried: set[str] = set()
        said = ""
        attempts = OWN_TEST_ATTEMPTS if self.judge.baseline_ok else ATTEMPTS
        for attempt in range(attempts):
            question = self._question(shown, attempt, said)
            message = UserMessage(f"{shared}\n\n{question.text}")
            for feedback_left in (attempt == 0, False):
                answer = yield from ask(Ask(message, question.form, question.sampling))
                said = said or answer.text
                after, problems = yield from self._try(answer, run, tried)
                if after is not None and compare(run, after).better:
                    return after
                if not feedback_left or (after is None and not problems):
                    break
                outcome = "\n".join(problems) if after is None else _outcome(run, after)
                message = UserMessage(fill("guided_feedback", outcome=outcome))
            if attempt + 1 < attempts:
                yield Rewind(1, checkpoint, f"Attempt {attempt + 1} did not help; asking anew.")
        yield Rewind(1, checkpoint, f"{attempts} attempts did not help.")
        self.judge.see(run)  # the tree is again as this run saw it
        return None

    def _question(self, shown: Material, attempt: int, said: str) -> _Question:
        """What to ask at an attempt.

        First what is wrong, and where: the model chooses. Then about one suspect after the
        other, those that its first answer named before the rest; then with chance in the
        choice of words, about the first suspects again.
        """
        sampling = None
        candidates = shown.candidates
        order = [*mentioned(said, candidates), *candidates] if attempt else []
        order = list(dict.fromkeys(order))[:SUSPECTS]
        if attempt == 0 or not order:
            likely = candidates[:CANDIDATES]
            form = Form((material.replacing(likely, self.workspace),), required=True, max_calls=4)
            return _Question(fill("guided_where"), form, None)
        alone = len(order) == 1
        if alone or attempt > len(order):
            sampling = replace(VARIED, seed=attempt)
        suspect = order[(attempt - 1) % len(order)]
        form = Form((material.replacing([suspect], self.workspace),), required=True, max_calls=1)
        if alone:
            return _Question(fill("guided_where"), form, sampling)
        code = material.definition(self.workspace, suspect)
        return _Question(
            fill("guided_suspect", symbol=suspect.symbol.name, code=code), form, sampling
        )

    def _try(
        self, answer: AssistantMessage, run: TestRun | None, tried: set[str]
    ) -> Generator[Move, Reply, tuple[TestRun | None, list[str]]]:
        """Apply an answer and run the tests, unless the same was tried before.

        Returns:
            The run after the change, or None and what was wrong with the answer.
        """
        key = repr([dict(call.arguments) for call in answer.calls])
        if key in tried:
            return None, []
        tried.add(key)
        problems = yield from self._apply(answer)
        if problems or not self.has_tests:
            return None, problems
        return (yield from self._test()), []

    def _change_untested(self, task: str) -> Generator[Move, Reply, None]:
        """Change the code with nothing but the issue to go by; keep what breaks no test."""
        shown = yield from self._show(task, None)
        shared = fill("guided_task", task=task, code=shown.code, tests="")
        checkpoint = self.workspace.checkpoint()
        tried: set[str] = set()
        said = ""
        for attempt in range(OWN_TEST_ATTEMPTS):
            question = self._question(shown, attempt, said)
            message = UserMessage(f"{shared}\n\n{question.text}")
            answer = yield from ask(Ask(message, question.form, question.sampling))
            said = said or answer.text
            after, problems = yield from self._try(answer, None, tried)
            changed = self.workspace.checkpoint() > checkpoint
            if changed and not problems and (after is None or after.ok):
                return
            yield Rewind(1, checkpoint, "That is no change to keep; asking anew.")

    def _reproduce(self, task: str, run: TestRun) -> Generator[Move, Reply, TestRun | None]:
        """Have a failing test written; the run that shows it fail, or None."""
        yield Tell("No test fails yet: asking for one that does.")
        ranked = suspects(self.index(), task, None, "")
        shown = material.gather(self.workspace, self.index(), ranked, self._budget(), self.count)
        path, opening = material.new_test(self.workspace, self.index(), run, ranked)
        call = CallForm(
            "write_file", ((("path", path),),), ("content",), (opening,), language="python"
        )
        question = fill("guided_reproduce", task=task, code=shown.code)
        checkpoint = self.workspace.checkpoint()
        for attempt in range(TEST_ATTEMPTS):
            sampling = None if attempt == 0 else replace(VARIED, seed=attempt)
            form = Form((call,), required=True, max_calls=1, max_thought=120)
            answer = yield from ask(Ask(UserMessage(question), form, sampling, max_tokens=700))
            problems = yield from self._apply(answer)
            if not problems:
                after = yield from self._test()
                if material.reproduces(run, after, path):
                    yield Rewind(1, self.workspace.checkpoint(), "A failing test is there.")
                    return after
            yield Rewind(1, checkpoint, "The test does not fail as it should; asking anew.")
        return None

    def _show(self, task: str, run: TestRun | None) -> Generator[Move, Reply, Material]:
        """The code for a question; the model chooses when the likely code does not fit."""
        index = self.index()
        tests = material.failing_tests(self.workspace, index, run)
        ranked = suspects(index, task, run, tests)
        shown = material.gather(self.workspace, index, ranked, self._budget(), self.count)
        if shown.complete or not ranked:
            return shown
        offered = ranked[:CHOICES]
        outline = material.outline(offered)
        question = fill("guided_choose", task=task, tests=self._tests(run), outline=outline)
        form = Form((material.choosing(offered),), required=True, max_calls=4, max_thought=80)
        answer = yield from ask(Ask(UserMessage(question), form, max_tokens=400))
        chosen = material.chosen(offered, answer.calls)
        names = ", ".join(f"{item.path} {item.symbol.name}" for item in chosen) or "nothing"
        yield Rewind(1, self.workspace.checkpoint(), f"The model wants to see {names}.")
        rest = [item for item in ranked if item not in chosen]
        return material.gather(self.workspace, index, (*chosen, *rest), self._budget(), self.count)

    def _apply(self, answer: AssistantMessage) -> Generator[Move, Reply, list[str]]:
        """Carry out the answer's calls; what went wrong, a line each."""
        problems = list(answer.malformed)
        index = self.index()
        calls = [c for c in answer.calls if not material.same_code(self.workspace, index, c)]
        if not calls and not problems:
            problems.append("The code you gave is the code that is there: it changes nothing.")
        for call in calls:
            result = yield from use(call, by_model=True)
            if not result.ok:
                problems.append(result.output)
        return problems

    def _test(self) -> Generator[Move, Reply, TestRun]:
        call = ToolCall(f"harness_{next(self._ids)}", "run_tests", {})
        result = yield from use(call, by_model=False)
        if not isinstance(result.details, TestRun):
            raise TypeError(f"run_tests gave {result.output}")
        self.judge.see(result.details)
        return result.details

    def _tests(self, run: TestRun | None) -> str:
        if run is None or run.ok:
            return ""
        source = material.failing_tests(self.workspace, self.index(), run)
        return "\n" + fill("guided_tests", source=source, result=run.brief()) + "\n"

    def _budget(self) -> int:
        return min(MAX_CODE, int(self.spec.context * CODE_SHARE))


def _outcome(before: TestRun, after: TestRun) -> str:
    broken = ", ".join(sorted(compare(before, after).broken)[:3])
    worse = f"The change breaks {broken}.\n" if broken else ""
    return f"{worse}The tests still fail:\n```\n{after.brief()}\n```"
