"""Instances in containers, with an engine on the loopback that the real SDK talks to."""

import gc
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from agent.replay.environments.base import Outcome, Unavailable
from agent.replay.environments.docker import DockerEnvironment, recording
from agent.replay.environments.validation import validate
from agent.replay.instance import Instance, RepositoryTask
from tests.agent.replay.environments.engine import Engine, engine
from tests.agent.replay.environments.little import SECRET, WRONG, Little, git
from tools.errors import Cancelled

pytest.importorskip("docker")
# The SDK leaves the sockets of commands that it was streamed to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

IMAGE = "somebody/sweb.eval.x86_64.little:latest"
SCRIPT = """\
#!/bin/bash
set -uxo pipefail
git checkout {base} tests/test_little.py
git apply -v - <<'EOF_1'
{tests}
EOF_1
: '>>>>> Start Test Output'
PYTHONPATH=src {python} tests/test_little.py
: '>>>>> End Test Output'
git checkout {base} tests/test_little.py
"""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """While the complaints about those are not heard."""
    yield
    gc.collect()


@pytest.fixture
def running(tmp_path: Path, little: Little) -> Iterator[Engine]:
    """An engine with an image of the repository, its whole history in it."""
    with engine(tmp_path / "engine") as it:
        image = tmp_path / "image"
        shutil.copytree(little.repository, image / "testbed", symlinks=True)
        git(image / "testbed", "checkout", "-q", "-f", _task(little.instance).base_commit)
        it.offered[IMAGE] = image
        yield it


@pytest.fixture
def instance(little: Little) -> Instance:
    task = _task(little.instance)
    script = SCRIPT.format(base=task.base_commit, tests=task.test_patch, python=sys.executable)

    def named(test: str) -> str:
        name = test.split()[0]
        return f"{name} (__main__.Cases.{name})" if sys.version_info >= (3, 11) else test

    return little.changed(
        image=IMAGE,
        eval_script=script,
        recipes=(),
        fail_to_pass=tuple(map(named, task.fail_to_pass)),
        pass_to_pass=tuple(map(named, task.pass_to_pass)),
    )


def _task(instance: Instance) -> RepositoryTask:
    assert isinstance(instance.task, RepositoryTask)
    return instance.task


def opened(running: Engine, tmp_path: Path, seconds: float = 60) -> DockerEnvironment:
    return DockerEnvironment(tmp_path / "cache", address=running.address, test_seconds=seconds)


def test_patches_are_graded_in_containers_of_their_own(
    running: Engine, instance: Instance, tmp_path: Path
) -> None:
    environment = opened(running, tmp_path)
    gold = environment.grade(instance, _task(instance).patch, Event())
    assert gold.outcome is Outcome.RESOLVED, gold.log
    assert environment.unpatched(instance, Event()).outcome is Outcome.UNRESOLVED
    bad = environment.grade(instance, "diff --git a/x b/x\n", Event())
    assert bad.outcome is Outcome.UNAPPLIED
    assert environment.grade(instance, "", Event()).outcome is Outcome.EMPTY
    assert validate(environment, instance, Event()) == ""
    assert (running.containers, running.made) == ({}, 5)


def test_the_agents_tree_is_the_images_without_its_history(
    running: Engine, instance: Instance, tmp_path: Path
) -> None:
    with opened(running, tmp_path).work_tree(instance, Event()) as tree:
        assert (tree.root / "src" / "little.py").read_text() == WRONG
        assert git(tree.root, "log", "--all", "--format=%s").split() == ["base"]
        files = [file for file in (tree.root / ".git").rglob("*") if file.is_file()]
        assert not [file for file in files if SECRET.encode() in file.read_bytes()]
        assert git(tree.root, "status", "--porcelain", "--ignored") == ""
        assert tree.test_command == ""
    assert not tree.root.exists()


def test_tests_that_do_not_end_are_killed(
    running: Engine, instance: Instance, little: Little, tmp_path: Path
) -> None:
    script = _task(instance).eval_script.replace("PYTHONPATH", "sleep 60; PYTHONPATH")
    slow = little.changed(image=IMAGE, eval_script=script)
    assert opened(running, tmp_path, 1).unpatched(slow, Event()).outcome is Outcome.TIMEOUT
    cancel = Event()
    threading.Timer(1, cancel.set).start()
    with pytest.raises(Cancelled):
        opened(running, tmp_path).unpatched(slow, cancel)
    assert running.containers == {}


TROUBLES = {
    "no image of that name": ({"image": "somebody/else:latest"}, "somebody/else"),
    "no image in the row": ({"image": ""}, "names no image"),
    "no script in the row": ({"image": IMAGE, "eval_script": ""}, "no eval_script"),
    "a full disk": ({"image": IMAGE, "eval_script": "true"}, "no space left"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_the_engine_refuses_is_one_line(
    running: Engine, little: Little, tmp_path: Path, name: str
) -> None:
    values, told = TROUBLES[name]
    running.full = True
    with pytest.raises(Unavailable, match=told) as raised:
        opened(running, tmp_path).unpatched(
            little.changed(**{"eval_script": "true"} | values), Event()
        )
    assert len(str(raised.value).splitlines()) == 1


def test_without_an_engine_there_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No container engine answers") as raised:
        DockerEnvironment(tmp_path, address=f"unix://{tmp_path}/absent.sock")
    assert "local environment" in str(raised.value)


def test_the_exit_code_of_the_tests_is_recorded_outside_what_is_parsed() -> None:
    script = recording("#!/bin/bash\nset -uxo pipefail\nmake\n: '>>>>> End Test Output'\nrestore\n")
    assert script.splitlines()[2:] == [
        "make",
        "SWEBENCH_TEST_EXIT_CODE=$?",
        ": '>>>>> End Test Output'",
        'echo ">>>>> Test Exit Code: $SWEBENCH_TEST_EXIT_CODE"',
        "restore",
    ]
