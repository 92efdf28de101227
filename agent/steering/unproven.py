"""A change where no test fails: failing tests are written first.

Changes are asked for without showing those tests: one that passes one of them was found twice over.
Where none does the tests may be what is wrong, and the first change that breaks nothing is left
without them. Owns this order. Must not know how an answer is tried.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.messages import UserMessage
from agent.models.base import CallForm, Form
from agent.prompts import fill
from agent.steering import alike, material, questions, written_tests
from agent.steering.bench import Bench
from agent.steering.infilling import Infilling
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Reply, Rewind, Tell, ask
from agent.steering.questions import Question
from agent.steering.showing import shows
from agent.steering.snippets import Snippet, snippets
from agent.steering.stated import exceptions, versions
from agent.steering.suspects import suspects
from agent.verify import compare
from tools.outline import Ranked
from tools.testing.reports import TestRun

SNIPPETS = 6
"""Values that the issue speaks of, of which tests are made."""
ATTEMPTS = 4
"""Tries at writing tests of the model's own where the issue shows no value."""
WRITTEN = 2
"""How many tests of its own are wanted: a weak model's test is wrong as often as right."""
SHOWN = 3
"""How many are wanted of values that the issue shows."""


@dataclass(slots=True)
class _Written:
    """Tests of the issue that the model wrote, in the tree."""

    run: TestRun
    """The tests with what is kept of the changes."""
    files: dict[str, str] = field(default_factory=dict)
    """Their content by path."""
    sure: set[str] = field(default_factory=set)
    """Those of which the issue says what they ask for; of the others the model does."""
    best: int = -1
    """How many pass with the change in reserve; less than none: there is no change."""

    def passing(self, run: TestRun) -> dict[str, str]:
        passed, failed = (
            {name.partition("::")[0] for name in names} for names in (run.passed, run.failed)
        )
        return {path: text for path, text in self.files.items() if path in passed - failed}

    def done(self, run: TestRun) -> bool:
        return self.passing(run) == self.files


@dataclass(slots=True)
class _Trials:
    """What was tried to make one more of the written tests pass."""

    bench: Bench
    written: _Written
    shared: str
    """How every question begins."""
    checkpoint: int
    """Where every attempt begins."""
    tried: set[str] = field(default_factory=set)

    def attempt(self, question: Question) -> Generator[Move, Reply, tuple[TestRun | None, str]]:
        """Ask, apply, test.

        Returns:
            The run of the tests if all that were written pass in it; and what the model said.
        """
        answer = yield from ask(question.behind(self.shared))
        after, problems = yield from self.bench.attempt(answer, question.form, self.tried)
        changed = self.bench.workspace.checkpoint() > self.checkpoint and not problems
        return (after if changed and after and self.good(after) else None), answer.text

    def good(self, after: TestRun) -> bool:
        """Whether all written tests pass with what is in the tree; the best so far is kept."""
        if compare(self.written.run, after).broken:
            return False
        passing = self.written.passing(after)
        if len(passing) > self.written.best:
            self.written.best = len(passing)
            self.bench.hold(after, without=self.written.files.keys() - passing)
        return passing == self.written.files


def change(
    bench: Bench, task: str, run: TestRun | None, *, thorough: bool = True
) -> Generator[Move, Reply, None]:
    """Change the code for a task that no test shows.

    Args:
        run: The tests as they are; None where there are none.
        thorough: Whether to fill gaps, doubt and chance, and to change something even if no test
            can be written that fails.
    """
    start = bench.workspace.checkpoint()
    written = (yield from _reproduce(bench, task, run)) if run is not None else None
    if written is None:
        if thorough:
            yield from _unjudged(bench, task, run)
        return
    better = True
    while better and not written.done(written.run):
        better = yield from _improve(bench, task, written, thorough)
    if written.best < 0:
        yield Rewind(0, start, "No attempt helped.")
    elif not written.done(written.run):
        reason = "No change passes a test that was written; leaving the tests out."
        if written.best:
            reason = "Not all tests that were written pass; leaving the others out."
        yield Rewind(0, start, reason)
        bench.bring_back()
        yield from bench.test()
    bench.reserve = None


def _improve(
    bench: Bench, task: str, written: _Written, thorough: bool
) -> Generator[Move, Reply, bool]:
    """Make more of the written tests pass; whether some do now, and it is worth going on."""
    # Which tests fail says where to look, if they can be trusted.
    shown = yield from bench.show(task, written.run if written.sure else None)
    shared = fill("guided_task", task=task, code=shown.code, tests="")
    checkpoint, before = bench.workspace.checkpoint(), written.best
    trials = _Trials(bench, written, shared, checkpoint)
    after, said = yield from trials.attempt(questions.first(shown, bench.workspace))
    after = yield from bench.smaller(
        shown, written.run, after, trials.good, checkpoint, sure=bool(written.sure)
    )
    if after is None and written.sure and thorough:
        gaps = Infilling(bench, shown, written.run, trials.good, tests=False)
        after = yield from gaps.improve(shown.candidates)
    for question in _attempts(bench, shown, said, written, thorough):
        if after is not None or (question is None and written.best > max(before, 0)):
            break
        if question is not None:
            yield Rewind(0, checkpoint, "That is no change to keep; asking anew.")
            after, _ = yield from trials.attempt(question)
    if after is None and written.sure and written.best > max(before, 0):
        yield Rewind(0, checkpoint, "More of the tests that were written pass; going on.")
        after = bench.bring_back()
    if after is None:
        return False
    written.run = yield from alike.mend(bench, task, after, checkpoint)
    bench.hold(written.run, without=written.files.keys() - written.passing(written.run))
    return True


