"""The harness takes the steps; the model only says what is wrong and writes code.

Ranks and shows the code, runs the tests, asks for the cause and the whole symbols that must
change, applies them, tests, feeds back; what made nothing better is taken back and asked for
anew. Must not know how a model is asked, nor how a tool works.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

from agent.events import Status
from agent.messages import AssistantMessage, ToolCall, UserMessage
from agent.models.base import CallForm, Form, ModelSpec
from agent.prompts import fill
from agent.steering import material, questions, written_tests
from agent.steering.evidence import Case, Evidence, run_tests
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Moves, Reply, Rewind, Tell, Verdict, ask, use
from agent.steering.questions import Question
from agent.steering.snippets import snippets
from agent.steering.suspects import suspects
from agent.verify import Judge, compare
from tools.outline import Index
from tools.testing.reports import TestRun
from tools.workspace import Workspace

SNIPPETS = 6
"""Values that the issue speaks of of which tests are made."""
TEST_ATTEMPTS = 4
"""Tries at writing tests that fail."""
WRITTEN_TESTS = 2
"""How many of them are wanted: a weak model's test is wrong as often as right."""
HARMLESS = 5
"""Changes of which each two are tried together."""
CODE_SHARE = 0.4
"""Part of the window that code may take."""
MAX_CODE = 6_000
"""Tokens of code, however large the window: a weak model loses its way in more."""
QUESTION_CODE = 1_500
"""Tokens of code next to a question that is answered in words."""
QUESTION_NAMES = 20
"""Definitions that are listed next to one that names none."""
CHOICES = 60
"""Definitions offered when the code does not fit."""


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


