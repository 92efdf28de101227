"""Repositories to work on, and scripts for the model that plays them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PLAIN_FIX = """
[[step]]
text = "The value is off by one."
[[step.call]]
tool = "replace_symbol"
path = "app.py"
symbol = "value"
code = '''
def value():
    return 2
'''
[[step]]
text = "Done."
"""
"""Solves what `plain` asks for."""

FORMULA_FIX = """
[[step]]
text = "The tax is taken before the discount."
[[step.call]]
tool = "replace_symbol"
path = "billing/invoice.py"
symbol = "Invoice.tax"
code = '''
    def tax(self) -> int:
        return percent(self.subtotal() - self.discount(), self.tax_rate)
'''
[[step]]
text = "Done."
"""
"""Solves `examples/wrong_formula`."""

SLOW_END = """
[[step]]
text = "Now I will think for long."
delay = 60.0
"""


def git(folder: Path, *argv: str | Path) -> str:
    """What a git command prints."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(folder)}
    done = subprocess.run(
        ["git", *identity, *argv], cwd=folder, env=environ, capture_output=True, check=True
    )
    return done.stdout.decode("utf-8", "surrogateescape")


def example(name: str, folder: Path) -> Path:
    """A copy of one of the examples, without what running it left there."""
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    return shutil.copytree(EXAMPLES / name, folder, ignore=ignored)


def commit(folder: Path) -> Path:
    """Make a repository of a folder, all of it committed."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a tree but git's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
