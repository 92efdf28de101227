"""A change where no test fails: failing tests are written first.

Changes are asked for without showing those tests: one that passes one of them was found twice over.
Where none does the tests may be what is wrong, and the first change that breaks nothing is left
without them. Owns this order. Must not know how an answer is tried.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.messages import AssistantMessage, UserMessage
from agent.models.base import CallForm, Form
from agent.prompts import fill
from agent.steering import alike, questions, written_tests
from agent.steering.bench import Bench
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Reply, Rewind, Tell, ask
from agent.steering.questions import Question
from agent.steering.snippets import Snippet, snippets
from agent.steering.suspects import suspects
from agent.verify import compare
from tools.outline import Ranked
from tools.testing.reports import TestRun

SNIPPETS = 6
"""Values that the issue speaks of, of which tests are made."""
ATTEMPTS = 4
"""Tries at writing tests of the model's own where the issue shows no value."""
WRITTEN = 2
"""How many tests are wanted: a weak model's test is wrong as often as right."""


@dataclass(slots=True)
class _Written:
    """Tests of the issue that the model wrote, in the tree."""

    run: TestRun
    """They fail in it."""
    files: dict[str, str] = field(default_factory=dict)
    shown: bool = True
    """Whether the issue shows the values that they ask for; else the model found them."""

    def passed(self, after: TestRun) -> dict[str, str]:
        """Those of the files whose test passes now."""
        fixed = compare(self.run, after).fixed
        return {p: text for p, text in self.files.items() if any(f.startswith(p) for f in fixed)}


@dataclass(frozen=True, slots=True)
class _Change:
    """An answer that breaks nothing."""

    answer: AssistantMessage
    form: Form
    passes: dict[str, str]
    """The written tests that pass with it: path and content."""


@dataclass(slots=True)
class _Trials:
    """What was tried."""

    bench: Bench
    shared: str
    """How every question begins."""
    run: TestRun | None
    """The tests before; None where there are none."""
    written: _Written | None
    checkpoint: int
    """Where every attempt begins."""
    tried: set[str] = field(default_factory=set)
    best: _Change | None = None
    """With which most of the written tests pass."""
    said: str = ""
    """The first answer's words."""

    def attempt(self, question: Question) -> Generator[Move, Reply, tuple[bool, TestRun | None]]:
        """Ask, apply, test.

        Returns:
            Whether the change that is in the tree now is one to keep, and the tests with it.
        """
        message = UserMessage(f"{self.shared}\n\n{question.text}")
        answer = yield from ask(Ask(message, question.form, question.sampling))
        self.said = self.said or answer.text
        after, problems = yield from self.bench.attempt(answer, question.form, self.tried)
        changed = self.bench.workspace.checkpoint() > self.checkpoint and not problems
        broken = compare(self.run, after).broken if self.run and after else ()
        if not changed or broken:
            return False, after
        if self.written is None or self.run is None:
            return True, after
        passes = self.written.passed(after) if after else {}
        if self.best is None or len(passes) > len(self.best.passes):
            self.best = _Change(answer, question.form, passes)
            self.bench.hold(self.run, without=self.written.files)
        return passes == self.written.files, after


def change(bench: Bench, task: str, run: TestRun | None) -> Generator[Move, Reply, None]:
    """Change the code for a task that no test shows.

    Args:
        run: The tests as they are; None where there are none.
    """
    start = bench.workspace.checkpoint()
    written = (yield from _reproduce(bench, task, run)) if run is not None else None
    shown = yield from bench.show(task, None)
    shared = fill("guided_task", task=task, code=shown.code, tests="")
    checkpoint = bench.workspace.checkpoint()
    trials = _Trials(bench, shared, run, written, checkpoint)
    good, after = yield from trials.attempt(questions.first(shown, bench.workspace))
    if written is not None:
        after = yield from _smaller(bench, shown, written, after if good else None, checkpoint)
        good = after is not None
    for question in _attempts(bench, shown, trials.said, written):
        if good or (question is None and trials.best is not None and trials.best.passes):
            break
        if question is not None:
            yield Rewind(0, checkpoint, "That is no change to keep; asking anew.")
            good, after = yield from trials.attempt(question)
    if good:
        if after is not None and written is not None:
            yield from alike.mend(bench, task, after, checkpoint)
    elif trials.best is not None:
        yield from _settle(bench, start, trials.best)
    else:
        yield Rewind(0, start, "No attempt helped.")
    bench.reserve = None