@dataclass(frozen=True, slots=True)
class _Written:
    """Tests of the issue that the model wrote, in the tree."""

    run: TestRun
    """They fail in it."""
    files: dict[str, str]

    def passed(self, after: TestRun) -> dict[str, str]:
        """Those of the files whose test passes now."""
        fixed = compare(self.run, after).fixed
        return {p: text for p, text in self.files.items() if any(f.startswith(p) for f in fixed)}


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
    talk: bool = False
    """Whether a message that ends in a question mark is answered in words."""
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
        if self.talk and task.rstrip().endswith("?"):
            return (yield from self._answer(task))
        if not onward:
            self.case.open(self.workspace.checkpoint())
        if self.case.evidence is None:
            self.case.evidence = Evidence(self.workspace)
        self.safe = self.workspace.checkpoint()
        run = (yield from self._test()) if self.has_tests else None
        if run is None or run.ok:
            yield from self._change_unproven(task, run)
        else:
            yield from self._solve(task, run)
        self.safe = None
        changed = [change.path for change in self.workspace.changes(turn=True)]
        return self.judge.verdict(changed, self.case.rewritten())

    def _answer(self, question: str) -> Generator[Move, Reply, Verdict]:
        """Words for a question, next to the definitions that it names; nothing is run."""
        index = self.index()
        ranked = suspects(index, question, None, "")
        words = set(re.findall(r"\w+", question))
        named = [item for item in ranked if words & set(re.findall(r"\w+", item.symbol.name))]
        if named:
            budget = min(self._budget(), QUESTION_CODE)
            code = material.gather(self.workspace, index, named, budget, self.count).code
        else:
            code = material.outline(ranked[:QUESTION_NAMES])
        yield from ask(Ask(UserMessage(fill("guided_question", question=question, code=code))))
        return Verdict(Status.ANSWERED, "Nothing was changed.")

    def _solve(self, task: str, run: TestRun) -> Generator[Move, Reply, None]:
        """Change the code until the failing tests pass or nothing makes them better.

        A change that fixes a test and breaks none is kept, and the tests that still fail are
        taken up anew.
        """
        while not run.ok:
            better = yield from self._improve(task, run)
            if better is None:
                return
            run = better
            if not run.ok:
                yield Rewind(0, self.workspace.checkpoint(), f"{run.summary()}; going on.")

    def _improve(self, task: str, run: TestRun) -> Generator[Move, Reply, TestRun | None]:
        """One improvement of `run`, or None when all attempts failed and were taken back."""
        shown = yield from self._show(task, run)
        shared = fill("guided_task", task=task, code=shown.code, tests=self._tests(run))
        checkpoint = self.safe = self.workspace.checkpoint()
        trials = _Trials(shared, run)
        better, said = yield from self._attempt(trials, questions.first(shown, self.workspace))
        attempts: Iterator[Question | None] = itertools.chain(
            questions.rewrites(shown, self.workspace, said),
            [None],  # time to combine
            questions.variations(shown, self.workspace, said),
        )
        for number, question in enumerate(attempts, start=1):
            if better is not None:
                break
            yield Rewind(0, checkpoint, f"Attempt {number} did not help; asking anew.")
            if question is None:
                better = yield from self._combine(trials)
            else:
                better, _ = yield from self._attempt(trials, question)
        if better is None:
            yield Rewind(0, checkpoint, "No attempt helped.")
            self.judge.see(run)  # the tree is again as this run saw it
        return better

    def _attempt(
        self, trials: _Trials, question: Question
    ) -> Generator[Move, Reply, tuple[TestRun | None, str]]:
        """Ask, apply, test; feed back once what came of it.

        Returns:
            The run of the tests if it is better than before; and what the model said.
        """
        run = trials.run
        message = UserMessage(f"{trials.shared}\n\n{question.text}")
        answer = yield from ask(Ask(message, question.form, question.sampling))
        said = answer.text
        after, problems = yield from self._try(answer, question.form, trials.tried)
        if after is not None and compare(run, after).better:
            return after, said
        if after is not None and not compare(run, after).broken:
            trials.harmless.append((answer, question.form))
        moved = after is not None and _moved(run, after)
        if question.final or not (moved or (problems and question.discussed)):
            return None, said
        outcome = "\n".join(problems) if after is None else _outcome(run, after)
        message = UserMessage(fill("guided_feedback", outcome=outcome))
        answer = yield from ask(Ask(message, replace(question.form, max_thought=200)))
        after, _ = yield from self._try(answer, question.form, trials.tried)
        return (after if after and compare(run, after).better else None), said

    def _combine(self, trials: _Trials) -> Generator[Move, Reply, TestRun | None]:
        """Make two changes at once that did neither good nor harm alone: a bug may lie in two
        places."""
        checkpoint = self.workspace.checkpoint()
        for one, other in itertools.combinations(trials.harmless[:HARMLESS], 2):
            if _places(one[0]) & _places(other[0]):
                continue
            if not (yield from self._apply(*one)) and not (yield from self._apply(*other)):
                after = yield from self._test()
                if compare(trials.run, after).better:
                    return after
            yield Rewind(0, checkpoint, "Two changes at once did not help either.")
        return None

    def _try(
        self, answer: AssistantMessage, form: Form, tried: set[str]
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

    def _change_unproven(self, task: str, run: TestRun | None) -> Generator[Move, Reply, None]:
        """Change the code where no test fails.

        Failing tests are written first, but changes are asked for without showing them: one that
        passes one of them was found twice over. Where none does the tests may be what is wrong,
        and the first change that breaks nothing is left without them.

        Args:
            run: The tests as they are; None where there are none.
        """
        start = self.workspace.checkpoint()
        written = (yield from self._reproduce(task, run)) if run is not None else None
        shown = yield from self._show(task, None)
        shared = fill("guided_task", task=task, code=shown.code, tests="")
        checkpoint = self.workspace.checkpoint()
        tried: set[str] = set()
        usable: tuple[AssistantMessage, Form] | None = None
        question: Question | None = questions.first(shown, self.workspace)
        attempts: Iterator[Question] = iter(())
        while question is not None:
            message = UserMessage(f"{shared}\n\n{question.text}")
            answer = yield from ask(Ask(message, question.form, question.sampling))
            if not tried:
                attempts = self._unproven(shown, answer.text, judged=written is not None)
            after, problems = yield from self._try(answer, question.form, tried)
            changed = self.workspace.checkpoint() > checkpoint and not problems
            if changed and (run is None or after is None or not compare(run, after).broken):
                passed = written.passed(after) if written and after else {}
                if written is None or passed == written.files:
                    return
                if passed:
                    reason = "One of the tests that were written passes; leaving the others out."
                    yield from self._settle(start, passed, answer, question.form, reason)
                    return
                usable = usable or (answer, question.form)
            yield Rewind(0, checkpoint, "That is no change to keep; asking anew.")
            question = next(attempts, None)
        if usable is not None:
            reason = "No change passes a test that was written; taking the first without them."
            yield from self._settle(start, {}, *usable, reason)

    def _settle(
        self, start: int, tests: dict[str, str], answer: AssistantMessage, form: Form, reason: str
    ) -> Generator[Move, Reply, None]:
        """Return to the start, then leave these tests and the answer's change."""
        yield Rewind(0, start, reason)
        for path, text in tests.items():
            yield from self._write(path, text)
        yield from self._try(answer, form, set())

    def _write(self, path: str, text: str) -> Generator[Move, Reply, None]:
        arguments = {"path": path, "content": text}
        yield from use(
            ToolCall(f"harness_{next(self._ids)}", "write_file", arguments), by_model=False
        )

    def _unproven(self, shown: Material, said: str, *, judged: bool) -> Iterator[Question]:
        """The questions after the first where no test of the project's own fails."""
        if not judged:
            return questions.rewrites(shown, self.workspace, said, named_only=True)
        return itertools.chain(
            questions.rewrites(shown, self.workspace, said),
            questions.variations(shown, self.workspace, said),
        )

    def _reproduce(self, task: str, run: TestRun) -> Generator[Move, Reply, _Written | None]:
        """Have failing tests written; None if none fails as it should."""
        yield Tell("No test fails yet: asking for tests that do.")
        ranked = suspects(self.index(), task, None, "")
        shown = material.gather(self.workspace, self.index(), ranked, self._budget(), self.count)
        like = written_tests.like_tests(self.workspace, self.index(), run, ranked)
        question = fill("guided_reproduce", task=task, code=shown.code, tests=like or "(none)")
        files: dict[str, str] = {}
        exact = False
        shows = [(0, snippet) for snippet in snippets(task)[:SNIPPETS]]
        for chance, snippet in [*shows, *((number, None) for number in range(TEST_ATTEMPTS))]:
            if snippet is None and exact:
                break
            checkpoint = self.workspace.checkpoint()
            path, opening = written_tests.new_test(
                self.workspace, self.index(), run, ranked, snippet
            )
            if snippet is not None and not opening:
                continue
            call = CallForm(
                "write_file", ((("path", path),),), ("content",), (opening,), language="python"
            )
            sampling = replace(questions.VARIED, seed=chance) if chance else None
            form = Form((call,), required=True, max_calls=1, max_thought=120)
            answer = yield from ask(Ask(UserMessage(question), form, sampling, max_tokens=700))
            if snippet is not None:
                answer = replace(answer, calls=tuple(map(written_tests.shortened, answer.calls)))
            problems = yield from self._apply(answer, form)
            after = run if problems else (yield from self._test())
            short = written_tests.short_test(self.workspace, after, path)
            if short and written_tests.reproduces(run, after, path) and short not in files.values():
                files[path], run, exact = short, after, snippet is not None
                yield from self._write(path, short)
                yield Rewind(0, self.workspace.checkpoint(), "A failing test is there.")
            else:
                yield Rewind(0, checkpoint, "That is no new failing test; asking anew.")
            if len(files) == WRITTEN_TESTS:
                break
        return _Written(run, files) if files else None

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
            whole = material.complete(self.workspace, self.index(), call)
            result = yield from use(whole, by_model=True)
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
