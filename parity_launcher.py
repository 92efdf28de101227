"""The `agent` command: finds this project's own packages, then hands over.

Owns the way in. A repository that the user stands in often has an `agent/` or `tools/` of its
own, and `PYTHONPATH=.` puts it first; its code must not run here. Must not know any command.
"""

import gc
import importlib
import os
import sys

PACKAGES = ("agent", "tools", "tui")
"""Held in `sys.modules` from the start, so that no path decides where they come from."""
INTERRUPTED = 130
COLLECT_AFTER = 50_000
"""Objects; by default Python looks for garbage 86 times while it imports a session's modules, a
twentieth of the start."""


def main() -> None:
    """Run the command line; ends the process."""
    try:
        _run()
    except KeyboardInterrupt:  # while it loads; later the command line sees to it
        print("Interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit()


def _run() -> None:
    gc.set_threshold(COLLECT_AFTER)
    home = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry == home or not _is_working_folder(entry)]
    sys.path.insert(0, home)
    for name in PACKAGES:
        importlib.import_module(name)
    del sys.path[0]
    if home not in sys.path:
        sys.path.append(home)

    importlib.import_module("agent.cli").main()


def _is_working_folder(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, os.curdir)
    except OSError:
        return False
