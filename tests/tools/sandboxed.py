"""Commands in the sandbox, as this user or as an ordinary one, and what stands around them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.errors import ToolError
from tools.process import execute
from tools.sandbox import Tier, detect

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 65534
"""A user without rights, there on every system."""
CANARY = "canary-5d1b"
"""What must never be seen."""

# Imports as the user who may read this Python, then becomes the other one.
DRIVER = """\
import json, os, sys, threading
from pathlib import Path
order = json.loads(sys.argv[1])
from tests.tools.sandboxed import outcome
import tools.sandboxing.bubblewrap, tools.sandboxing.landlock
if order["user"]:
    os.setgroups([])
    os.setgid(order["user"])
    os.setuid(order["user"])
print(json.dumps(outcome(order)))
"""


@dataclass(frozen=True, slots=True)
class Ended:
    tier: str
    weaker: str
    code: int | None
    output: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A home with secrets, a workspace beside it, both in a folder that is hidden by default."""

    home: Path
    root: Path
    user: int
    """0: whoever runs the tests."""

    def run(
        self,
        script: str,
        *,
        tier: Tier = Tier.BUBBLEWRAP,
        network: bool = False,
        timeout: float = 30,
        readable: Sequence[Path] = (),
        hidden: Sequence[Path] = (),
        argv: Sequence[str] = (),
        apart: bool = False,
    ) -> Ended:
        """A shell's script, or other words, run in the workspace.

        Args:
            apart: Whether what runs it is a process that began with the secrets.
        """
        order = {
            "root": str(self.root),
            "argv": [*argv] or ["sh", "-c", script],
            "user": self.user,
            "tier": tier.value,
            "network": network,
            "timeout": timeout,
            "readable": [*map(str, readable)],
            "hidden": [*map(str, hidden)],
        }
        environ = {"HOME": str(self.home), "SECRET_KEY": CANARY}
        if self.user or apart:
            done = subprocess.run(
                [sys.executable, "-c", DRIVER, json.dumps(order)],
                cwd=ROOT,
                env={**os.environ, **environ},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            ended = Ended(**json.loads(done.stdout))
        else:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environ.items():
                    patch.setenv(name, value)
                ended = Ended(**outcome(order))
        if tier is Tier.LANDLOCK and self.user and ended.tier == Tier.NONE:
            pytest.skip("needs a Python that everyone may run")
        assert ended.tier == tier.value
        return ended


def outcome(order: dict[str, Any]) -> dict[str, Any]:
    """What an order of `Place.run` came to, in this process."""
    root = Path(order["root"])
    sandbox = detect(
        root,
        readable=[*map(Path, order["readable"])],
        hidden=[*map(Path, order["hidden"])],
        tiers=[Tier(order["tier"])],
    )
    told = {"tier": sandbox.tier.value, "weaker": sandbox.weaker}
    try:
        done = execute(
            order["argv"],
            root,
            timeout=order["timeout"],
            cancel=threading.Event(),
            sandbox=sandbox,
            network=order["network"],
        )
    except ToolError as error:
        return {**told, "code": None, "output": "", "error": str(error)}
    return {**told, "code": done.code, "output": done.output}


@contextmanager
def listeners() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP and a UDP socket on this machine's loopback, for what should never arrive."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.settimeout(0.5)
        udp.settimeout(0.5)
        yield tcp, udp