def _smaller(
    bench: Bench, shown: Material, written: _Written, better: TestRun | None, checkpoint: int
) -> Generator[Move, Reply, TestRun | None]:
    """As `Bench.smaller`, with all written tests as the judge."""

    def good(after: TestRun) -> bool:
        sound = not compare(written.run, after).broken
        return sound and written.passed(after) == written.files

    return (
        yield from bench.smaller(shown, written.run, better, good, checkpoint, sure=written.shown)
    )


def _settle(bench: Bench, start: int, best: _Change) -> Generator[Move, Reply, None]:
    """Return to the start, then leave the best change and the tests that pass with it."""
    reason = "No change passes a test that was written; taking the first without them."
    if best.passes:
        reason = "Not all tests that were written pass; leaving the others out."
    yield Rewind(0, start, reason)
    for path, text in best.passes.items():
        yield from bench.write(path, text)
    yield from bench.attempt(best.answer, best.form, set())


def _attempts(
    bench: Bench, shown: Material, said: str, written: _Written | None
) -> Iterator[Question | None]:
    """The questions after the first; None where a change that passes some tests is enough.

    Where the tests' values are a guess it is not worth long to look for a change that passes them.
    """
    named_only = written is None
    sure = written is not None and written.shown
    for question in questions.rewrites(shown, bench.workspace, said, named_only=named_only):
        yield from (question,) if sure else (None, question)
    if sure:
        yield None
        yield from questions.variations(shown, bench.workspace, said)


def _reproduce(bench: Bench, task: str, run: TestRun) -> Generator[Move, Reply, _Written | None]:
    """Have failing tests written; None if none fails as it should."""
    yield Tell("No test fails yet: asking for tests that do.")
    ranked = suspects(bench.index(), task, None, "")
    like = written_tests.like_tests(bench.workspace, bench.index(), run, ranked)
    question = fill(
        "guided_reproduce", task=task, code=bench.gather(ranked).code, tests=like or "(none)"
    )
    written = _Written(run)
    for snippet in snippets(task)[:SNIPPETS]:
        if len(written.files) < WRITTEN:
            yield from _write_test(bench, task, question, ranked, written, snippet=snippet)
    if not written.files:
        written.shown = False
        for chance in range(ATTEMPTS):
            if len(written.files) < WRITTEN:
                yield from _write_test(bench, task, question, ranked, written, chance=chance)
    return written if written.files else None


def _write_test(
    bench: Bench,
    task: str,
    question: str,
    ranked: Sequence[Ranked],
    written: _Written,
    *,
    snippet: Snippet | None = None,
    chance: int = 0,
) -> Generator[Move, Reply, None]:
    """Have one test written, and keep it if it fails as it should."""
    checkpoint = bench.workspace.checkpoint()
    path, opening = written_tests.new_test(
        bench.workspace, bench.index(), written.run, ranked, snippet
    )
    if snippet is not None and not opening:
        return
    call = CallForm("write_file", ((("path", path),),), ("content",), (opening,), language="python")
    sampling = replace(questions.VARIED, seed=chance) if chance else None
    form = Form((call,), required=True, max_calls=1, max_thought=120)
    answer = yield from ask(Ask(UserMessage(question), form, sampling, max_tokens=700))
    calls = answer.calls
    if snippet is not None:
        calls = tuple(map(written_tests.shortened, calls))
    stated = tuple(written_tests.as_stated(task, call) for call in calls)
    index = bench.index()
    for version in (stated, calls) if stated != calls else (calls,):
        completed = (
            written_tests.complete(bench.workspace, index, written.run, call) for call in version
        )
        answer = replace(answer, calls=tuple(completed))
        problems = yield from bench.apply(answer, form)
        after = written.run if problems else (yield from bench.test())
        short = written_tests.short_test(bench.workspace, after, path)
        usable = short not in ("", *written.files.values())
        usable = usable and not written_tests.expects_others(task, short)
        if usable and written_tests.reproduces(task, written.run, after, path):
            written.files[path], written.run = short, after
            yield from bench.write(path, short)
            yield Rewind(0, bench.workspace.checkpoint(), "A failing test is there.")
            return
        yield Rewind(0, checkpoint, "That is no new failing test; asking anew.")
