"""The path from tokens to what is told: letters, thoughts, stop strings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")

from agent.models.base import ReasoningDelta, Sampling, TextDelta
from agent.models.local import driver as drivers
from agent.models.local.driver import Driver
from agent.models.local.writer import Full, Stopped, Writer

Delta = TextDelta | ReasoningDelta


@pytest.fixture(scope="module")
def driver(weights: Path) -> Iterator[Driver]:
    quiet = drivers.listen(lambda _: None)
    made = Driver(str(weights), context=512, gpu_layers=0, kv_type="q8_0", threads=1)
    yield made
    made.close()
    del quiet


def told(
    driver: Driver,
    text: str,
    *,
    stops: tuple[str, ...] = (),
    thinking: bool = False,
    limit: int = 500,
) -> tuple[list[Delta], Writer]:
    """What is told of a text that is written one token at a time, neighbours of a kind joined."""
    deltas: list[Delta] = []

    def emit(delta: Delta) -> None:
        if deltas and type(deltas[-1]) is type(delta):
            deltas[-1] = type(delta)(deltas[-1].text + delta.text)
        else:
            deltas.append(delta)

    writer = Writer(driver, Sampling(), emit, limit=limit, stops=stops, thinking=thinking)
    try:
        for token in driver.tokenize(text, special=False):
            writer.write([token])
    except (Full, Stopped):
        pass
    writer.close()
    return deltas, writer


@pytest.mark.parametrize(
    "text",
    ["plain", "é ≠ \U0001f600\U0001f468‍\U0001f469‍\U0001f467", "a < b, <thin> </think", " \n <thi"],
)
def test_text_is_told_whole(driver: Driver, text: str) -> None:
    deltas, writer = told(driver, text)
    assert deltas == [TextDelta(text)]
    assert writer.text == text


def test_thoughts_are_told_apart_from_speech(driver: Driver) -> None:
    deltas, writer = told(driver, "\n<think>a < b\n</think>\n\nSo <think> it is.")
    assert deltas == [ReasoningDelta("a < b\n"), TextDelta("\n\nSo <think> it is.")]
    assert not writer.thinking

    deltas, writer = told(driver, "hm</think>yes", thinking=True)
    assert deltas == [ReasoningDelta("hm"), TextDelta("yes")]

    deltas, writer = told(driver, "<think>never closed")
    assert deltas == [ReasoningDelta("never closed")]
    assert writer.thinking


@pytest.mark.parametrize(
    ("text", "stop", "left"),
    [
        ("one two three four", "three", "one two "),
        ("one two three four", "o th", "one tw"),
        ("a\n```\nrest", "\n```\n", "a"),
        ("same", "same", ""),
        ("é≠é!", "≠", "é"),
    ],
)
def test_a_stop_string_is_neither_told_nor_kept(
    driver: Driver, text: str, stop: str, left: str
) -> None:
    deltas, writer = told(driver, text, stops=("never", stop))
    assert "".join(delta.text for delta in deltas) == left == writer.text
    assert b"".join(driver.piece(token) for token in writer.output) == left.encode()


def test_half_a_letter_at_the_end_is_replaced(driver: Driver) -> None:
    half = driver.tokenize("\U0001f9ff", special=False)
    assert len(half) > 1
    deltas, writer = told(driver, "\U0001f9ff", limit=1)
    assert writer.output == half[:1]
    assert deltas == [TextDelta("�")]
