"""A small repository with a bug, its fix and the tests of it, as a benchmark's instance."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from agent.replay.instance import Instance, Recipe, RepositoryTask

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WRONG = "def half(number):\n    return number // 2\n\n\ndef twice(number):\n    return number * 2\n"
RIGHT = WRONG.replace("number // 2", "number / 2")
SECRET = "and this is how it was fixed"
TESTS = """\
import unittest
from little import half, twice

class Cases(unittest.TestCase):
    def test_even(self):
        self.assertEqual(half(4), 2)
    def test_twice(self):
        self.assertEqual(twice(4), 8)
"""
MORE_TESTS = f"{TESTS}    def test_odd(self):\n        self.assertEqual(half(3), 1.5)\n"
MAIN = '\nif __name__ == "__main__":\n    unittest.main(verbosity=2)\n'
# As an editable install does: the environment is pointed at the tree.
INSTALL = (
    'python -c "import os, sysconfig; '
    "print(os.getcwd() + '/src', file=open(sysconfig.get_path('purelib') + '/little.pth', 'w'))\" "
    "&& mkdir -p little.egg-info && touch little.egg-info/PKG-INFO # -e"
)
RECIPE = Recipe("little", PYTHON, (), INSTALL, "python tests/test_little.py", "parse_log_django",
                normalise="py311-unittest-id")  # fmt: skip


def git(folder: Path, *argv: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", *identity, *argv], cwd=folder, env=environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@dataclass(frozen=True, slots=True)
class Little:
    """The repository, and the instance made of its fix."""

    mirrors: Path
    repository: Path
    instance: Instance

    def changed(self, **values: object) -> Instance:
        """The instance with another task."""
        task = self.instance.task
        assert isinstance(task, RepositoryTask)
        return replace(self.instance, task=replace(task, **values))  # type: ignore[arg-type]

    def recipe(self, **values: object) -> Instance:
        """The instance with another recipe."""
        return self.changed(recipes=(replace(RECIPE, **values),))  # type: ignore[arg-type]


def make_little(mirrors: Path) -> Little:
    root = mirrors / "owner__little"
    (root / "src").mkdir(parents=True)
    (root / "tests").mkdir()
    git(root, "init", "-q")
    files = {
        "src/little.py": WRONG,
        "tests/test_little.py": TESTS + MAIN,
        ".gitattributes": "*.txt export-subst ident text eol=lf\nexport-ignored export-ignore\n",
        "version.txt": "$Format:%H$ $Id$\r\n",
        "export-ignored": "x\n",
        ".gitignore": "*.log\n",
        "kept.log": "ignored and tracked\n",
        ".env": "NAME=public\n",
    }
    for name, text in files.items():
        (root / name).write_bytes(text.encode())
    os.symlink("src/little.py", root / "link")
    # Past the filters, so that the objects are the bytes.
    for name in (*files, "link"):
        content = os.readlink(root / name).encode() if name == "link" else files[name].encode()
        done = subprocess.run(["git", "hash-object", "-w", "--stdin", "--no-filters"], cwd=root,
                              input=content, capture_output=True, check=True)  # fmt: skip
        mode = "120000" if name == "link" else "100644"
        entry = f"{mode},{done.stdout.decode().strip()},{name}"
        git(root, "update-index", "--add", "--cacheinfo", entry)
    git(root, "commit", "-q", "-m", "base")
    base = git(root, "rev-parse", "HEAD").strip()
    (root / "src" / "little.py").write_text(RIGHT)
    git(root, "add", "src/little.py")
    patch = git(root, "diff", "--cached", "--", "src")
    (root / "tests" / "test_little.py").write_text(MORE_TESTS + MAIN)
    (root / "tests" / "data").mkdir()
    (root / "tests" / "data" / "new").write_text("new\n")
    git(root, "add", "tests")
    test_patch = git(root, "diff", "--cached", "--", "tests")
    git(root, "commit", "-q", "-m", SECRET)
    shutil.rmtree(root / "src")
    kept = ("test_even (__main__.Cases)", "test_twice (__main__.Cases)")
    task = RepositoryTask(
        "owner/little", base, patch, test_patch, ("test_odd (__main__.Cases)",), kept,
        recipes=(RECIPE,), log_parser="parse_log_django",
    )  # fmt: skip
    return Little(mirrors, root, Instance("owner__little-1", "half(3) is 1", task))
