"""Instances worked on and graded on this machine."""

import difflib
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from agent.replay.environments.base import Outcome, Unavailable, WorkTree
from agent.replay.environments.local import LocalEnvironment
from agent.replay.environments.opening import unfit
from agent.replay.environments.validation import validate
from agent.replay.instance import RepositoryTask
from agent.replay.jobs import Where
from tests.agent.replay.environments.little import (
    MAIN,
    RECIPE,
    RIGHT,
    SECRET,
    TESTS,
    WRONG,
    Little,
    git,
)
from tools.errors import Cancelled
from tools.process import execute
from tools.sandbox import Tier, detect


def diff(path: str, before: str, after: str) -> str:
    names = (f"a/{path}", f"b/{path}")
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), *names)
    return f"diff --git {names[0]} {names[1]}\n{''.join(lines)}"


def task(little: Little) -> RepositoryTask:
    assert isinstance(little.instance.task, RepositoryTask)
    return little.instance.task


def run(tree: WorkTree, script: str) -> str:
    """As the agent's tools run a command."""
    path = os.pathsep.join((*tree.path, os.environ["PATH"]))
    done = execute(("bash", "-c", script), tree.root, timeout=60, cancel=Event(),
                   env={**tree.variables, "PATH": path},
                   sandbox=detect(tree.root, readable=tree.readable))  # fmt: skip
    assert done.code == 0, done.output
    return done.output.strip()


def test_the_gold_patch_resolves_and_nothing_does_not(
    local: LocalEnvironment, little: Little
) -> None:
    gold = local.grade(little.instance, task(little).patch, Event())
    assert gold.outcome is Outcome.RESOLVED, gold.log
    assert dict(gold.fail_to_pass) == {"test_odd (__main__.Cases)": True}
    nothing = local.unpatched(little.instance, Event())
    assert nothing.outcome is Outcome.UNRESOLVED
    assert (dict(nothing.fail_to_pass), set(nothing.pass_to_pass.values())) == (
        {"test_odd (__main__.Cases)": False},
        {True},
    )
    assert local.grade(little.instance, "", Event()).outcome is Outcome.EMPTY


def test_an_instance_is_fit_unless_its_gold_patch_fails_or_nothing_passes(
    local: LocalEnvironment, little: Little
) -> None:
    assert validate(local, little.instance, Event()) == ""
    wrong = little.changed(patch=diff("src/little.py", WRONG, f"# no\n{WRONG}"))
    assert "test_odd (__main__.Cases) failed" in validate(local, wrong, Event())
    easy = little.changed(fail_to_pass=("test_even (__main__.Cases)",))
    assert "without a patch" in validate(local, easy, Event())


