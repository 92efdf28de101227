"""Instances in the official images, on a container engine.

The agent works on a copy of the image's tree outside the container, where nothing is installed:
it has no tests to run. A patch is graded in a container of its own, as the official harness does.
Owns what is asked of the engine. Must not know how a log is read.
"""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.replay.environments.base import Grade, Outcome, Unavailable, WorkTree
from agent.replay.environments.keeping import disk_told, remove, work_folder
from agent.replay.environments.programs import Git
from agent.replay.grading.patching import Ran, apply_patch
from agent.replay.grading.verdict import END, EXIT_CODE, TIMED_OUT, judge
from agent.replay.instance import Instance, RepositoryTask
from tools.base import Cancel
from tools.errors import Cancelled
from tools.text_filter import printable

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped]
    from docker.models.containers import Container  # type: ignore[import-untyped]

_ROOT = "/testbed"
_PATCH = "/tmp/patch.diff"
_SCRIPT = "/eval.sh"
_TESTING = 1800.0
"""Seconds for the tests, as the official harness has it."""
_ANSWERING = 600.0
"""Seconds that the engine may be silent; a pull may take most of them."""
_TICK = 0.1
"""Seconds between two looks at the clock and at `cancel`."""
_HALF = 2_000_000
"""Bytes kept of the beginning of what a command prints, and of its end."""
_CODE = "SWEBENCH_TEST_EXIT_CODE"


