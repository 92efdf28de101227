"""What one call of a tool would do to the world, as values that can be shown and compared.

Owns the kinds of action. Must not know who permits them, nor how they are carried out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A program to be run."""

    argv: tuple[str, ...]
    folder: str
    """Where it runs; absolute."""
    program: str
    """The file that `argv[0]` stands for, absolute; empty if there is none."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables set for it, beyond the clean environment that every program gets."""
    network: bool = False
    """Whether it is to reach the network."""
    chosen: tuple[str, ...] | None = None
    """For a test command, the tests that it is narrowed to, none for all of them; else None."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file to be created or given new bytes."""

    path: str
    """Real name relative to the workspace's root."""
    patch: str
    """What changes, as `git apply` takes it."""
    basis: str
    """SHA-256 of the bytes that the change was made from, in hex; empty for a new file."""


Action = Command | FileChange
