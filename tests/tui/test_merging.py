"""Pieces of an answer on their way to the screen."""

from __future__ import annotations

import threading
import time

from tui.merging import Merging


def merge(first: str, second: str) -> str | None:
    """Small letters are pieces of one text, capitals are not."""
    return first + second if first.islower() and second.islower() else None


def test_the_order_stays_and_nothing_is_lost() -> None:
    posted: list[str] = []
    merging = Merging[str](posted.append, merge)
    for message in "abCdeFGhi":
        merging.put(message)
    merging.close(5)
    assert "".join(posted) == "abCdeFGhi"
    assert [message for message in posted if message.isupper()] == ["C", "F", "G"]


def test_what_comes_fast_is_posted_once_a_frame() -> None:
    posted: list[str] = []
    merging = Merging[str](posted.append, merge)
    began = time.monotonic()
    for _ in range(200):
        merging.put("x")
        time.sleep(0.001)
    merging.close(5)
    frames = (time.monotonic() - began) * 30
    assert "".join(posted) == "x" * 200
    assert len(posted) <= frames + 3


def test_what_cannot_be_merged_does_not_wait() -> None:
    there = threading.Event()
    posted: list[str] = []

    def post(message: str) -> None:
        posted.append(message)
        if message == "Z":
            there.set()

    merging = Merging[str](post, merge)
    for message in ("a", "b", "Z"):
        merging.put(message)
    assert there.wait(5)
    assert "".join(posted) == "abZ"
    merging.close(5)
