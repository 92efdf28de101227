from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tui.completion import Place, Places, made_plain

CODE = """\
class Shop:
    def total(self):
        return 1


RATE = 3
"""


def looked(root: Path, cache: Path | None = None) -> Places:
    places = Places(root, cache, lambda: None)
    places.refresh()
    end = time.monotonic() + 20
    while places.looking:
        assert time.monotonic() < end
        time.sleep(0.01)
    return places


def tree(root: Path) -> Path:
    (root / "app").mkdir(parents=True)
    (root / "app" / "shop.py").write_text(CODE)
    (root / "README.md").write_text("one\ntwo\n")
    (root / "my notes.txt").write_text("x")
    return root


def names(places: Places, query: str) -> list[str]:
    return [place.mention for place in places.search(query, 20)]


def test_files_and_symbols_are_found(tmp_path: Path) -> None:
    places = looked(tree(tmp_path))
    assert names(places, "shop")[:2] == ["@app/shop.py:Shop", "@app/shop.py"]
    assert "@app/shop.py:Shop.total" in names(places, "total")
    assert names(places, "shop.py:tot") == ["@app/shop.py:Shop.total"]
    assert names(places, "app/shop.py:") == [
        "@app/shop.py:Shop",
        "@app/shop.py:Shop.total",
        "@app/shop.py:RATE",
    ]
    assert names(places, ":rate") == ["@app/shop.py:RATE"]
    assert names(places, "notes") == ['@"my notes.txt"']
    assert names(places, "zzz") == []
    assert names(places, "") == ["@README.md", "@app/shop.py", '@"my notes.txt"']


def test_hostile_names_are_not_offered(tmp_path: Path) -> None:
    tree(tmp_path)
    hostile = ["a\nb.py", "c\x1b[31md.py", "e\u202ef.py", 'g"h.py', "i@j.py"]
    for name in (*hostile, "[red]markup[bold].py", "-rf.py", "日本.py"):
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / os.fsdecode(b"bad\xff.py")).write_text("")
    found = names(looked(tmp_path), "")
    assert {"@[red]markup[bold].py", "@-rf.py", "@日本.py"} <= set(found)
    assert all(name.isprintable() for name in found)
    assert not [name for name in found if any(name == f"@{bad}" for bad in hostile)]


def test_the_caller_is_told_when_more_is_there_and_never_waits(tmp_path: Path) -> None:
    told = threading.Event()
    places = Places(tree(tmp_path), tmp_path.parent / "index", told.set)
    started = time.monotonic()
    places.refresh()
    assert time.monotonic() - started < 0.5
    assert told.wait(20)


def test_a_folder_that_is_gone_offers_nothing(tmp_path: Path) -> None:
    assert names(looked(tmp_path / "none"), "a") == []


def test_what_is_named_is_made_plain(tmp_path: Path) -> None:
    text, named = made_plain(
        'Fix @app/shop.py:Shop.total, see (@README.md) and @"my notes.txt".', tree(tmp_path)
    )
    assert text == "Fix app/shop.py:Shop.total, see (README.md) and my notes.txt."
    assert named.split("\n") == [
        "Named below:",
        "- app/shop.py:Shop.total is in app/shop.py, lines 2 to 3.",
        "- README.md has 2 lines.",
        "- my notes.txt has 1 line.",
    ]
    assert made_plain("look in @app", tmp_path)[1].endswith("- app is a folder.")


def test_what_is_no_name_stays_as_it_was_written(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path.parent / "outside.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to(tmp_path.parent / "outside.txt")
    os.mkfifo(tmp_path / "pipe")
    text = (
        "@dataclass, me@README.md, @.env @../outside.txt @/etc/passwd @link.txt @pipe "
        "@app/shop.py:Nothing @ @@ @~ @\x00 @" + "a/" * 3000
    )
    assert made_plain(text, tmp_path) == (text, "")


def test_a_place_says_what_it_is() -> None:
    assert Place("a.py").label == "a.py"
    assert Place("a.py", "f").label == "f"
