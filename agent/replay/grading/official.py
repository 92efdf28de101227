"""The official package's own parsers, for the runners of other languages.

Owns the process they are run in: importing swebench's harness takes 6 s for docker, modal and
datasets and reads a `.env` into the environment, and its parsers need none of that. Must not know
what is parsed.
"""

from __future__ import annotations

import json
import subprocess
import sys

from agent.replay.environments.base import Unavailable
from tools.process import clean_environment

_PROGRAM = """
import importlib.util, json, sys, types
found = importlib.util.find_spec("swebench")
if found is None:
    sys.exit(3)
harness = types.ModuleType("swebench.harness")
harness.__path__ = [place + "/harness" for place in found.submodule_search_locations]
sys.modules["swebench.harness"] = harness
from swebench.harness.log_parsers import PARSER_REGISTRY
parser = PARSER_REGISTRY.get(sys.argv[1])
if parser is None:
    sys.exit(4)
log = sys.stdin.buffer.read().decode("utf-8", "replace")
json.dump({str(name): str(status) for name, status in parser(log, None).items()}, sys.stdout)
"""
_PATIENCE = 120.0
"""Seconds for a log; megabytes take one."""


def official_statuses(parser: str, log: str) -> dict[str, str]:
    """What became of each test.

    Raises:
        Unavailable: The package is not installed, or has no such parser.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM, parser],
            input=log.encode("utf-8", "replace"),
            capture_output=True,
            timeout=_PATIENCE,
            env=clean_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"The log could not be read with {parser}: {error}.") from error
    match done.returncode:
        case 0:
            return {str(name): str(status) for name, status in json.loads(done.stdout).items()}
        case 3:
            raise Unavailable(
                f"Reading its log needs swebench's {parser}: pip install 'parity-agent[swebench]'."
            )
        case 4:
            raise Unavailable(f"There is no log parser {parser!r}; the task's row names it.")
        case _:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise Unavailable(f"swebench's {parser} failed: {last}")
