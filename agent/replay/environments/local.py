"""Instances on this machine, without a container: trees out of clones, virtual environments.

Owns the order of steps and what may reach the network: the requirements and the first install of
a tree, nothing after a patch. Must not know who writes a patch.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agent import private
from agent.replay.environments.base import Grade, Outcome, Unavailable, WorkTree
from agent.replay.environments.commits import Commits
from agent.replay.environments.installs import FORMAT, files, keep, name_of, put_back
from agent.replay.environments.keeping import disk_told, made_once, remove, work_folder
from agent.replay.environments.mirrors import Mirrors
from agent.replay.environments.programs import Git, last_line
from agent.replay.environments.recipes import Installed, Recipes, thin
from agent.replay.grading.patching import Ran, apply_patch, touched
from agent.replay.grading.verdict import END, EXIT_CODE, START, TIMED_OUT, judge, normalised
from agent.replay.instance import Instance, Recipe, RepositoryTask
from tools.base import Cancel
from tools.errors import Cancelled, ToolError
from tools.process import Finished, execute
from tools.sandbox import Sandbox, detect

_INSTALLING = 1800.0
"""Seconds for the install of a tree."""
_TESTING = 1800.0
"""Seconds for the tests, as the official harness has it."""
_LOG = 4_000_000
"""Bytes of a test run's output, its beginning and its end."""
_PLAIN = "unset NO_COLOR PAGER TERM PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED GIT_TERMINAL_PROMPT\n"
"""What commands get from us and the official images do not have; tests look at some of it."""
_CODE = "SWEBENCH_TEST_EXIT_CODE"
_BUILD_FILES = ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in")
_PLAIN_FILES = (".py", ".pyi", ".rst", ".md", ".txt")
"""Changed, they are seen in a tree that is installed as editable."""
_RUNNERS = {
    "parse_log_django": "./tests/runtests.py --settings=test_sqlite --parallel 1",
    "parse_log_sympy": "bin/test -C",
}
"""For the agent, by the parser of the log; else pytest."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree with its own environment, installed."""

    root: Path
    installed: Installed
    recipe: Recipe
    sandbox: Sandbox
    """Of what runs in the tree."""

    @property
    def readable(self) -> tuple[Path, ...]:
        """With the tree itself: its `.env` and keys are public, and tests read them."""
        return (self.root, *self.installed.readable)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.installed.variables, **self.recipe.variables}


