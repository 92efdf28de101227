"""`agent` without a command: an interactive session, on the screen or line by line.

Owns the choice of the two and of the session that goes on. Must not know what either shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import ExitCode, InputError
from agent.mode import Mode
from agent.wanted import Wanted

if TYPE_CHECKING:
    from agent.session import SessionInfo


def converse(
    repo: Path, flags: Mapping[str, Any], *, last: bool, resume: str | None, plain: bool
) -> ExitCode:
    """Work with the user until they leave.

    Args:
        flags: Settings given as options; None for those that were not.
        last: Whether the session of the repository that was last at work goes on.
        resume: The id of the session that goes on.
        plain: Line by line, whatever the terminal can do.

    Raises:
        AgentError: What was given cannot be used.
    """
    before = _before(repo, last=last, resume=resume)
    wanted = Wanted(repo, flags, mode=Mode.ASK, resume=before, talk=True)
    served = os.environ.get("TEXTUAL_DRIVER", "").endswith("WebDriver")
    if not plain and not served and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("There is no terminal for the screen: give --plain, or use `agent fix`.")
    if plain or os.environ.get("TERM") == "dumb":
        from agent.plain import converse_plainly  # only where there is no screen

        return converse_plainly(wanted)
    from tui.app import run  # 200 ms; only here is there a screen

    return run(wanted)


def watch(info: SessionInfo, speed: float) -> ExitCode:
    """Play a recorded session on the screen."""
    from tui.app import watch as play  # as above

    return play(info, speed)


def serve(repo: Path, flags: Mapping[str, Any], *, port: int) -> ExitCode:
    """Show the screen in a browser of this machine until Ctrl+C.

    Args:
        flags: Settings given as options; None for those that were not.
        port: 0 for any that is free.

    Raises:
        AgentError: What was given cannot be used, or the server is not installed.
    """
    from agent.work_tree import find_root  # 90 ms; the screen needs it only once it is seen

    root = find_root(repo)
    try:
        from tui.web import serve as serve_page  # 300 ms, an HTTP server; only needed here
    except ModuleNotFoundError as error:
        raise InputError(
            f"`agent serve` needs {error.name}: install the extra `parity-agent[serve]`."
        ) from error
    options = [part for name, value in flags.items() if value for part in (f"--{name}", str(value))]
    argv = [*command_line(), "--repo", str(root), *options]
    serve_page(argv, port, lambda url: print(f"Parity is at {url}", flush=True))
    return ExitCode.VERIFIED


def command_line() -> list[str]:
    """How this program was started, so that it can be started again."""
    program = sys.argv[0]
    if program == "-c":  # from a checkout
        import parity_launcher

        home = str(Path(parity_launcher.__file__).parent)
        code = f"import sys; sys.path.append({home!r}); import parity_launcher as p; p.main()"
        return [sys.executable, "-P", "-c", code]
    return [program]


def _before(repo: Path, *, last: bool, resume: str | None) -> SessionInfo | None:
    if not resume and not last:
        return None
    # 90 ms; only needed to go on with a session
    from agent.session import find_session, state_folder
    from agent.work_tree import find_root

    if resume:
        return find_session(resume, state_folder())
    return find_session("last", state_folder(), find_root(repo))
