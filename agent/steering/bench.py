"""Where a guided model's answers are tried: applied to the tree, tested, put back.

Owns what is shown of the code, how an answer is carried out, and the change that is kept in
reserve. Must not know which questions are asked, nor in what order.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.approval import Denial
from agent.messages import AssistantMessage, ToolCall, UserMessage
from agent.models.base import Form, ModelSpec
from agent.prompts import fill
from agent.steering import material
from agent.steering.evidence import Case, run_tests
from agent.steering.fitted import fitted
from agent.steering.material import Material
from agent.steering.moves import Ask, Move, Reply, Rewind, Tell, ask, use
from agent.steering.rating import rated
from agent.steering.suspects import suspects
from agent.verify import Judge
from tools.mend import Definition, Mend, Mends
from tools.outline import Index, Ranked
from tools.syntax import language_of
from tools.testing.commands import Runner
from tools.testing.find_tests import is_test_path
from tools.testing.reports import TestCase, TestRun
from tools.text import difference
from tools.workspace import Workspace

CODE_SHARE = 0.4
"""Part of the window that code may take."""
MAX_CODE = 6_000
"""Tokens of code, however large the window: a weak model loses its way in more."""
CHOICES = 60
"""Definitions offered when the code does not fit."""
MENDED = 40
"""Definitions in which small changes are tried."""
MEND_SECONDS = 60.0
"""What all small changes together may take."""
SMALLER_SECONDS = 20.0
"""The same where a change was found already, and a smaller one is looked for."""
MADE = 5
"""Small changes that pass, of which one after the other is made."""
RATED = 8
"""Of those that are equally good, how many the model is asked about."""
SMALL = 8
"""Words that differ, where a change is so small that no smaller one is looked for."""
FITTED = "That only gives the value that a test expects; write the rule behind it."
_ERROR = re.compile(r"\b((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Invalid\w+))\b")


@dataclass(frozen=True, slots=True)
class _Found:
    """A change that made the tests better."""

    run: TestRun
    files: Mapping[str, bytes]
    """What it takes to put it back."""


@dataclass(slots=True)
class Bench:
    """One workspace, in which one change after the other is tried."""

    workspace: Workspace
    index: Callable[[], Index]
    """The index of the workspace as it is now."""
    spec: ModelSpec
    count: Callable[[str], int]
    has_tests: bool
    """Whether there is a command that runs the project's tests."""
    case: Case
    edits_ask: Callable[[], bool] = bool
    """Whether the user wants to see every edit of the model's before it is made."""
    task: str = ""
    """What the user wants in this turn."""
    denied: bool = False
    """Whether the user did not allow trials in this turn."""
    safe: int | None = None
    """The checkpoint before the change that is being tried; None once a change stands."""
    reserve: _Found | None = None
    """What is put back if nothing better comes."""
    _ours: dict[str, set[bytes | None]] = field(default_factory=dict)
    """What files were and became by changes that were held."""
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def judge(self) -> Judge:
        return self.case.judge

    @property
    def budget(self) -> int:
        """Tokens of code that a question may show."""
        return min(MAX_CODE, int(self.spec.context * CODE_SHARE))

    def _new_id(self) -> str:
        return f"harness_{next(self._ids)}"

    # --- what is shown

    def show(self, task: str, run: TestRun | None) -> Generator[Move, Reply, Material]:
        """The code for a question; the model chooses when the likely code does not fit."""
        index = self.index()
        tests = material.failing_tests(self.workspace, index, run)
        ranked = suspects(index, task, run, tests)
        shown = self.gather(ranked)
        if shown.complete or not ranked:
            return shown
        offered = ranked[:CHOICES]
        outline = material.outline(offered)
        question = fill("guided_choose", task=task, tests=self.failures(run), outline=outline)
        form = Form((material.choosing(offered),), required=True, max_calls=4, max_thought=80)
        answer = yield from ask(Ask(UserMessage(question), form, max_tokens=400))
        chosen = material.chosen(offered, answer.calls)
        names = ", ".join(f"{item.path} {item.symbol.name}" for item in chosen) or "nothing"
        yield Rewind(0, self.workspace.checkpoint(), f"The model wants to see {names}.")
        return self.gather((*chosen, *(item for item in ranked if item not in chosen)))

    def gather(self, ranked: Sequence[Ranked], budget: int | None = None) -> Material:
        room = self.budget if budget is None else min(budget, self.budget)
        return material.gather(self.workspace, self.index(), ranked, room, self.count)

    def failures(self, run: TestRun | None) -> str:
        """The tests that fail, and how, as a part of a question."""
        if run is None or run.ok:
            return ""
        source = material.failing_tests(self.workspace, self.index(), run)
        return "\n" + fill("guided_tests", source=source, result=run.brief()) + "\n"

    # --- what is tried

    def test(self) -> Generator[Move, Reply, TestRun]:
        return run_tests(self.judge, self._new_id())

    def attempt(
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
        checkpoint = self.workspace.checkpoint()
        problems = yield from self.apply(answer, form)
        if not problems and self._fitted(checkpoint):
            yield Rewind(0, checkpoint, FITTED)
            problems = [FITTED]
        if problems or not self.has_tests:
            return None, problems
        return (yield from self.test()), []

    def apply(self, answer: AssistantMessage, form: Form) -> Generator[Move, Reply, list[str]]:
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

    def _fitted(self, checkpoint: int) -> bool:
        """Whether what was changed since gives a value that a test expects."""
        return any(
            fitted(
                material.decode(change.before or b""), material.decode(change.after), self._tests
            )
            for change in self.workspace.changes(since=checkpoint)
            if change.after is not None and language_of(change.path) == "python"
        )

    def _tests(self) -> str:
        paths = filter(is_test_path, self.workspace.files())
        return "\n".join(map(material.decode, material.readable(self.workspace, paths).values()))

    def replacing(self, path: str, symbol: str, code: str) -> ToolCall:
        """A call that replaces a definition, with the imports that the code lacks."""
        arguments = {"path": path, "symbol": symbol, "code": code}
        call = ToolCall(self._new_id(), "replace_symbol", arguments)
        return material.complete(self.workspace, self.index(), call)

    def write(self, path: str, content: str) -> Generator[Move, Reply, None]:
        call = ToolCall(self._new_id(), "write_file", {"path": path, "content": content})
        yield from use(call, by_model=False)

    def smaller(
        self,
        shown: Material,
        run: TestRun,
        better: TestRun | None,
        good: Callable[[TestRun], bool],
        checkpoint: int,
        *,
        sure: bool = True,
    ) -> Generator[Move, Reply, TestRun | None]:
        """Look for a small change where there is none, or a large one, which is often too much.

        Of the changes that pass the tests the simplest is the likeliest to be right (Mechtaev, Yi
        and Roychoudhury, "DirectFix", 2015).

        Args:
            better: The run with the change that is in the tree; None: it does not help.
            good: Whether a run of all tests with a change is good enough.
            checkpoint: Before that change.
            sure: Whether the tests can be trusted. Where they cannot, and where a change was found
                already, those that are seldom right are left out: one passes by chance.

        Returns:
            The run with what is in the tree now; None if nothing helped.
        """
        caught = True
        if better is not None:
            if self._size(checkpoint) <= SMALL:
                return better
            # What a change does not catch, a smaller one need not.
            caught = self._catches(checkpoint)
            self.hold(better)
            yield Rewind(0, checkpoint, "It helps; looking for a smaller change.")
        else:
            yield Rewind(0, checkpoint, "It does not help; trying small changes.")
        left = better.failed if better is not None else None
        small = yield from self._mend(
            shown,
            run,
            lambda after: good(after) and (left is None or after.failed <= left),
            rare=sure and better is None,
            caught=caught,
            seconds=MEND_SECONDS if better is None else SMALLER_SECONDS,
        )
        if small is not None:
            self.reserve = None
        elif better is not None:
            self.bring_back()
            self.reserve = None
            yield Tell("No smaller change helps: that one is back.")
        return small or better

    def _mend(
        self,
        shown: Material,
        run: TestRun,
        good: Callable[[TestRun], bool],
        *,
        rare: bool,
        caught: bool,
        seconds: float,
    ) -> Generator[Move, Reply, TestRun | None]:
        """Try small changes of the likeliest definitions; the first good one stays in the tree.

        Args:
            run: The tests as they are; the first that fails is what must pass.
            rare: Whether to try those that are seldom right.
            caught: Whether to try what the exception that the test ends with asks for.
            seconds: What they may take.
        """
        items = [item for item in shown.candidates if language_of(item.path) == "python"][:MENDED]
        named = _ERROR.findall(case.message) if (case := first_failure(run)) is not None else []
        error = named[-1].rpartition(".")[2] if named and caught else ""
        places = [Definition(path=item.path, symbol=item.symbol.name) for item in items]
        return (yield from self.try_changes(places, run, good, seconds, error=error, rare=rare))

    def can_try(self, run: TestRun) -> bool:
        """Whether changes can be tried against the tests."""
        return run.runner is Runner.PYTEST and first_failure(run) is not None and not self.denied

    def try_changes(
        self,
        places: Sequence[Definition],
        run: TestRun,
        good: Callable[[TestRun], bool],
        seconds: float,
        *,
        error: str = "",
        rare: bool = True,
    ) -> Generator[Move, Reply, TestRun | None]:
        """Try changes of definitions against the first failing test, all of them at once; of those
        that pass, the first good one stays in the tree.

        Args:
            places: What might be where, the likeliest first.
            run: The tests as they are.
            good: Whether a run of all tests with a change is good enough.
            seconds: What the trials may take.
            error: The exception that small changes are to look out for.
            rare: Whether to try small changes that are seldom right.
        """
        case = first_failure(run)
        if case is None or not self.can_try(run):
            return None
        checkpoint = self.workspace.checkpoint()
        wanted = {
            "definitions": [place.model_dump() for place in places],
            "test": case.id,
            "error": error,
            "rare": rare,
            "seconds": seconds,
        }
        trial = ToolCall(self._new_id(), "try_mends", wanted)
        tried = yield from use(trial, by_model=False, needed=False)
        self.denied = isinstance(tried.details, Denial)
        if not isinstance(tried.details, Mends):
            return None
        for mend in (yield from self._ordered(tried.details))[:MADE]:
            call = self.replacing(mend.definition.path, mend.definition.symbol, mend.code)
            made = yield from use(call, by_model=False, needed=False)
            if made.ok and not self._fitted(checkpoint):
                after = yield from self.test()
                if good(after):
                    return after
            yield Rewind(0, checkpoint, "That small change is not enough.")
        return None

    def _ordered(self, found: Mends) -> Generator[Move, Reply, Sequence[Mend]]:
        """The changes that pass, of those that are equally good the likeliest first."""
        several = found.passing[: min(found.best, RATED)]
        if len(several) < 2 or not self.spec.infills:
            return found.passing
        order = yield from rated(self.workspace, self.task, several)
        return [*order, *found.passing[len(several) :]]

    # --- what is kept

    def _size(self, checkpoint: int) -> int:
        """Words by which files differ from what they were."""
        return sum(
            difference(material.decode(change.before or b""), material.decode(change.after or b""))
            for change in self.workspace.changes(since=checkpoint)
        )

    def _catches(self, checkpoint: int) -> bool:
        """Whether what was changed since catches more than before."""
        return any(
            (change.after or b"").count(b"except") > (change.before or b"").count(b"except")
            for change in self.workspace.changes(since=checkpoint)
        )

    def hold(self, run: TestRun, without: Container[str] = ()) -> None:
        """Put what is in the tree but for some files, and its run of the tests, in reserve."""
        files = {}
        for change in self.workspace.changes(since=self.safe or 0):
            self._ours.setdefault(change.path, set()).update((change.before, change.after))
            if change.after is not None and change.path not in without:
                files[change.path] = change.after
        self.reserve = _Found(run, files)

    def put_back(self) -> None:
        """Return to the checkpoint before what is being tried, then to the change in reserve.

        Raises:
            ToolError: A file cannot be written.
        """
        if self.safe is not None and self.workspace.checkpoint() > self.safe:
            self.workspace.restore(self.safe)
        self.bring_back()
        self.reserve = None

    def bring_back(self) -> TestRun | None:
        """Make the change in reserve where it is not in the tree; the tests with it.

        A file that somebody else has changed meanwhile is left as it is.

        Raises:
            ToolError: A file cannot be written.
        """
        if self.reserve is None:
            return None
        for path, data in self.reserve.files.items():
            there = self.workspace.peek(path) if self.workspace.exists(path) else None
            if there in self._ours.get(path, ()):
                self.workspace.write(path, data, basis=there)
        self.judge.see(self.reserve.run)
        return self.reserve.run


def first_failure(run: TestRun) -> TestCase | None:
    """The first test that fails, if it can be run alone."""
    return next((case for case in run.failures if "::" in case.id), None)
