"""The harness takes the steps; the model only says what is wrong and writes code.

Ranks and shows the code, runs the tests, asks for the cause and the whole symbols that must
change, applies them, tests, feeds back; what made nothing better is taken back and asked for
anew. Must not know how a model is asked, nor how a tool works.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

from agent.messages import AssistantMessage, UserMessage
from agent.models.base import CallForm, Form, ModelSpec
from agent.prompts import fill
from agent.steering import material, questions
from agent.steering.evidence import Case, Evidence, run_tests
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Moves, Reply, Rewind, Tell, ask, use
from agent.steering.questions import Question
from agent.steering.suspects import suspects
from agent.verify import Judge, compare
from tools.outline import Index
from tools.testing.reports import TestRun
from tools.workspace import Workspace

OWN_TEST_ATTEMPTS = 8
"""Attempts after the first where only a test that the model wrote says what is right."""
TEST_ATTEMPTS = 3
"""Tries at writing a test that fails."""
CODE_SHARE = 0.4
"""Part of the window that code may take."""
MAX_CODE = 6_000
"""Tokens of code, however large the window: a weak model loses its way in more."""
CHOICES = 60
"""Definitions offered when the code does not fit."""


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
    case: Case = field(default_factory=Case)
    safe: int | None = None
    """The checkpoint before the change that is being tried; None once a change stands."""
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    offers_tools = False

    @property
    def system(self) -> str:
        return fill("guided_system")

    @property
    def judge(self) -> Judge:
        return self.case.judge

    def moves(self, task: str, onward: str = "") -> Moves:
        """Conduct one turn."""
        if not onward:
            self.case.open()
        if self.case.evidence is None:
            self.case.evidence = Evidence(self.workspace)
        start = self.safe = self.workspace.checkpoint()
        run = (yield from self._test()) if self.has_tests else None
        if run is not None and run.ok:
            run = (yield from self._reproduce(task, run)) or run
        if run is not None and not run.ok:
            solved = yield from self._solve(task, run)
            if not solved and self.judge.baseline_ok:
                yield Rewind(0, start, "No change satisfies the test that was written for it.")
                yield from self._change_untested(task)
        else:
            yield from self._change_untested(task)
        self.safe = None
        changed = [change.path for change in self.workspace.changes()]
        return self.judge.verdict(changed, self.case.rewritten())

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
                yield Rewind(0, self.workspace.checkpoint(), f"{run.summary()}; going on.")
        return solved

    def _improve(self, task: str, run: TestRun) -> Generator[Move, Reply, TestRun | None]:
        """One improvement of `run`, or None when all attempts failed and were taken back."""
        shown = yield from self._show(task, run)
        shared = fill("guided_task", task=task, code=shown.code, tests=self._tests(run))
        checkpoint = self.safe = self.workspace.checkpoint()
        tried: set[str] = set()
        better, said = yield from self._attempt(
            shared, questions.first(shown, self.workspace), run, tried
        )
        attempts = questions.further(shown, self.workspace, said)
        if self.judge.baseline_ok:
            attempts = itertools.islice(attempts, OWN_TEST_ATTEMPTS)
        for number, question in enumerate(attempts, start=1):
            if better is not None:
                break
            yield Rewind(0, checkpoint, f"Attempt {number} did not help; asking anew.")
            better, _ = yield from self._attempt(shared, question, run, tried)
        if better is None:
            yield Rewind(0, checkpoint, "No attempt helped.")
            self.judge.see(run)  # the tree is again as this run saw it
        return better

    def _attempt(
        self, shared: str, question: Question, run: TestRun, tried: set[str]
    ) -> Generator[Move, Reply, tuple[TestRun | None, str]]:
        """Ask, apply, test; feed back once what came of it.

        Returns:
            The run of the tests if it is better than `run`; and what the model said.
        """
        message = UserMessage(f"{shared}\n\n{question.text}")
        answer = yield from ask(Ask(message, question.form, question.sampling))
        said = answer.text
        after, problems = yield from self._try(answer, question.form, run, tried)
        if after is not None and compare(run, after).better:
            return after, said
        moved = after is not None and _moved(run, after)
        if question.final or not (moved or (problems and question.discussed)):
            return None, said
        outcome = "\n".join(problems) if after is None else _outcome(run, after)
        message = UserMessage(fill("guided_feedback", outcome=outcome))
        answer = yield from ask(Ask(message, replace(question.form, max_thought=200)))
        after, _ = yield from self._try(answer, question.form, run, tried)
        return (after if after and compare(run, after).better else None), said

    def _try(
        self, answer: AssistantMessage, form: Form, run: TestRun | None, tried: set[str]
    ) -> Generator[Move, Reply, tuple[TestRun | None, list[str]]]:
        """Apply an answer and run the tests, unless the same was tried before.

        Returns:
            The run after the change, or None and what was wrong with the answer.
        """
        key = repr([dict(call.arguments) for call in answer.calls])
        if key in tried:
            return None, []
        tried.add(key)
        problems = yield from self._apply(answer, form)
        if problems or not self.has_tests:
            return None, problems
        return (yield from self._test()), []

    def _change_untested(self, task: str) -> Generator[Move, Reply, None]:
        """Change the code with nothing but the issue to go by; keep what breaks no test."""
        shown = yield from self._show(task, None)
        shared = fill("guided_task", task=task, code=shown.code, tests="")
        checkpoint = self.workspace.checkpoint()
        tried: set[str] = set()
        question: Question | None = questions.first(shown, self.workspace)
        attempts: Iterator[Question] = iter(())
        while question is not None:
            message = UserMessage(f"{shared}\n\n{question.text}")
            answer = yield from ask(Ask(message, question.form, question.sampling))
            if not tried:
                attempts = questions.rewrites(shown, self.workspace, answer.text)
            after, problems = yield from self._try(answer, question.form, None, tried)
            changed = self.workspace.checkpoint() > checkpoint
            if changed and not problems and (after is None or after.ok):
                return
            yield Rewind(0, checkpoint, "That is no change to keep; asking anew.")
            question = next(attempts, None)

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
            sampling = None if attempt == 0 else replace(questions.VARIED, seed=attempt)
            form = Form((call,), required=True, max_calls=1, max_thought=120)
            answer = yield from ask(Ask(UserMessage(question), form, sampling, max_tokens=700))
            problems = yield from self._apply(answer, form)
            if not problems:
                after = yield from self._test()
                if material.reproduces(run, after, path):
                    yield Rewind(0, self.workspace.checkpoint(), "A failing test is there.")
                    return after
            yield Rewind(0, checkpoint, "The test does not fail as it should; asking anew.")
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
        yield Rewind(0, self.workspace.checkpoint(), f"The model wants to see {names}.")
        rest = [item for item in ranked if item not in chosen]
        return material.gather(self.workspace, index, (*chosen, *rest), self._budget(), self.count)

    def _apply(self, answer: AssistantMessage, form: Form) -> Generator[Move, Reply, list[str]]:
        """Carry out those of the answer's calls that it was asked for; what went wrong."""
        problems = list(answer.malformed)
        changed = False
        for call in answer.calls:
            if not material.asked_for(call, form):
                problems.append(f"{call.name} was not asked for here.")
                continue
            if reason := material.unusable(self.workspace, self.index(), call):
                problems.append(reason)
                continue
            result = yield from use(call, by_model=True)
            changed = changed or result.ok
            if not result.ok:
                problems.append(result.output)
        # Where one of several calls changes something, the tests say whether that helps.
        return [] if changed else problems or ["Your answer holds no code."]

    def _test(self) -> Generator[Move, Reply, TestRun]:
        return run_tests(self.judge, f"harness_{next(self._ids)}")

    def _tests(self, run: TestRun | None) -> str:
        if run is None or run.ok:
            return ""
        source = material.failing_tests(self.workspace, self.index(), run)
        return "\n" + fill("guided_tests", source=source, result=run.brief()) + "\n"

    def _budget(self) -> int:
        return min(MAX_CODE, int(self.spec.context * CODE_SHARE))


def _moved(before: TestRun, after: TestRun) -> bool:
    """Whether a change that did not help did something to what fails, and broke nothing."""
    return not compare(before, after).broken and after.brief() != before.brief()


def _outcome(before: TestRun, after: TestRun) -> str:
    broken = ", ".join(sorted(compare(before, after).broken)[:3])
    worse = f"The change breaks {broken}.\n" if broken else ""
    return f"{worse}The tests still fail:\n```\n{after.brief()}\n```"
