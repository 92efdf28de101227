"""What the sandbox costs: a command that does nothing, and a command that never stops talking.

`true` is run outside and inside by turns, so that a busy machine slows both alike; the medians and
their difference are shown (limit: 20 ms). Then `yes` runs for two seconds in the sandbox, in a
process of its own whose memory is read (limit: 50 MB), and its output must have a head, a tail and
what was left out between them.

    python benchmarks/sandbox.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.process import execute  # noqa: E402  from this tree
from tools.sandbox import NoSandbox, Sandbox, Tier, detect  # noqa: E402

LIMIT_MS = 20
LIMIT_MB = 50

FLOOD = """\
import resource, sys, threading
from pathlib import Path
from tools.process import execute
from tools.sandbox import detect
root = Path(sys.argv[1])
sandbox = detect(root)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
done = execute(["yes"], root, timeout=2, cancel=threading.Event(), sandbox=sandbox)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
per_mb = 1024 * 1024 if sys.platform == "darwin" else 1024
cut = done.output.startswith("y") and done.output.rstrip().endswith("y")
print((after - before) / per_mb, done.truncated_bytes, cut and "left out" in done.output)
"""


def one(sandbox: Sandbox, root: Path) -> float:
    """Seconds of one `true`."""
    begun = time.perf_counter()
    done = execute(["true"], root, timeout=60, cancel=threading.Event(), sandbox=sandbox)
    if done.code != 0:
        sys.exit(f"true {done.ending}: {done.output}")
    return time.perf_counter() - begun


def make_tree(root: Path, files: int) -> None:
    """Files in folders of ten, to be looked through for secrets."""
    for number in range(files):
        folder = root / f"package_{number // 100}" / f"part_{number // 10 % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"module_{number}.py").write_text("")
    (root / ".env").write_text("KEY=1\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--files", type=int, default=3000, help="in the workspace")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_tree(root, options.files)
        plain = NoSandbox()
        kinds: dict[str, Sandbox] = {"plain": plain}
        for tier in Tier:
            found = detect(root, tiers=[tier])
            if found.tier is tier is not Tier.NONE:
                kinds[tier.value] = found
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for run in range(options.runs + 1):
            for kind, sandbox in kinds.items():
                took = one(sandbox, root)
                if run:  # the first looks through the whole tree
                    seconds[kind].append(took)
        print(f"{'true, milliseconds':<20}{'least':>8}{'median':>8}{'median, more':>14}")
        for kind, all_of_it in seconds.items():
            median = statistics.median(all_of_it)
            more = median - statistics.median(seconds["plain"])
            print(f"{kind:<20}{min(all_of_it) * 1e3:>8.1f}{median * 1e3:>8.1f}{more * 1e3:>14.1f}")
        flood = subprocess.run(
            [sys.executable, "-c", FLOOD, name],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    grown, left_out, cut = flood.stdout.split()
    print(f"limit                                 {LIMIT_MS:>12}")
    print(f"yes for 2 s: {float(grown):.1f} MB more memory (limit {LIMIT_MB}), ", end="")
    print(f"{int(left_out):,} bytes left out, head and tail kept: {cut}")


if __name__ == "__main__":
    main()
