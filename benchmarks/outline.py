"""How long the outline of a repository takes, cold and warm, beside the cost of touching its files.

    python benchmarks/outline.py PATH [--text TASK] [--limit COLD,WARM]

Prints seconds; with --limit it exits 1 when the cold or the warm time is above it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.outline import Index, render
from tools.workspace import Workspace

TASK = """QuerySet.delete() ignores the order of related objects

When a model has a ForeignKey with on_delete=CASCADE, the collector sorts the models wrongly and
`IntegrityError: FOREIGN KEY constraint failed` is raised. See `Collector.sort`.
"""
BUDGET = 2000


def best(action: Callable[[], object], times: int) -> float:
    """The least of some runs, in seconds: the rest is other programs' noise."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--text", default=TASK)
    parser.add_argument("--limit", help="seconds COLD,WARM")
    options = parser.parse_args()
    workspace = Workspace(options.repository)

    def outline(cache: Path) -> str:
        index = Index.build(Workspace(options.repository), cache)
        return render(index.rank(options.text), index, BUDGET, lambda text: len(text) // 4)

    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        cold = best(lambda: outline(cache), 1)
        warm = best(lambda: outline(cache), 5)
        index = Index.build(workspace, cache)
        kilobytes = sum(file.stat().st_size for file in cache.iterdir()) // 1024
        places = [str(workspace.root / path) for path in index.paths]
        symbols = sum(len(index.symbols(path)) for path in index.paths)
        parts = {
            "list files": best(lambda: Workspace(options.repository).files(), 3),
            "build": best(lambda: Index.build(workspace, cache), 3),
            "rank": best(lambda: index.rank(options.text), 3),
        }
        ranked = index.rank(options.text)
        parts["render"] = best(
            lambda: render(ranked, index, BUDGET, lambda text: len(text) // 4), 3
        )
    stat = best(lambda: [os.stat(place) for place in places], 3)
    read = best(lambda: [Path(place).read_bytes() for place in places], 3)
    print(f"files   {len(places):>8}   symbols {symbols}   index {kilobytes} KiB")
    print(f"cold    {cold:>8.3f} s   {cold / read:.1f} × reading all files ({read:.3f} s)")
    print(f"warm    {warm:>8.3f} s   {warm / stat:.1f} × os.stat of all files ({stat:.3f} s)")
    print("        " + ", ".join(f"{name} {seconds:.3f} s" for name, seconds in parts.items()))
    if options.limit is None:
        return 0
    most_cold, most_warm = map(float, options.limit.split(","))
    return int(cold > most_cold or warm > most_warm)


if __name__ == "__main__":
    raise SystemExit(main())
