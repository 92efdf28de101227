"""The harness takes the steps; the model only says what is wrong and writes code.

Ranks and shows the code, runs the tests, asks for the cause and the whole symbols that must
change, applies them, tests, feeds back; what made nothing better is taken back and asked for
anew. Must not know how a model is asked, nor how a tool works.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.events import Status
from agent.messages import AssistantMessage, UserMessage
from agent.models.base import Form
from agent.prompts import fill
from agent.steering import alike, material, points, questions, unproven
from agent.steering.bench import Bench
from agent.steering.evidence import Evidence
from agent.steering.infilling import Infilling
from agent.steering.moves import Ask, Move, Moves, Reply, Rewind, Tell, Verdict, ask
from agent.steering.points import Point
from agent.steering.questions import Question
from agent.steering.suspects import Key, called, suspects
from agent.verify import Judge, compare
from tools.testing.reports import TestRun

HARMLESS = 5
"""Changes of which each two are tried together."""
FEW = 12
"""Statements of what the model says is wrong; others are asked for right after it was wrong."""
QUESTION_CODE = 1_500
"""Tokens of code next to a question that is answered in words."""
QUESTION_NAMES = 20
"""Definitions that are listed next to one that names none."""


@dataclass(slots=True)
class _Trials:
    """What was tried to make one run of the tests better."""

    shared: str
    """How every question about it begins."""
    run: TestRun
    tried: set[str] = field(default_factory=set)
    """The calls of every answer so far."""
    harmless: list[tuple[AssistantMessage, Form]] = field(default_factory=list)
    """Changes that broke nothing and mended nothing."""

    def better(self, after: TestRun) -> bool:
        return compare(self.run, after).better


@dataclass(slots=True)
class Guided:
    """Implements `agent.steering.moves.Steering`."""

    bench: Bench
    talk: bool = False
    """Whether a message that ends in a question mark is answered in words."""

    offers_tools = False
    _proven: Verdict | None = None
    """Of what was changed, while points of the task are open that no test shows."""

    @property
    def system(self) -> str:
        return fill("guided_system")

    @property
    def judge(self) -> Judge:
        return self.bench.judge

    def retreat(self) -> Verdict | None:
        self.bench.put_back()
        self.bench.safe = None  # what is left is no trial, whatever comes next
        return self._proven

    def moves(self, task: str, onward: str = "") -> Moves:
        """Conduct one turn."""
        bench = self.bench
        if self.talk and task.rstrip().endswith("?"):
            return (yield from self._answer(task))
        bench.task, bench.denied, self._proven = task, False, None
        if not onward:
            bench.case.open(bench.workspace.checkpoint())
        if bench.case.evidence is None:
            bench.case.evidence = Evidence(bench.workspace)
        bench.safe = bench.workspace.checkpoint()
        run = (yield from bench.test()) if bench.has_tests else None
        solved = bool(onward) and run is not None and run.ok and self._is_proven()
        if run is None or (run.ok and not solved):
            yield from unproven.change(bench, task, run)
        else:
            index, listed = bench.index(), points.points(task)
            shown = {key for case in run.failures for key in called(index, case) if listed}
            run = yield from self._solve(task, run)
            if run.ok and (shown or solved):
                yield from self._go_on(listed, run, shown)
        bench.safe = self._proven = None
        return self._verdict()

    def _is_proven(self) -> bool:
        return self._verdict().status is Status.VERIFIED

    def _verdict(self) -> Verdict:
        changed = [change.path for change in self.bench.workspace.changes(turn=True)]
        return self.judge.verdict(changed, self.bench.case.rewritten())

    def _answer(self, question: str) -> Generator[Move, Reply, Verdict]:
        """Words for a question, next to the definitions that it names; nothing is run."""
        index = self.bench.index()
        ranked = suspects(index, question, None, "")
        words = set(re.findall(r"\w+", question))
        named = [item for item in ranked if words & set(re.findall(r"\w+", item.symbol.name))]
        if named:
            code = self.bench.gather(named, QUESTION_CODE).code
        else:
            code = material.outline(ranked[:QUESTION_NAMES])
        yield from ask(Ask(UserMessage(fill("guided_question", question=question, code=code))))
        return Verdict(Status.ANSWERED, "Nothing was changed.")

    def _solve(self, task: str, run: TestRun) -> Generator[Move, Reply, TestRun]:
        """Change the code until the failing tests pass or nothing makes them better.

        A change that fixes a test and breaks none is kept, and the tests that still fail are
        taken up anew.

        Returns:
            The last run.
        """
        while not run.ok:
            better = yield from self._improve(task, run)
            if better is None:
                return run
            run = better
            if not run.ok:
                checkpoint = self.bench.workspace.checkpoint()
                yield Rewind(0, checkpoint, f"{run.summary()}; going on.")
        return run

    def _go_on(
        self, listed: Sequence[Point], run: TestRun, shown: set[Key]
    ) -> Generator[Move, Reply, None]:
        """See to what the task lists and no test that failed has shown.

        Args:
            run: The tests, which pass.
            shown: What those called that failed.
        """
        bench, workspace = self.bench, self.bench.workspace
        for point in listed:
            seen = shown | points.changed(workspace.changes(turn=True))
            if not point.is_open(bench.index(), seen):
                continue
            self._proven = self._verdict()
            start = bench.safe = workspace.checkpoint()
            first = point.text.partition("\n")[0]
            yield Rewind(0, start, f"The tests pass; going on with: {first}")
            yield from unproven.change(bench, point.task, run, thorough=False)
            bench.safe = workspace.checkpoint()
            after = yield from bench.test()
            if bench.safe == start:
                yield Tell("Nothing was found for that.")
            elif not after.passed - run.passed:
                yield Tell("No test proves that change: look at it.")
            run = after

    def _improve(self, task: str, run: TestRun) -> Generator[Move, Reply, TestRun | None]:
        """One improvement of `run`, or None when all attempts failed and were taken back."""
        bench, workspace = self.bench, self.bench.workspace
        shown = yield from bench.show(task, run)
        shared = fill("guided_task", task=task, code=shown.code, tests=bench.failures(run))
        checkpoint = bench.safe = workspace.checkpoint()
        trials = _Trials(shared, run)
        better, said = yield from self._attempt(trials, questions.first(shown, workspace))
        better = yield from bench.smaller(shown, run, better, trials.better, checkpoint)
        gaps = Infilling(bench, shown, run, trials.better, tests=True)
        if better is None:
            better = yield from gaps.improve(questions.named(shown, said), FEW)
        attempts: Iterator[Question | None] = itertools.chain(
            questions.rewrites(shown, workspace, said),
            [None],  # time for what costs more
            questions.variations(shown, workspace, said),
        )
        for number, question in enumerate(attempts, start=1):
            if better is not None:
                break
            yield Rewind(0, checkpoint, f"Attempt {number} did not help; asking anew.")
            if question is None:
                better = yield from self._combine(trials)
                if better is None:
                    better = yield from gaps.improve(shown.candidates)
            else:
                better, _ = yield from self._attempt(trials, question)
        if better is None:
            yield Rewind(0, checkpoint, "No attempt helped.")
            self.judge.see(run)  # the tree is again as this run saw it
            return None
        return (yield from alike.mend(bench, task, better, checkpoint))

    def _attempt(
        self, trials: _Trials, question: Question
    ) -> Generator[Move, Reply, tuple[TestRun | None, str]]:
        """Ask, apply, test; feed back once what came of it.

        Returns:
            The run of the tests if it is better than before; and what the model said.
        """
        run = trials.run
        answer = yield from ask(question.behind(trials.shared))
        said = answer.text
        after, problems = yield from self.bench.attempt(answer, question.form, trials.tried)
        if after is not None and trials.better(after):
            return after, said
        if after is not None and not compare(run, after).broken:
            trials.harmless.append((answer, question.form))
        moved = after is not None and _moved(run, after)
        if question.final or not (moved or (problems and question.discussed)):
            return None, said
        outcome = "\n".join(problems) if after is None else _outcome(run, after)
        message = UserMessage(fill("guided_feedback", outcome=outcome))
        answer = yield from ask(Ask(message, replace(question.form, max_thought=200)))
        after, _ = yield from self.bench.attempt(answer, question.form, trials.tried)
        return (after if after and trials.better(after) else None), said

    def _combine(self, trials: _Trials) -> Generator[Move, Reply, TestRun | None]:
        """Make two changes at once that did neither good nor harm alone: a bug may lie in two
        places."""
        checkpoint = self.bench.workspace.checkpoint()
        for one, other in itertools.combinations(trials.harmless[:HARMLESS], 2):
            if _places(one[0]) & _places(other[0]):
                continue
            if not (yield from self.bench.apply(*one)) and not (
                yield from self.bench.apply(*other)
            ):
                after = yield from self.bench.test()
                if trials.better(after):
                    return after
            yield Rewind(0, checkpoint, "Two changes at once did not help either.")
        return None


def _places(answer: AssistantMessage) -> set[tuple[str, str]]:
    """The symbols that an answer replaces."""
    return {(str(c.arguments.get("path")), str(c.arguments.get("symbol"))) for c in answer.calls}


def _moved(before: TestRun, after: TestRun) -> bool:
    """Whether a change that did not help did something to what fails, and broke nothing."""
    return not compare(before, after).broken and after.brief() != before.brief()


def _outcome(before: TestRun, after: TestRun) -> str:
    broken = ", ".join(sorted(compare(before, after).broken)[:3])
    worse = f"The change breaks {broken}.\n" if broken else ""
    return f"{worse}The tests still fail:\n```\n{after.brief()}\n```"
