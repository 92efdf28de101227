"""Stores of snapshots stay within their limits, however long and however much is done."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.snapshot_pruning import Limits
from tools.snapshots import Snapshots

OFTEN = Limits(every=0)
"""Looks each time."""
DAY = 86_400


@contextmanager
def opened(root: Path, name: str, limits: Limits) -> Iterator[Snapshots]:
    snapshots = Snapshots(root, root.parent / "snapshots", name, limits)
    snapshots.begin_turn()
    yield snapshots
    assert snapshots.notices == []
    snapshots.close(tidy=True)


def session(root: Path, name: str, limits: Limits, size: int = 0) -> None:
    """A session of one turn that finds the tree changed."""
    with opened(root, name, limits) as snapshots:
        (root / "a").write_bytes(os.urandom(size) + name.encode())
        snapshots.before_change(watch=False)


def store(root: Path) -> Path:
    return max((root.parent / "snapshots").iterdir(), key=lambda path: (path / "index").exists())


def kept(root: Path) -> list[str]:
    return sorted(path.parent.name for path in store(root).glob("refs/snapshots/*/*"))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_number_of_snapshots_is_bounded(root: Path) -> None:
    for number in range(5):
        session(root, f"s{number}", Limits(every=0, snapshots=2))
    assert kept(root) == ["s3", "s4"]


def test_old_snapshots_expire_and_their_bytes_go(root: Path) -> None:
    session(root, "old", Limits(), 500_000)
    session(root, "new", Limits())
    (ref,) = store(root).glob("refs/snapshots/old/*")
    assert size(store(root)) > 500_000
    os.utime(ref, (time.time() - 15 * DAY,) * 2)
    session(root, "last", OFTEN)
    assert kept(root) == ["last", "new"]
    assert size(store(root)) < 100_000


def test_the_size_is_bounded_at_the_cost_of_snapshots(root: Path) -> None:
    limits = Limits(every=0, store=700_000)
    sizes = []
    for number in range(6):
        session(root, f"s{number}", limits, 200_000)
        sizes.append(size(store(root)))
    assert max(sizes) < 800_000
    assert len(kept(root)) < 4


def test_a_tree_that_alone_is_too_large_keeps_nothing(root: Path) -> None:
    limits = Limits(every=0, store=100_000)
    session(root, "s", limits, 200_000)
    assert size(store(root)) < 1000
    with opened(root, "t", limits) as snapshots:
        snapshots.before_change(watch=True)
        (root / "b").write_text("x")
        assert [item.path for item in snapshots.differences()] == ["b"]


def test_much_in_one_day_is_pruned_without_waiting(root: Path) -> None:
    limits = Limits(loose=300_000, snapshots=1)
    sizes = []
    for number in range(8):
        session(root, f"s{number}", limits, 100_000)
        sizes.append(size(store(root)))
    assert max(sizes) < 700_000


def test_within_the_day_nothing_is_packed(root: Path) -> None:
    session(root, "s", Limits())
    session(root, "t", Limits())
    assert kept(root) == ["s", "t"]
    assert not list(store(root).glob("objects/pack/*"))


def test_stores_of_trees_nobody_works_on_go(root: Path) -> None:
    other = root.parent / "other"
    other.mkdir()
    session(other, "s", Limits())
    shutil.rmtree(other)
    (left,) = (root.parent / "snapshots").iterdir()
    session(root, "s", OFTEN)
    assert left.exists()
    os.utime(left / "turn.lock", (time.time() - 15 * DAY,) * 2)
    session(root, "t", OFTEN)
    assert not left.exists()


def test_of_all_stores_those_unused_for_longest_go(root: Path) -> None:
    stores: list[Path] = []
    for number in range(3):
        other = root.parent / f"other{number}"
        other.mkdir()
        session(other, "s", Limits(), 300_000)
        (made,) = set((root.parent / "snapshots").iterdir()) - set(stores)
        stores.append(made)
        os.utime(made / "turn.lock", (time.time() - DAY + number,) * 2)
    session(root, "s", Limits(every=0, stores=500_000))
    assert [place.exists() for place in stores] == [False, False, True]


def test_what_another_session_needs_is_not_pruned(root: Path) -> None:
    limits = Limits(every=0, snapshots=0)
    (root / "b").write_bytes(b"precious")
    with opened(root, "long", limits) as long:
        long.before_change(watch=True)
        other = Snapshots(root, root.parent / "snapshots", "short", limits)
        other.before_change(watch=True)
        (root / "b").unlink()
        other.differences()
        other.close(tidy=True)
        (gone,) = long.differences()
        assert gone.before is not None
        assert gone.before.data == b"precious"


def test_a_store_in_use_is_not_deleted(root: Path) -> None:
    other = root.parent / "other"
    other.mkdir()
    with opened(other, "s", Limits()) as at_work:
        at_work.before_change(watch=True)
        (used,) = (root.parent / "snapshots").iterdir()
        os.utime(used / "turn.lock", (time.time() - 15 * DAY,) * 2)
        session(root, "s", Limits(every=0, stores=0))
        (other / "a").write_text("x")
        assert [item.path for item in at_work.differences()] == ["a"]
