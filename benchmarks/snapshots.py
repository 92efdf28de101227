"""What a snapshot costs, against the limits and against git's own `git add -A && git write-tree`.

Each round is a session of its own in a process of its own, as `agent fix` would be; the first of
them finds no store. The least and the median are shown.

    python benchmarks/snapshots.py
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"first of a session, clean": 150, "after one edit": 50}
"""Milliseconds."""
ORDER = (
    *("import GitPython", "first of a session, clean", "nothing changed", "after one edit"),
    *("a command watched, no change", "a command watched, one edit"),
)


def make_tree(folder: Path, files: int) -> Path:
    """A tree of source files in 420 folders."""
    chance = random.Random(1)
    for number in range(files):
        place = folder / f"package{number % 60}" / f"part{number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        lines = (f"def f{n}(x):\n    return x + {chance.random()}\n" for n in range(60))
        (place / f"module{number}.py").write_text("".join(lines))
    return folder


def session(root: Path, state: Path) -> dict[str, float]:
    """Seconds of each kind of snapshot in one session."""
    from tools.base import Effect
    from tools.snapshots import Snapshots
    from tools.workspace import Workspace

    found: dict[str, float] = {}

    def timed(name: str, action: Callable[[], object]) -> None:
        begun = time.perf_counter()
        action()
        found[name] = time.perf_counter() - begun

    def edit() -> None:
        place = root / "package1" / "part1" / "module1.py"
        place.write_text(place.read_text() + "# edited\n")

    def watched(action: Callable[[], object]) -> None:
        with workspace.watched(Effect.RUN):
            action()

    snapshots = Snapshots(root, state, f"{time.time_ns()}")
    workspace = Workspace(root, None, snapshots)
    workspace.begin_turn()
    timed("first of a session, clean", lambda: snapshots.before_change(watch=True))
    timed("nothing changed", lambda: snapshots.before_change(watch=True))
    edit()
    workspace.begin_turn()
    timed("after one edit", lambda: snapshots.before_change(watch=True))
    timed("a command watched, no change", lambda: watched(lambda: None))
    timed("a command watched, one edit", lambda: watched(edit))
    assert [change.path for change in workspace.changes()] == ["package1/part1/module1.py"]
    assert workspace.notices() == ()
    snapshots.close()
    return found


def in_a_process(root: Path, state: Path) -> dict[str, float]:
    """A session, and what importing GitPython takes there."""
    begin = (
        "import json, sys, time\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from benchmarks.snapshots import session\n"
        "found = session(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin, root, state], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def import_alone() -> float:
    """Seconds to import GitPython where the rest of the agent is imported already."""
    program = (
        "import os, sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import tools.snapshots\n"
        "os.environ |= {'GIT_PYTHON_REFRESH': 'quiet', 'GIT_PYTHON_GIT_EXECUTABLE': os.devnull}\n"
        "begun = time.perf_counter()\n"
        "import git.cmd\n"
        "print(time.perf_counter() - begun)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def peer(root: Path, store: Path) -> float:
    """Seconds of `git add -A` and `git write-tree` in a git directory of their own."""
    environ = {
        "PATH": os.environ["PATH"],
        "GIT_DIR": str(store),
        "GIT_WORK_TREE": str(root),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def git(*argv: str) -> None:
        subprocess.run(["git", *argv], cwd=root, env=environ, check=True, capture_output=True)

    if not store.exists():
        git("init", "--quiet")
    begun = time.perf_counter()
    git("add", "-A")
    git("write-tree")
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in ORDER}
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = make_tree(folder / "tree", options.files)
        cold_peer = peer(root, folder / "plain.git")
        cold = in_a_process(root, folder / "state")["first of a session, clean"]
        for _ in range(options.runs):
            plain.append(peer(root, folder / "plain.git"))
            found["import GitPython"].append(import_alone())
            for kind, seconds in in_a_process(root, folder / "state").items():
                found[kind].append(seconds)
    print(f"{options.files} files, {options.runs} sessions; load {os.getloadavg()[0]:.1f}")
    print(f"{'milliseconds':<34}{'least':>8}{'median':>8}{'limit':>8}")
    print(f"{'no store yet':<34}{cold * 1e3:>8.0f}")
    for kind, all_seconds in found.items():
        least, median = min(all_seconds), statistics.median(all_seconds)
        limit = LIMITS.get(kind, "")
        print(f"{kind:<34}{least * 1e3:>8.0f}{median * 1e3:>8.0f}{limit:>8}")
    print(f"{'git add -A, write-tree: cold':<34}{cold_peer * 1e3:>8.0f}")
    least, median = min(plain), statistics.median(plain)
    print(f"{'git add -A, write-tree: warm':<34}{least * 1e3:>8.0f}{median * 1e3:>8.0f}")


if __name__ == "__main__":
    main()
