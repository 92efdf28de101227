"""A record that is followed while it grows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.events import Notice
from agent.playback import Tail


def line(text: str) -> bytes:
    return json.dumps({"event": "notice", "text": text}).encode() + b"\n"


def test_what_is_added_is_read_once(tmp_path: Path) -> None:
    record, tail = tmp_path / "record.jsonl", Tail()
    record.write_bytes(line("one") + line("two")[:9])
    assert tail.read(record) == (True, [Notice("one")])
    assert tail.read(record) == (False, [])
    with record.open("ab") as file:
        file.write(line("two")[9:] + b"no event\n" + line("three"))
    moved = tmp_path / "moved.jsonl"
    record.rename(moved)
    assert tail.read(moved) == (False, [Notice("two"), Notice("three")])


def test_another_record_is_read_from_its_beginning(tmp_path: Path) -> None:
    record, other, tail = tmp_path / "record.jsonl", tmp_path / "other", Tail()
    record.write_bytes(line("one") + line("two"))
    tail.read(record)
    other.write_bytes(line("again"))
    other.rename(record)
    assert tail.read(record) == (True, [Notice("again")])
    record.unlink()
    with pytest.raises(FileNotFoundError):
        tail.read(record)
