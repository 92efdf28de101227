"""The programs of ours that environments are made with, run outside the sandbox: git.

Owns their settings. Nothing of the user's configuration or of a tree has a say in what git does
to a tree. Must not know what it is used for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent import private
from agent.replay.environments.base import Unavailable
from tools.base import Cancel
from tools.errors import Cancelled, ToolError
from tools.process import Finished, execute

_CONFIG = """\
[user]
    name = Parity
    email = parity@localhost
[safe]
    directory = *
[core]
    autocrlf = false
    hooksPath = /dev/null
    logAllRefUpdates = false
    fsmonitor = false
[commit]
    gpgSign = false
[gc]
    auto = 0
[maintenance]
    auto = false
[advice]
    detachedHead = false
[init]
    defaultBranch = main
"""
_NETWORK = re.compile(
    r"(https?|all|no|ftp)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|GIT_SSL_\w+|PIP_\w+|UV_\w+",
    re.IGNORECASE,
)
_PATIENCE = 600.0
"""Seconds for what is done on this machine alone."""
_OUTPUT = 2_000_000
"""Bytes of what git says."""


class Git:
    """git, as the makers of trees use it."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: Where its configuration is written.
        """
        self._config = folder / "gitconfig"

    def run(
        self,
        argv: Sequence[str],
        cwd: Path,
        cancel: Cancel,
        *,
        timeout: float = _PATIENCE,
        env: Mapping[str, str] = {},
        own: bool = True,
    ) -> Finished:
        """Run git; whatever its exit code.

        Args:
            own: With our configuration alone; else with the user's.

        Raises:
            Unavailable: There is no git, or no such folder.
            Cancelled: `cancel` was set.
        """
        return self.shell(("git", *argv), cwd, cancel, timeout=timeout, env=env, own=own)

    def shell(
        self,
        argv: Sequence[str],
        cwd: Path,
        cancel: Cancel,
        *,
        timeout: float = _PATIENCE,
        env: Mapping[str, str] = {},
        own: bool = True,
    ) -> Finished:
        """As `run`, for any program that runs git."""
        if own:
            if not self._config.is_file():
                private.write(self._config, _CONFIG.encode())
            env = {
                "GIT_CONFIG_GLOBAL": str(self._config),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_ATTR_NOSYSTEM": "1",
                **env,
            }
        try:
            done = execute(argv, cwd, timeout=timeout, cancel=cancel, env=env, limit=_OUTPUT)
        except ToolError as error:
            raise Unavailable(str(error)) from error
        if done.cancelled:
            raise Cancelled
        return done

    def must(self, argv: Sequence[str], cwd: Path, cancel: Cancel) -> str:
        """As `run`; what it printed.

        Raises:
            Unavailable: It failed.
        """
        done = self.run(argv, cwd, cancel)
        if done.code != 0:
            raise Unavailable(f"git {argv[0]} failed in {cwd}: {last_line(done)}.")
        return done.output


def last_line(done: Finished) -> str:
    """The last thing a program said, or how it ended."""
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    return (lines[-1] if lines else done.ending).rstrip(".")


def network_variables() -> dict[str, str]:
    """What the user's environment says of proxies, certificates and package registries."""
    return {name: value for name, value in os.environ.items() if _NETWORK.fullmatch(name)}
