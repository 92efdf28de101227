"""The tier of macOS: `sandbox-exec` with a profile made for the command.

Owns the profile. Must not know how a place came to be hidden, shown or protected.

The last rule that fits a path decides, so what lies deeper is written later.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.sandboxing.base import Launch, Tier
from tools.sandboxing.policy import Policy, other_home
from tools.sandboxing.scan import Scan

PROGRAM = "/usr/bin/sandbox-exec"
_FIXED = """\
(version 1)
(allow default)
(deny signal)
(allow signal (target same-sandbox))
(deny process-info*)
(allow process-info* (target same-sandbox))
(deny mach-lookup (global-name "com.apple.SecurityServer"))
(deny mach-lookup (global-name "com.apple.securityd.xpc"))
(deny mach-lookup (global-name "com.apple.pasteboard.1"))
(deny appleevent-send)
(deny file-write*)
(allow file-write* (subpath "/dev"))
"""


class Seatbelt:
    """Commands see the system, not the user's home, and write to the workspace alone."""

    tier = Tier.SEATBELT
    holds = True
    promise = (
        "no network; home and .env unreadable; .git, .agent and virtual environments read-only; "
        "but a process may outlive its command"
    )

    def __init__(self, policy: Policy, weaker: str = "") -> None:
        self.weaker = weaker
        self._policy = policy
        self._scan = Scan(policy.root)

    @contextmanager
    def launch(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        network: bool = False,
        writable: Sequence[Path] = (),
    ) -> Iterator[Launch]:
        temporary = Path(tempfile.mkdtemp(prefix="parity-run-")).resolve()
        try:
            profile = self._profile((temporary, *(path.resolve() for path in writable)), network)
            theirs = {**env, **other_home(temporary), "TMPDIR": str(temporary)}
            yield Launch([PROGRAM, "-p", profile, "--", *argv], cwd, theirs)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _profile(self, writable: Sequence[Path], network: bool) -> str:
        policy = self._policy
        found = self._scan.look()
        rules: dict[Path, tuple[str, ...]] = {}
        for path in policy.hidden:
            # Programs ask what the folders above them are.
            rules[path] = ("deny file-read-data", "deny file-write*")
        for path in policy.readable:
            rules[path] = ("allow file-read*", "deny file-write*")
        for path in (*writable, policy.root):
            rules[path] = ("allow file-read*", "allow file-write*")
        for path in (*policy.protected, *found.repositories):
            rules[path] = ("deny file-write*",)
        for path in found.secrets:
            if not any(path.is_relative_to(ok) for ok in policy.asked):
                rules[path] = ("deny file-read*", "deny file-write*")
        lines = [
            f"({rule} (subpath {_quoted(path)}))"
            for path, wanted in sorted(rules.items(), key=lambda item: len(item[0].parts))
            for rule in wanted
        ]
        if not network:
            lines.append("(deny network*)")
        return _FIXED + "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
