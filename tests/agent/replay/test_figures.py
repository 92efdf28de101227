"""What a session shows of an attempt, and why one failed."""

from __future__ import annotations

import time

import pytest

from agent.costs import Cost
from agent.events import Origin, StepFinished, ToolFinished
from agent.messages import ToolCall
from agent.models.base import Usage
from agent.replay.environments.base import Grade, Outcome
from agent.replay.figures import Figures, cause_of, files_of, lines_of
from agent.replay.results import Cause
from tools.base import ToolResult

PATCH = """\
diff --git a/src/one.py b/src/one.py
--- a/src/one.py
+++ b/src/one.py
@@ -1,2 +1,2 @@
--- a comment of SQL
+++ counter
 same
diff --git a/old.py b/new.py
rename from old.py
rename to new.py
diff --git a/fresh.py b/fresh.py
new file mode 100644
--- /dev/null
+++ b/fresh.py
@@ -0,0 +1 @@
+x
"""
WRONG = Grade(Outcome.UNRESOLVED, {"a": False}, {"b": True})
BROKEN = Grade(Outcome.UNRESOLVED, {"a": True}, {"b": False})


def used(
    name: str, changed: tuple[str, ...] = (), ok: bool = True, **arguments: object
) -> ToolFinished:
    result = ToolResult("", "", ok=ok, changed=changed)
    return ToolFinished(ToolCall("1", name, arguments), Origin.MODEL, result, 0.5)


def test_a_patch_names_its_files_and_lines() -> None:
    named = files_of(PATCH)
    assert {"src/one.py", "old.py", "new.py", "fresh.py"} <= named
    assert "/dev/null" not in named
    assert lines_of("--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\n d\n") == 3


def test_reading_the_right_file_finds_it() -> None:
    figures = Figures({"src/one.py"})
    figures.take(used("read_file", path="src/two.py"))
    figures.take(used("read_file", ok=False, path="src/one.py"))
    assert not figures.found
    figures.take(used("read_file", path="./src/one.py"))
    assert figures.found
    assert not figures.edited
    figures.take(used("write_file", changed=("src/one.py",), path="src/one.py"))
    assert figures.edited
    assert figures.tool_seconds == 2.0


@pytest.mark.parametrize(
    ("argv", "tested"),
    [
        (["python", "-m", "pytest", "-q"], True),
        ("bin/test sympy", True),
        (["ls", "tests"], False),
        (["git", "diff"], False),
    ],
)
def test_a_command_may_be_tests(argv: object, tested: bool) -> None:
    figures = Figures(())
    figures.take(used("run", argv=argv))
    assert figures.tested is tested


def test_figures_add_up() -> None:
    figures = Figures(())
    figures.take(StepFinished(1, Usage(evaluated=10, output=5, reused=90), 2.0, 3, ("odd",)))
    figures.take(StepFinished(2, Usage(evaluated=1, output=1), 1.0, 0, ()))
    assert (figures.tokens, figures.calls, figures.malformed) == (17, 3, 1)
    assert figures.model_seconds == 3.0
    assert not figures.worked


def test_a_local_models_answers_have_their_times() -> None:
    figures, cost = Figures(()), Cost(0.0, 3.0, 0.03, ("cards",))
    figures.take(StepFinished(1, Usage(), 2.0, 0, (), cost))
    figures.take(StepFinished(2, Usage(), 0.0, 0, (), cost))
    (begin, end), (later, _) = figures.worked
    assert end - begin == pytest.approx(2.0, abs=0.002)
    assert end <= later <= time.time() + 0.001


@pytest.mark.parametrize(
    ("status", "summary", "patch", "grade", "cause"),
    [
        ("step limit", "", PATCH, Grade(Outcome.RESOLVED), Cause.NONE),
        ("unverified", "", PATCH, WRONG, Cause.WRONG_FIX),
        ("unverified", "", PATCH, BROKEN, Cause.BROKE_OTHERS),
        ("failed", "", "", Grade(Outcome.EMPTY), Cause.NO_PATCH),
        ("step limit", "", PATCH, WRONG, Cause.OUT_OF_STEPS),
        ("unverified", "", PATCH, Grade(Outcome.UNAPPLIED), Cause.NOT_APPLIED),
        ("unverified", "", "--- a/x.py\n+++ b/x.py\n", WRONG, Cause.NOT_FOUND),
        ("unverified", "", PATCH, Grade(Outcome.TIMEOUT), Cause.TIMED_OUT),
        ("unverified", "", PATCH, Grade(Outcome.INVALID), Cause.WRONG_FIX),
        (
            *("unverified", "", PATCH, Grade(Outcome.INVALID, infrastructure="out of memory")),
            Cause.INFRASTRUCTURE,
        ),
        ("model failed", "The server is overloaded.", "", None, Cause.INFRASTRUCTURE),
        (
            *("context limit", "The conversation is longer than the window of x.", "", None),
            Cause.CONTEXT,
        ),
    ],
)
def test_the_first_cause_that_holds_is_told(
    status: str, summary: str, patch: str, grade: Grade | None, cause: Cause
) -> None:
    found, _ = cause_of(status, summary, patch, grade, Figures({"src/one.py"}, edited=True))
    assert found is cause


def test_calls_that_could_not_be_read_are_a_cause() -> None:
    figures = Figures({"src/one.py"}, malformed=2)
    assert cause_of("failed", "", "", Grade(Outcome.EMPTY), figures)[0] is Cause.MALFORMED
