"""One attempt: a tree, a session in it, the patch it leaves, the verdict on that.

Owns the course of an attempt and its figures. Must not know what else is run, nor who started it.
It is made in a process of its own, whose environment it changes.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.approval import AllowAll
from agent.conversation import Conversation
from agent.costs import Cost
from agent.errors import AgentError
from agent.events import Status
from agent.models.base import Usage
from agent.models.opening import Opening, open_model
from agent.replay.environments.base import Grade, Unavailable, WorkTree
from agent.replay.environments.keeping import full
from agent.replay.environments.opening import open_environment, unfit
from agent.replay.figures import FAILING, Figures, cause_of, files_of, lines_of
from agent.replay.gold import PLAYED, UNTESTED, is_script, patch_of, write_script
from agent.replay.jobs import Job, Phase, Progress
from agent.replay.official import write_instance_report
from agent.replay.results import Attempt, Cause
from agent.replay.sharing import place_of_work
from agent.replay.store import Fitness, Store
from agent.wanted import Wanted
from tools.base import Cancel
from tools.deadline import Deadline
from tools.errors import Cancelled, ToolError
from tools.snapshot_store import borrow

Tell = Callable[[Progress], None]
OUT_OF_TIME = {
    Phase.ENVIRONMENT: Cause.INFRASTRUCTURE,
    Phase.WORK: Cause.OUT_OF_STEPS,
    Phase.TESTS: Cause.TIMED_OUT,
}
"""Why an attempt failed that was not done in time, by how far it was."""


def carry_out(job: Job, tell: Tell, stop: Cancel, opening: Opening = open_model) -> None:
    """Do a job; what it came to is in the run's folder afterwards.

    Args:
        opening: What opens its model.

    Raises:
        Cancelled: `stop` was set, or what the run may cost is spent; nothing is kept.
        OSError: It cannot be kept.
    """
    store = Store(job.output)
    if not job.model:
        tell(Progress(Phase.TESTS))
        store.judge(Fitness(job.instance.id, _unfit(job, stop)))
        return
    draft = store.draft(job.model, job.instance.id, job.number)
    try:
        attempt = _Course(job, draft, tell, opening).run(stop)
        write_instance_report(attempt, draft)
        store.keep(attempt, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unfit(job: Job, stop: Cancel) -> str:
    try:
        return unfit(job.instance, job.where, Deadline(stop, time.monotonic() + job.timeout))
    except Unavailable as error:
        return _line(error)
    except Cancelled:
        if stop.is_set():
            raise
        return f"it was not known after {job.timeout:g} s"


def failed(job: Job, cause: Cause, trouble: str) -> Attempt:
    """An attempt of which there is nothing but how it failed."""
    gold = patch_of(job.instance)
    return Attempt(
        job.instance.id,
        job.model,
        job.number,
        status="",
        patch="",
        grade=None,
        cause=cause,
        trouble=trouble,
        gold_files=len(files_of(gold)),
        gold_lines=lines_of(gold),
    )


@dataclass(slots=True)
class _Course:
    """An attempt on its way."""

    job: Job
    draft: Path
    """What is kept of it is put here."""
    tell: Tell
    opening: Opening
    figures: Figures = field(init=False)
    patch: str = ""
    session: str = ""
    environment_seconds: float = 0.0
    phase: Phase = Phase.ENVIRONMENT

    def __post_init__(self) -> None:
        self.figures = Figures(
            files_of(patch_of(self.job.instance)), counted=not is_script(self.job.model)
        )

    def run(self, stop: Cancel) -> Attempt:
        """
        Raises:
            Cancelled: `stop` was set, or what the run may cost is spent.
        """
        started, now = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
        deadline = Deadline(stop, started + self.job.timeout)
        grade, trouble = None, ""
        try:
            self._enter(Phase.ENVIRONMENT)
            environment = open_environment(self.job.instance, self.job.where)
            with environment.work_tree(self.job.instance, deadline) as tree:
                self.environment_seconds = time.monotonic() - started
                self._enter(Phase.WORK)
                self._work(tree, deadline)
            ended = self.figures.finished
            failing = ended is None or ended.status in FAILING
            if not failing and not deadline.is_set():
                self._enter(Phase.TESTS)
                grade = environment.grade(self.job.instance, self.patch, deadline)
        except (Unavailable, AgentError, ToolError, OSError) as error:
            trouble = _line(error)
        except Cancelled:
            pass
        if stop.is_set() or self._rationed():
            raise Cancelled
        made = self._attempt(grade, trouble)
        if grade is None and not trouble and deadline.is_set():
            told = f"It was not done after {self.job.timeout:g} s."
            made = replace(made, cause=OUT_OF_TIME[self.phase], trouble=told)
        return replace(made, seconds=time.monotonic() - started, started=now)

    def _rationed(self) -> bool:
        """Whether the run's limit ended the session: that says nothing of the model."""
        ended = self.figures.finished
        limited = (Status.DOLLAR_LIMIT, Status.TOKEN_LIMIT)
        return self.job.rationed and ended is not None and ended.status in limited

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.tell(self.figures.progress(phase))

    def _work(self, tree: WorkTree, cancel: Cancel) -> None:
        job, state = self.job, self.draft / "state"
        os.environ["PARITY_STATE"] = str(state)
        _find_programs(tree)
        objects = tree.root / ".git" / "objects"
        if objects.is_dir():
            borrow(tree.root, state / "snapshots", objects)
        flags: dict[str, Any] = {**job.flags, "model": job.model, "test_command": tree.test_command}
        readable = tree.readable
        if job.model in PLAYED:
            script = write_script(job.model, job.instance, tree, self.draft)
            flags |= {"model": f"scripted:{script}"}
            flags |= {"test_command": UNTESTED} if tree.test_command else {}
            readable = (*readable, self.draft / "gold.patch")
        wanted = Wanted(
            tree.root,
            {**flags, "sandbox_read": readable},
            steering=None if job.model in PLAYED else job.steering,
            variables=tree.variables,
        )
        try:
            with closing(Conversation(wanted, AllowAll(), self.opening)) as conversation:
                self.session = conversation.session.info.id
                for event in conversation.run(self._task(), cancel):
                    if self.figures.take(event):
                        self.tell(self.figures.progress())
                self.patch = conversation.workspace.patch()
                if not conversation.session.whole or full(tree.root):
                    raise Unavailable("The disk was full while the model worked.")
        finally:
            self._keep_record(state)

    def _task(self) -> str:
        instance = self.job.instance
        hints = instance.hints.strip() if self.job.hints else ""
        return f"{instance.problem}\n\n{hints}" if hints else instance.problem

    def _keep_record(self, state: Path) -> None:
        """Keep the trajectory; what else a session leaves is for going on with it."""
        record = state / "sessions" / self.session / "record.jsonl"
        if self.session and record.is_file():
            (self.draft / "session").mkdir(exist_ok=True)
            record.rename(self.draft / "session" / "record.jsonl")
        shutil.rmtree(state, ignore_errors=True)
        for name in ("gold.index", "gold.patch", *(f"{played}.toml" for played in PLAYED)):
            (self.draft / name).unlink(missing_ok=True)

    def _attempt(self, grade: Grade | None, trouble: str) -> Attempt:
        figures, ended = self.figures, self.figures.finished
        status = ended.status.value if ended else ""
        cause, blamed = Cause.INFRASTRUCTURE, trouble
        if not trouble:
            cause, blamed = cause_of(
                status, ended.summary if ended else "", self.patch, grade, figures
            )
        return replace(
            failed(self.job, cause, blamed),
            status=status,
            patch=self.patch,
            grade=grade,
            steps=figures.steps,
            calls=figures.calls,
            malformed=figures.malformed,
            usage=ended.totals.usage if ended and figures.counted else Usage(),
            cost=ended.totals.cost if ended else Cost(),
            model_seconds=figures.model_seconds,
            worked=tuple(figures.worked),
            tool_seconds=figures.tool_seconds,
            environment_seconds=self.environment_seconds,
            found=figures.found,
            edited=figures.edited,
            tested=figures.tested,
            session=self.session,
            place=place_of_work() if ended and ended.totals.cost.sources else "",
        )


def _find_programs(tree: WorkTree) -> None:
    """Let this process find the tree's programs first: all that is run in it is found by PATH."""
    if tree.path:
        os.environ["PATH"] = os.pathsep.join((*tree.path, os.environ.get("PATH", os.defpath)))
        folder = Path(tree.path[0]).parent
        if (folder / "pyvenv.cfg").is_file():
            os.environ["VIRTUAL_ENV"] = str(folder)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).encode("utf-8", "backslashreplace").decode()
