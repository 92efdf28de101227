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
    merging = Merging[str](posted.append, merge, str.islower)
    for message in "abCdeFGhi":
        merging.put(message)
    merging.close(5)
    assert "".join(posted) == "abCdeFGhi"
    assert [message for message in posted if message.isupper()] == ["C", "F", "G"]


def test_what_comes_fast_is_posted_once_a_frame() -> None:
    posted: list[str] = []
    merging = Merging[str](posted.append, merge, str.islower)
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

    merging = Merging[str](post, merge, str.islower)
    for message in ("a", "b", "Z"):
        merging.put(message)
    assert there.wait(5)
    assert "".join(posted) == "abZ"
    merging.close(5)


def test_a_piece_that_waits_is_not_merged_with_itself() -> None:
    merges: list[tuple[str, str]] = []

    def counted(first: str, second: str) -> str | None:
        merges.append((first, second))
        return merge(first, second)

    merging = Merging[str](str, counted, str.islower)
    for message in "abc":
        merging.put(message)
        time.sleep(0.1)
    merging.close(5)
    assert not any(first == second for first, second in merges)


def test_one_that_is_not_taken_does_not_end_those_after_it() -> None:
    posted: list[str] = []

    def post(message: str) -> None:
        if message == "A":
            raise RuntimeError("Event loop is closed")
        posted.append(message)

    merging = Merging[str](post, merge, str.islower)
    for message in "AbC":
        merging.put(message)
    merging.close(5)
    assert posted == ["b", "C"]