BROKEN = diff("src/little.py", WRONG, RIGHT.replace("* 2", "* 3"))
LAX = MAIN.replace("unittest.main", "print('test_odd (__main__.Cases) ... ok') or unittest.main")
BAD = {
    "does not apply": (diff("src/little.py", "other\n", "text\n"), Outcome.UNAPPLIED, ""),
    "is no patch": ("Here is what I would change.\n", Outcome.UNAPPLIED, ""),
    "breaks a test": (BROKEN, Outcome.UNRESOLVED, "test_twice (__main__.Cases)"),
    "edits the tests": (
        diff("tests/test_little.py", TESTS + MAIN, TESTS + LAX),
        Outcome.UNRESOLVED,
        "test_odd (__main__.Cases)",
    ),
    "removes the tests": (
        diff("tests/test_little.py", TESTS + MAIN, "").replace("+++ b/tests/test_little.py", "+++ "
        "/dev/null").replace("\n---", "\ndeleted file mode 100644\n---"),
        Outcome.UNRESOLVED,
        "test_odd (__main__.Cases)",
    ),
    "puts a file in a test's place": (
        "diff --git a/tests/data/new b/tests/data/new\nnew file mode 100644\n"
        "--- /dev/null\n+++ b/tests/data/new\n@@ -0,0 +1 @@\n+mine\n",
        Outcome.UNRESOLVED,
        "test_odd (__main__.Cases)",
    ),
    "ends the process": (
        diff("src/little.py", WRONG, f"raise SystemExit\n{WRONG}"), Outcome.INVALID, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_patch_has_its_outcome(local: LocalEnvironment, little: Little, name: str) -> None:
    patch, outcome, failed = BAD[name]
    grade = local.grade(little.instance, patch, Event())
    tests = {**grade.fail_to_pass, **grade.pass_to_pass}
    assert (grade.outcome, failed in [t for t, ok in tests.items() if not ok]) == (
        outcome,
        bool(failed),
    ), grade.log


def test_the_ladder_of_patching_is_climbed_to_its_end(
    local: LocalEnvironment, little: Little
) -> None:
    # Its context is another file's, which only `patch --fuzz` overlooks.
    patch = diff("src/little.py", WRONG, RIGHT).replace("\n def twice", "\n def thrice")
    grade = local.grade(little.instance, patch, Event())
    assert ">>>>> Applied Patch (patch --batch" in grade.log
    assert grade.outcome is Outcome.RESOLVED


def test_a_patch_that_only_patch_can_read_is_graded(
    local: LocalEnvironment, little: Little
) -> None:
    # Cut at its end, as models cut them: a line of context is missing.
    patch = diff("src/little.py", WRONG, RIGHT).removesuffix(" def twice(number):\n")
    assert local.grade(little.instance, patch, Event()).outcome in (
        Outcome.RESOLVED,
        Outcome.UNAPPLIED,
    )
    broken = little.changed(test_patch="--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n y\n")
    with pytest.raises(Unavailable, match="test_patch cannot be read"):
        local.unpatched(broken, Event())


def test_the_agents_tree_is_of_one_commit_and_exact(
    local: LocalEnvironment, little: Little
) -> None:
    with local.work_tree(little.instance, Event()) as tree:
        root = tree.root
        assert git(root, "log", "--all", "--format=%s").split() == ["base"]
        objects = git(root, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        fixed = git(little.repository, "rev-parse", "HEAD:src/little.py", "HEAD").split()
        assert not set(fixed) & set(objects.split())
        assert not [f for f in (root / ".git").rglob("*") if SECRET.encode() in _bytes(f)]
        assert git(root, "status", "--porcelain") == ""
        listed = git(little.repository, "ls-tree", "-r", task(little).base_commit).splitlines()
        assert set(listed) < set(git(root, "ls-tree", "-r", "HEAD").splitlines())
        assert (root / "version.txt").read_bytes() == b"$Format:%H$ $Id$\r\n"
        assert (root / "little.egg-info").is_dir()
    assert not root.exists()


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def test_what_runs_in_the_tree_finds_its_modules_and_files(
    local: LocalEnvironment, little: Little
) -> None:
    with local.work_tree(little.instance, Event()) as tree:
        script = "cat .env; cd /; python -c 'import little; print(little.__file__)'"
        assert run(tree, script).split() == ["NAME=public", f"{tree.root}/src/little.py"]


def test_trees_of_several_workers_have_their_own_modules(little: Little, tmp_path: Path) -> None:
    local = LocalEnvironment(tmp_path / "cache", [little.mirrors])
    together = threading.Barrier(3, timeout=60)

    def look(_: int) -> tuple[bool, Path]:
        with local.work_tree(little.instance, Event()) as tree:
            together.wait()
            found = run(tree, "python -c 'import little; print(little.__file__)'")
            together.wait()
            return found == f"{tree.root}/src/little.py", tree.root

    with ThreadPoolExecutor(3) as pool:
        looked = list(pool.map(look, range(3)))
    assert [own for own, _ in looked] == [True] * 3
    assert len({root for _, root in looked}) == 3
    built = [f for f in (tmp_path / "cache" / "environments").iterdir() if f.suffix == ".complete"]
    assert len(built) == 1


def test_tests_reach_no_network_and_write_nowhere_else(
    local: LocalEnvironment, little: Little, tmp_path: Path
) -> None:
    if detect(tmp_path).tier is Tier.NONE:
        pytest.skip("no sandbox works here")
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe = (
            f"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo REACHED; "
            f"touch {tmp_path}/x 2>/dev/null; touch $VIRTUAL_ENV/x 2>/dev/null && echo WROTE; "
        )
        changed = little.recipe(test=f"{probe}{RECIPE.test}")
        grade = local.grade(changed, task(little).patch, Event())
    printed = [line for line in grade.log.splitlines() if not line.startswith("+")]
    assert grade.outcome is Outcome.RESOLVED
    assert not {"REACHED", "WROTE"} & set(printed)
    assert not (tmp_path / "x").exists()


def test_tests_that_do_not_end_are_killed_with_what_they_started(
    little: Little, cache: Path
) -> None:
    local = LocalEnvironment(cache, [little.mirrors], test_seconds=1)
    mark = f"8{os.getpid()}.25"
    started = time.monotonic()
    grade = local.unpatched(little.recipe(test=f"sleep {mark} & sleep {mark}"), Event())
    assert grade.outcome is Outcome.TIMEOUT
    assert time.monotonic() - started < 20
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert f"sleep {mark}" not in running.stdout.splitlines()


def test_a_run_that_prints_without_end_is_bounded(little: Little, cache: Path) -> None:
    local = LocalEnvironment(cache, [little.mirrors], test_seconds=60)
    noisy = little.recipe(test=f"yes {'line' * 50} | head -c 6000000; {RECIPE.test}")
    grade = local.grade(noisy, task(little).patch, Event())
    assert (grade.outcome, len(grade.log) < 5_000_000) == (Outcome.RESOLVED, True)


def test_cancelling_stops_a_run(local: LocalEnvironment, little: Little) -> None:
    cancel = Event()
    threading.Timer(2, cancel.set).start()
    with pytest.raises(Cancelled):
        local.unpatched(little.recipe(test="sleep 60"), cancel)


def test_a_patch_that_shows_only_when_installed_is_installed(
    local: LocalEnvironment, little: Little
) -> None:
    place = "$(python -c \"import sysconfig; print(sysconfig.get_path('purelib'))\")"
    copied = little.recipe(install=f"cp src/little.py {place}", test="cd / && python $OLDPWD/"
                           "tests/test_little.py")  # fmt: skip
    assert local.grade(copied, task(little).patch, Event()).outcome is Outcome.RESOLVED


CHANCE = 'python -c "import os, random; print(os.getcwd(), random.random())" > '


def test_an_install_is_made_once_and_names_each_trees_own_place(
    little: Little, tmp_path: Path
) -> None:
    local = LocalEnvironment(tmp_path / "cache", [little.mirrors])
    instance = little.recipe(
        install=f"{RECIPE.install}\n{CHANCE} built.log; ln -s $PWD/src here.log"
    )
    said = []
    for _ in range(2):
        with local.work_tree(instance, Event()) as tree:
            place, number = (tree.root / "built.log").read_text().split()
            assert place == str(tree.root)
            assert os.readlink(tree.root / "here.log") == f"{tree.root}/src"
            found = run(tree, "cd /; python -c 'import little; print(little.__file__)'")
            assert found == f"{tree.root}/src/little.py"
            assert git(tree.root, "status", "--porcelain") == ""
            assert (tree.root / "version.txt").read_bytes() == b"$Format:%H$ $Id$\r\n"
            said.append(number)
    assert said[0] == said[1]
    assert local.grade(instance, task(little).patch, Event()).outcome is Outcome.RESOLVED


def test_an_install_whose_commit_names_its_place_is_made_anew(
    little: Little, tmp_path: Path
) -> None:
    local = LocalEnvironment(tmp_path / "cache", [little.mirrors])
    instance = little.recipe(install=f"{RECIPE.install}\n{CHANCE} built")
    said = set()
    for _ in range(2):
        with local.work_tree(instance, Event()) as tree:
            place, number = (tree.root / "built").read_text().split()
            assert place == str(tree.root)
            said.add(number)
    assert len(said) == 2


@pytest.mark.parametrize("place", [".", "$VIRTUAL_ENV"])
def test_what_cannot_be_kept_of_an_install_harms_nobody(
    little: Little, tmp_path: Path, place: str
) -> None:
    local = LocalEnvironment(tmp_path / "cache", [little.mirrors])
    install = f"mkdir -p made/empty && mkfifo {place}/pipe && touch beside.log"
    instance = little.recipe(install=f"{RECIPE.install}\n{install}")
    for _ in range(2):
        with local.work_tree(instance, Event()) as tree:
            assert (tree.root / "made" / "empty").is_dir()
            assert (tree.root / "beside.log").is_file()
            assert git(tree.root, "status", "--porcelain") == ""


def test_what_was_found_fit_is_not_tried_again(little: Little, tmp_path: Path) -> None:
    where = Where("local", tmp_path / "cache", (little.mirrors,))
    unfit_one = little.recipe(test="exit 1")
    assert "gold patch" in unfit(unfit_one, where, Event())
    assert unfit(little.instance, where, Event()) == ""
    (tmp_path / "cache" / "commits").rename(tmp_path / "gone")
    nowhere = replace(where, mirrors=(tmp_path / "cache",))
    assert unfit(little.instance, nowhere, Event()) == ""
    marks = {
        LocalEnvironment(tmp_path / "cache", test_seconds=it).mark(little.instance) for it in (1, 2)
    }
    assert len(marks) == 2
    with pytest.raises(Unavailable, match="no git repository"):  # another row is another matter
        unfit(little.changed(repo="/nonexistent/place"), nowhere, Event())


TROUBLES = {
    "a wrong commit": ({"base_commit": "0" * 40}, {}, "has no commit 0000"),
    "no such Python": ({}, {"python": "2.4"}, "There is no Python 2.4 here: uv python install"),
    "a Python that is none": ({}, {"python": "; rm"}, "no version of Python"),
    "no clone, and none to be had": ({"repo": "owner/absent"}, {}, "cannot be cloned"),
    "no repository": ({"repo": "/nonexistent/place"}, {}, "no git repository"),
    "an install that fails": ({}, {"install": "echo no setup; exit 3"}, "exit code 3: no setup"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_cannot_be_had_is_one_line(little: Little, cache: Path, name: str) -> None:
    local = LocalEnvironment(cache, [little.mirrors], host=f"file://{cache}/nowhere")
    values, recipe, told = TROUBLES[name]
    instance = little.recipe(**recipe) if recipe else little.changed(**values)
    with pytest.raises(Unavailable, match=told) as raised:
        local.grade(instance, task(little).patch, Event())
    assert len(str(raised.value).splitlines()) == 1


def test_no_recipe_whose_python_is_here(local: LocalEnvironment, little: Little) -> None:
    with pytest.raises(Unavailable, match="docker"):
        local.unpatched(little.changed(recipes=()), Event())


def test_a_dead_clone_is_one_line(little: Little, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", "--no-local", str(little.repository), "owner__little")
    for pack in (tmp_path / "owner__little" / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:100])
    local = LocalEnvironment(tmp_path / "cache", [tmp_path])
    with pytest.raises(Unavailable, match="owner__little") as raised:
        local.unpatched(little.instance, Event())
    assert len(str(raised.value).splitlines()) == 1


def test_a_cache_that_cannot_be_written_is_one_line(little: Little, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    local = LocalEnvironment(tmp_path / "file" / "cache", [little.mirrors])
    with pytest.raises(Unavailable, match="Not a directory"):
        local.unpatched(little.instance, Event())


def test_a_repository_without_a_clone_here_is_cloned_once(little: Little, tmp_path: Path) -> None:
    host = tmp_path / "host" / "owner"
    host.mkdir(parents=True)
    git(host, "clone", "-q", "--bare", str(little.repository), "little")
    local = LocalEnvironment(tmp_path / "cache", host=f"file://{tmp_path}/host")
    with local.work_tree(little.instance, Event()) as tree:
        assert (tree.root / "src" / "little.py").read_text() == WRONG
    (tmp_path / "host").rename(tmp_path / "gone")
    with local.work_tree(little.instance, Event()) as tree:
        assert (tree.root / "src" / "little.py").read_text() == WRONG