class DockerEnvironment:
    """Containers of the images that rows name. Safe to be used by several workers at a time."""

    def __init__(self, cache: Path, *, address: str = "", test_seconds: float = _TESTING) -> None:
        """
        Args:
            cache: For the trees that agents work on.
            address: The engine's, `unix:///…` or `tcp://…`; empty: as docker's own command finds
                it.
            test_seconds: The most that one run of the tests may take.

        Raises:
            Unavailable: The SDK is not installed, or no engine answers.
        """
        try:
            import docker  # 300 ms; only needed where there is an engine
        except ImportError:
            raise Unavailable(
                "The docker SDK is not installed: pip install 'parity-agent[docker]', "
                "or use the local environment."
            ) from None
        self._cache = cache
        self._git = Git(cache)
        self._test_seconds = test_seconds
        self._errors = (docker.errors.DockerException, OSError)
        self._address = address
        try:
            with closing(self._connected()) as client:
                client.ping()
        except self._errors as error:
            raise Unavailable(
                f"No container engine answers ({_line(error)}): start it, set DOCKER_HOST, "
                "or use the local environment."
            ) from error

    @contextmanager
    def work_tree(self, instance: Instance, cancel: Cancel) -> Iterator[WorkTree]:
        """As `Environment.work_tree`; there are no tests to run in it."""
        task = _repository(instance)
        with work_folder(self._cache / "work", instance.id) as folder:
            with self._container(task, cancel) as container, self._told(), disk_told():
                self._copy_out(container, folder)
            root = folder / "tree"
            (folder / _ROOT.strip("/")).rename(root)
            # The image's own repository may hold what came after.
            remove(root / ".git")
            for argv in (("init", "-q", "--template="), ("add", "-A", "-f"),
                         ("commit", "-q", "--no-verify", "-m", "base")):  # fmt: skip
                self._git.must(argv, root, cancel)
            yield WorkTree(root, "", readable=(root,))

    def grade(self, instance: Instance, patch: str, cancel: Cancel) -> Grade:
        """As `Environment.grade`."""
        if not patch.strip():
            return Grade(Outcome.EMPTY)
        return self._graded(instance, patch, cancel)

    def unpatched(self, instance: Instance, cancel: Cancel) -> Grade:
        """As `Unpatched.unpatched`."""
        return self._graded(instance, "", cancel)

    def _graded(self, instance: Instance, patch: str, cancel: Cancel) -> Grade:
        started = time.monotonic()
        task = _repository(instance)
        if not task.eval_script:
            raise Unavailable(
                f"{instance.id} has no eval_script for its image: use the rows of swebench 5, "
                "or the local environment."
            )
        with self._container(task, cancel) as container, self._told():
            log = ""
            if patch:
                _put(container, _PATCH, patch.encode("utf-8", "surrogateescape"))
                applied = apply_patch(
                    lambda argv: self._exec(container, argv, cancel, self._test_seconds), _PATCH
                )
                log = applied.log
                if not applied.applied:
                    grade = judge(task, log)
                    return replace(grade, seconds=time.monotonic() - started)
            _put(container, _SCRIPT, recording(task.eval_script).encode())
            ran = self._exec(container, ("/bin/bash", _SCRIPT), cancel, self._test_seconds)
            log += ran.output
            if ran.code is None:
                seconds = f"{self._test_seconds:.0f}"
                log += f"\n\n{TIMED_OUT}\nTimeout error: {seconds} seconds exceeded.\n"
            grade = judge(task, log)
        return replace(grade, seconds=time.monotonic() - started)

    def _connected(self) -> DockerClient:
        import docker  # loaded already

        if self._address:
            return docker.DockerClient(base_url=self._address, timeout=int(_ANSWERING))
        return docker.from_env(timeout=int(_ANSWERING))

    @contextmanager
    def _container(self, task: RepositoryTask, cancel: Cancel) -> Iterator[Container]:
        """A running container, gone afterwards."""
        import docker  # loaded already

        if not task.image:
            raise Unavailable("Its row names no image: use the local environment.")
        with ExitStack() as stack:
            with self._told():
                client = stack.enter_context(closing(self._connected()))
                try:
                    client.images.get(task.image)
                except docker.errors.ImageNotFound:
                    client.images.pull(task.image)
                if cancel.is_set():
                    raise Cancelled
                container = client.containers.create(
                    task.image, "tail -f /dev/null", user="root", detach=True
                )
                stack.callback(self._discard, container)
                container.start()
            yield container

    def _discard(self, container: Container) -> None:
        with suppress(*self._errors):
            container.remove(force=True, v=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the engine refuses, as the one line that an instance gets."""
        try:
            yield
        except self._errors as error:
            raise Unavailable(f"The container engine: {_line(error)}.") from error

    def _exec(
        self, container: Container, argv: Sequence[str], cancel: Cancel, timeout: float
    ) -> Ran:
        """Run a command; at the timeout the container is killed, for nothing else surely ends it.

        Raises:
            Cancelled: `cancel` was set.
        """
        api: Any = container.client.api
        name = api.exec_create(container.id, list(argv), workdir=_ROOT, user="root")["Id"]
        kept = _Bounded()
        failed: list[BaseException] = []

        def read() -> None:
            try:
                with closing(api.exec_start(name, stream=True)) as stream:
                    for chunk in stream:
                        kept.add(chunk)
            except self._errors as error:
                failed.append(error)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        deadline = time.monotonic() + timeout
        while reader.is_alive() and time.monotonic() < deadline and not cancel.is_set():
            reader.join(_TICK)
        if reader.is_alive():
            with suppress(*self._errors):
                container.kill()
            reader.join(_ANSWERING / 60)
            if cancel.is_set():
                raise Cancelled
            return Ran(None, kept.text())
        if failed:
            raise failed[0]
        return Ran(api.exec_inspect(name)["ExitCode"], kept.text())

    def _copy_out(self, container: Container, folder: Path) -> None:
        chunks, _ = container.get_archive(_ROOT)
        file = folder / "tree.tar"
        with file.open("wb") as out:
            for chunk in chunks:
                out.write(chunk)
        with tarfile.open(file) as tar:
            tar.extractall(folder, filter="tar")
        file.unlink()


class _Bounded:
    """The beginning and the end of a stream."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, chunk: bytes) -> None:
        room = max(0, _HALF - len(self._head))
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if over := max(0, len(self._tail) - _HALF):
            self._left_out += over
            del self._tail[:over]

    def text(self) -> str:
        gap = f"\n[... {self._left_out:,} bytes left out ...]\n".encode() if self._left_out else b""
        return printable((self._head + gap + self._tail).decode("utf-8", "replace"))


def recording(script: str) -> str:
    """The harness's script, made to tell the exit code of the tests themselves."""
    lines = [line for line in script.strip().split("\n")
             if line not in ("#!/bin/bash", "set -uxo pipefail")]  # fmt: skip
    for number, line in enumerate(lines):
        if END in line:
            lines[number : number + 1] = [f"{_CODE}=$?", line, f'echo "{EXIT_CODE}: ${_CODE}"']
            break
    return "\n".join(("#!/bin/bash", "set -uxo pipefail", *lines)) + "\n"


def _put(container: Container, path: str, data: bytes) -> None:
    packed = io.BytesIO()
    folder, _, name = path.rpartition("/")
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    container.put_archive(folder or "/", packed.getvalue())


def _repository(instance: Instance) -> RepositoryTask:
    if not isinstance(instance.task, RepositoryTask):
        raise Unavailable(f"{instance.id} has no repository.")
    return instance.task


def _line(error: BaseException) -> str:
    """What the engine or the system says, without what the SDK says around it."""
    said = getattr(error, "explanation", None) or str(error) or type(error).__name__
    return " ".join(str(said).split()).rstrip(".")[:300]