def _unjudged(bench: Bench, task: str, run: TestRun | None) -> Generator[Move, Reply, None]:
    """Leave the first change that breaks nothing."""
    shown = yield from bench.show(task, None)
    shared = fill("guided_task", task=task, code=shown.code, tests="")
    start = bench.workspace.checkpoint()
    tried: set[str] = set()
    question: Question | None = questions.first(shown, bench.workspace)
    others: Iterator[Question] | None = None
    while question is not None:
        answer = yield from ask(question.behind(shared))
        after, problems = yield from bench.attempt(answer, question.form, tried)
        broken = compare(run, after).broken if run and after else ()
        if bench.workspace.checkpoint() > start and not problems and not broken:
            return
        yield Rewind(0, start, "That is no change to keep; asking anew.")
        others = others or questions.rewrites(shown, bench.workspace, answer.text, named_only=True)
        question = next(others, None)
    yield Tell("No attempt helped.")


def _attempts(
    bench: Bench, shown: Material, said: str, written: _Written, thorough: bool
) -> Iterator[Question | None]:
    """The questions after the first; None where a change that passes some tests is enough.

    Where the tests' values are guesses, and where some pass already, it is not worth long to look
    for a change that passes them.
    """
    some = written.best > 0
    named_only = not written.sure
    for question in questions.rewrites(shown, bench.workspace, said, named_only=named_only):
        yield from (question,) if written.sure else (None, question)
    if written.sure and thorough and not some:
        yield None
        yield from questions.variations(shown, bench.workspace, said)


def _reproduce(bench: Bench, task: str, run: TestRun) -> Generator[Move, Reply, _Written | None]:
    """Have failing tests written; None if none fails as it should."""
    yield Tell("No test fails yet: asking for tests that do.")
    start = bench.workspace.checkpoint()
    ranked = suspects(bench.index(), task, None, "")
    like = written_tests.like_tests(bench.workspace, bench.index(), run, ranked)
    question = fill(
        "guided_reproduce", task=task, code=bench.gather(ranked).code, tests=like or "(none)"
    )
    written = _Written(run)
    for snippet in snippets(task)[:SNIPPETS]:
        if len(written.files) < SHOWN:
            yield from _write_test(bench, task, question, ranked, written, snippet=snippet)
    if not written.files:
        for chance in range(ATTEMPTS):
            if len(written.files) < WRITTEN:
                yield from _write_test(bench, task, question, ranked, written, chance=chance)
        if written.sure and len(written.sure) < len(written.files):
            yield Rewind(0, start, "Not all of them ask for what the issue says; the others go.")
            written.files = {path: written.files[path] for path in sorted(written.sure)}
            for path, text in written.files.items():
                yield from bench.write(path, text)
            written.run = yield from bench.test()
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
    if chance == 1 and not exceptions(task):
        opening += "assert "  # a weak model likes to expect an exception
    call = CallForm(
        "write_file",
        ((("path", path),),),
        ("content",),
        (opening,),
        language="python",
        one_line=snippet is not None,
    )
    sampling = replace(questions.VARIED, seed=chance) if chance > 1 else None
    form = Form((call,), required=True, max_calls=1, max_thought=120)
    answer = yield from ask(Ask(UserMessage(question), form, sampling, max_tokens=700))
    said = next((str(call.arguments.get("content", "")) for call in answer.calls), "")
    if snippet is not None:
        said = written_tests.shortened(said)
    index = bench.index()
    tried = [*versions(task, said, shown=snippet is not None)]
    if not tried:
        yield Rewind(0, checkpoint, "That expects what it gives; asking anew.")
    for version in tried:
        content = written_tests.complete(bench.workspace, index, written.run, path, version)
        arguments = {"path": path, "content": content}
        calls = tuple(replace(call, arguments=arguments) for call in answer.calls[:1])
        problems = yield from bench.apply(replace(answer, calls=calls), form)
        after = written.run if problems else (yield from bench.test())
        source = material.text_of(bench.workspace, path) if not problems else ""
        found = shows(task, source, written.run, after, path)
        if found is not None and found.source not in written.files.values():
            written.files[path], written.run = found.source, after
            if found.sure or snippet is not None:
                written.sure.add(path)
            yield from bench.write(path, found.source)
            yield Rewind(0, bench.workspace.checkpoint(), "A failing test is there.")
            return
        yield Rewind(0, checkpoint, "That is no new failing test; asking anew.")
