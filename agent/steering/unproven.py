"""A change where no test fails: failing tests are written first.

Changes are asked for without showing those tests: one that passes one of them was found twice over.
Where none does the tests may be what is wrong, and the first change that breaks nothing is left
without them. Owns this order. Must not know how an answer is tried.
"""

from __future__ import annotations

import itertools
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
    tried: set[str] = set()
    usable: tuple[AssistantMessage, Form] | None = None
    question: Question | None = questions.first(shown, bench.workspace)
    attempts: Iterator[Question] = iter(())
    while question is not None:
        message = UserMessage(f"{shared}\n\n{question.text}")
        answer = yield from ask(Ask(message, question.form, question.sampling))
        first = not tried
        after, problems = yield from bench.attempt(answer, question.form, tried)
        changed = bench.workspace.checkpoint() > checkpoint and not problems
        sound = changed and (run is None or after is None or not compare(run, after).broken)
        if sound:
            if written is None:
                return
            usable = usable or (answer, question.form)
        if first:
            attempts = _attempts(bench, shown, answer.text, judged=written is not None)
        if written is not None:
            passed = written.passed(after) if sound and after else {}
            better = after if passed == written.files else None
            if first:
                better = yield from _smaller(bench, shown, written, better, checkpoint)
            if better is not None:
                yield from alike.mend(bench, task, better, checkpoint)
                return
            if passed:
                reason = "One of the tests that were written passes; leaving the others out."
                yield from _settle(bench, start, passed, answer, question.form, reason)
                return
        yield Rewind(0, checkpoint, "That is no change to keep; asking anew.")
        question = next(attempts, None)
    if usable is not None:
        reason = "No change passes a test that was written; taking the first without them."
        yield from _settle(bench, start, {}, *usable, reason)
    else:
        yield Rewind(0, start, "No attempt helped.")


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


def _settle(
    bench: Bench,
    start: int,
    tests: dict[str, str],
    answer: AssistantMessage,
    form: Form,
    reason: str,
) -> Generator[Move, Reply, None]:
    """Return to the start, then leave these tests and the answer's change."""
    yield Rewind(0, start, reason)
    for path, text in tests.items():
        yield from bench.write(path, text)
    yield from bench.attempt(answer, form, set())


def _attempts(bench: Bench, shown: Material, said: str, *, judged: bool) -> Iterator[Question]:
    """The questions after the first where no test of the project's own fails."""
    if not judged:
        return questions.rewrites(shown, bench.workspace, said, named_only=True)
    return itertools.chain(
        questions.rewrites(shown, bench.workspace, said),
        questions.variations(shown, bench.workspace, said),
    )


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
    if snippet is not None:
        answer = replace(answer, calls=tuple(map(written_tests.shortened, answer.calls)))
    problems = yield from bench.apply(answer, form)
    after = written.run if problems else (yield from bench.test())
    short = written_tests.short_test(bench.workspace, after, path)
    usable = short not in ("", *written.files.values())
    usable = usable and not written_tests.expects_others(task, short)
    if usable and written_tests.reproduces(written.run, after, path):
        written.files[path], written.run = short, after
        yield from bench.write(path, short)
        yield Rewind(0, bench.workspace.checkpoint(), "A failing test is there.")
    else:
        yield Rewind(0, checkpoint, "That is no new failing test; asking anew.")