class LocalEnvironment:
    """Trees and virtual environments in a folder of ours. Safe for several workers, and for
    several processes on the same folder."""

    def __init__(
        self,
        cache: Path,
        mirrors: Sequence[Path] = (),
        *,
        host: str = "https://github.com",
        test_seconds: float = _TESTING,
    ) -> None:
        """
        Args:
            cache: For clones, environments and trees; made if need be. What is deleted there is
                made anew.
            mirrors: Folders that hold clones.
            host: Where a repository is cloned from that none of them holds.
            test_seconds: The most that one run of the tests may take.
        """
        self._cache = Path(os.path.abspath(cache))
        self._git = Git(self._cache)
        clones = Mirrors(self._git, self._cache / "clones", mirrors, host)
        self._commits = Commits(self._git, clones, self._cache / "commits")
        self._recipes = Recipes(self._cache / "environments")
        self._installs = self._cache / "installs"
        self._test_seconds = test_seconds

    @contextmanager
    def work_tree(self, instance: Instance, cancel: Cancel) -> Iterator[WorkTree]:
        """As `Environment.work_tree`: installed, and committed with what that left."""
        task = _repository(instance)
        with self._folder(instance) as folder:
            with disk_told():
                tree = self._prepared(task, folder, cancel)
            own = {k: v for k, v in tree.variables.items() if k != "PATH"}
            runner = _RUNNERS.get(tree.recipe.log_parser, "python -m pytest")
            yield WorkTree(tree.root, runner, (str(tree.installed.programs),), own, tree.readable)

    def grade(self, instance: Instance, patch: str, cancel: Cancel) -> Grade:
        """As `Environment.grade`."""
        if not patch.strip():
            return Grade(Outcome.EMPTY)
        return self._graded(instance, patch, cancel)

    def unpatched(self, instance: Instance, cancel: Cancel) -> Grade:
        """As `Unpatched.unpatched`."""
        return self._graded(instance, "", cancel)

    def mark(self, instance: Instance) -> Path:
        """The file that says that an instance was found fit here; another environment, sandbox,
        limit of time or row has another one.

        Raises:
            Unavailable: None of its recipes can be used here.
        """
        recipe, python = self._recipes.choose(_repository(instance).recipes)
        with disk_told():
            private.make_folder(self._cache)
        tier = detect(self._cache).tier
        built = self._recipes.place(recipe, python).name
        stuff = [FORMAT, built, tier, self._test_seconds, instance.task]
        return self._cache / "fit" / hashlib.sha256(repr(stuff).encode()).hexdigest()[:32]

    def _graded(self, instance: Instance, patch: str, cancel: Cancel) -> Grade:
        started = time.monotonic()
        task = _repository(instance)
        with self._folder(instance) as folder, disk_told():
            tree = self._prepared(task, folder, cancel)
            log = ""
            if patch:
                file = folder / "patch.diff"
                file.write_bytes(patch.encode("utf-8", "surrogateescape"))
                applied = apply_patch(
                    lambda argv: self._change(tree, argv, file, cancel), str(file)
                )
                log = applied.log
                if applied.applied and _needs_install(tree.recipe.install, patch):
                    log += self._install(tree, cancel).output
                if not applied.applied:
                    grade = judge(task, log)
                    return replace(grade, seconds=time.monotonic() - started)
            log += self._restore_tests(tree, task.test_patch, folder, cancel)
            log += self._tests(tree, cancel)
            grade = judge(task, log, tree.recipe.log_parser)
        return replace(grade, seconds=time.monotonic() - started)

    @contextmanager
    def _folder(self, instance: Instance) -> Iterator[Path]:
        # Entered by hand: what the caller's own block raises is not the disk's.
        with disk_told():
            work = work_folder(self._cache / "work", instance.id)
            folder = work.__enter__()
        try:
            yield folder
        finally:
            work.__exit__(None, None, None)

    def _prepared(self, task: RepositoryTask, folder: Path, cancel: Cancel) -> _Tree:
        recipe, python = self._recipes.choose(task.recipes)
        built = self._recipes.built(recipe, python, cancel)
        commit = self._commits.kept(task.repo, task.base_commit, cancel)
        place = self._installs / name_of(commit, built, recipe, folder)
        with made_once(place, cancel) as new:
            if new is not None:
                return self._installed(task, commit, built, recipe, folder, new, cancel)
        if put_back(self._git, place, folder, cancel):
            return _tree(folder, replace(built, folder=folder / "environment"), recipe)
        return self._installed(task, commit, built, recipe, folder, None, cancel)

    def _installed(
        self,
        task: RepositoryTask,
        commit: Path,
        built: Installed,
        recipe: Recipe,
        folder: Path,
        kept: Path | None,
        cancel: Cancel,
    ) -> _Tree:
        root = folder / "tree"
        self._commits.check_out(commit, root, cancel)
        before = files(root)
        tree = _tree(folder, thin(built, folder / "environment"), recipe)
        done = self._install(tree, cancel, network=True)
        if done.code != 0:
            raise Unavailable(f"Installing {task.repo} failed, {done.ending}: {last_line(done)}.")
        self._commits.commit(root, cancel)
        if kept is not None:
            try:
                keep(self._git, kept, folder, before, cancel)
            except OSError:  # the disk may be full: this tree is ready all the same
                remove(kept)
        return tree

    def _install(self, tree: _Tree, cancel: Cancel, network: bool = False) -> Finished:
        return self._shell(
            tree, tree.recipe.install or "true", cancel, _INSTALLING, network=network, install=True
        )

    def _change(self, tree: _Tree, argv: Sequence[str], patch: Path, cancel: Cancel) -> Ran:
        """A step of applying a patch. Git writes its index, and is the only one that may."""
        if argv[0] == "git":
            done = self._git.shell(argv, tree.root, cancel)
        else:
            sandbox = detect(tree.root, readable=(tree.root, patch))
            try:
                done = execute(argv, tree.root, timeout=_INSTALLING, cancel=cancel, sandbox=sandbox)
            except ToolError as error:
                return Ran(None, str(error))
            if done.cancelled:
                raise Cancelled
        return Ran(done.code, done.output)

    def _restore_tests(self, tree: _Tree, patch: str, folder: Path, cancel: Cancel) -> str:
        """Put the tests that count in their place, whatever was made of them; what was said."""
        if not patch:
            return ""
        said = []
        try:
            files = touched(patch)
        except ValueError as error:
            raise Unavailable(f"Its test_patch cannot be read: {error}.") from error
        for before, after in files:
            if after and not before:
                _take_away(tree.root, after)
            elif before:
                done = self._git.run(("checkout", "HEAD", "--", before), tree.root, cancel)
                said.append(done.output)
        file = folder / "test.diff"
        file.write_bytes(patch.encode("utf-8", "surrogateescape"))
        done = self._git.run(("apply", "--verbose", str(file)), tree.root, cancel)
        return "".join((*said, done.output, "" if done.code == 0 else "the tests do not apply\n"))

    def _tests(self, tree: _Tree, cancel: Cancel) -> str:
        script = (
            f"{_PLAIN}set -uxo pipefail\n"
            f": '{START}'\n{tree.recipe.test}\n{_CODE}=$?\n: '{END}'\n"
            f'echo "{EXIT_CODE}: ${_CODE}"\n'
        )
        done = self._shell(tree, script, cancel, self._test_seconds)
        log = normalised(done.output, tree.recipe.normalise)
        if done.timed_out:
            log += f"\n\n{TIMED_OUT}\nTimeout error: {self._test_seconds:.0f} seconds exceeded.\n"
        return log

    def _shell(
        self,
        tree: _Tree,
        script: str,
        cancel: Cancel,
        timeout: float,
        *,
        network: bool = False,
        install: bool = False,
    ) -> Finished:
        try:
            done = execute(
                ("bash", "-c", script), tree.root, timeout=timeout, cancel=cancel,
                env=tree.variables, limit=_LOG, sandbox=tree.sandbox, network=network,
                writable=(tree.installed.folder,) if install else (),
            )  # fmt: skip
        except ToolError as error:
            raise Unavailable(str(error)) from error
        if done.cancelled:
            raise Cancelled
        return done


def _repository(instance: Instance) -> RepositoryTask:
    if not isinstance(instance.task, RepositoryTask):
        raise Unavailable(f"{instance.id} has no repository.")
    return instance.task


def _tree(folder: Path, installed: Installed, recipe: Recipe) -> _Tree:
    root = folder / "tree"
    sandbox = detect(root, readable=(root, *installed.readable))
    return _Tree(root, installed, recipe, sandbox)


def _needs_install(install: str, patch: str) -> bool:
    """Whether a patch shows only once it is installed."""
    if not {"-e", "--editable", "develop"} & set(install.split()):
        return bool(install)
    try:
        names = [Path(name) for files in touched(patch) for name in files if name]
    except ValueError:
        return True
    return any(n.name in _BUILD_FILES or n.suffix not in _PLAIN_FILES for n in names)


def _take_away(root: Path, name: str) -> None:
    """Remove a file beneath the root, and nothing that a link leads to elsewhere."""
    place = root / name
    if place.parent.resolve().is_relative_to(root.resolve()) and (
        place.is_symlink() or place.is_file()
    ):
        place.unlink()
