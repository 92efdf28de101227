"""The driver on real weights: no byte lost, the cache's record exact, aborts clean."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")

from agent.models.base import Sampling
from agent.models.local.driver import Aborted, Driver, LoadFailed, shared
from agent.models.local.sampler import Sampler


@pytest.fixture(scope="module")
def driver(weights: Path) -> Iterator[Driver]:
    made = Driver(str(weights), context=2048, gpu_layers=0, kv_type="f16", threads=2)
    yield made
    made.close()


CODE = (
    "def f(x):\n" + " " * 70 + "return x\n# " + "-" * 90 + "\n" + "=" * 60 + "\té \U0001f600\r\n\0"
)


def test_every_byte_survives_tokenisation(driver: Driver) -> None:
    tokens = driver.tokenize(CODE, special=False)
    assert b"".join(driver.piece(token) for token in tokens) == CODE.encode()


def test_control_tokens_are_only_recognised_where_asked(driver: Driver) -> None:
    (end,) = driver.tokenize("<|im_end|>", special=True)
    assert end in driver.ends
    assert driver.piece(end) == b"<|im_end|>"
    assert not set(driver.tokenize("<|im_end|>", special=False)) & driver.ends


def test_the_cache_gives_the_same_logits_as_reading_anew(driver: Driver) -> None:
    tokens = driver.tokenize("def add(a, b):\n    return a + b\n\n\ndef sub(a, b):", special=False)
    driver.keep(tokens[:1])
    driver.evaluate(tokens[driver.keep(tokens) :])
    whole = driver.logits().copy()

    other = [*tokens[:-4], *driver.tokenize("something else entirely", special=False)]
    assert driver.keep(other) == len(tokens) - 4
    driver.evaluate(other[len(tokens) - 4 :])
    assert driver.keep(tokens) == len(tokens) - 4
    assert driver.held == tokens[:-4]
    driver.evaluate(tokens[-4:])

    assert driver.held == tokens
    assert int(driver.logits().argmax()) == int(whole.argmax())
    assert float(abs(driver.logits() - whole).max()) < 0.5


def test_a_prompt_held_in_full_leaves_one_token_to_evaluate(driver: Driver) -> None:
    tokens = driver.tokenize("one two three four", special=False)
    driver.evaluate(tokens[driver.keep(tokens) :])
    assert driver.keep(tokens) == len(tokens) - 1


def test_an_abort_in_the_middle_of_a_batch_leaves_an_exact_record(driver: Driver) -> None:
    tokens = driver.tokenize("x = 1\n" * 450, special=False)
    driver.keep(tokens[:1])
    start = driver.tokenize("once", special=False)
    driver.evaluate(start[driver.keep(start) :])
    held = list(driver.held)
    aborter = threading.Timer(0.05, driver.abort)
    aborter.start()
    began = time.monotonic()
    with pytest.raises(Aborted):
        driver.evaluate(tokens)
    assert time.monotonic() - began < 5
    assert driver.aborting
    assert driver.held[: len(held)] == held
    assert (len(driver.held) - len(held)) % 512 == 0
    driver.resume()
    driver.evaluate(driver.tokenize(" upon a time", special=False))


def test_sampling_is_repeatable_and_greedy_at_zero(driver: Driver) -> None:
    tokens = driver.tokenize("The colour of the sky is", special=False)
    driver.evaluate(tokens[driver.keep(tokens) :])

    def chosen(sampling: Sampling, count: int = 20) -> list[int]:
        sampler = Sampler(driver, sampling)
        found = [sampler.choose() for _ in range(count)]
        sampler.close()
        return found

    best = int(driver.logits().argmax())
    assert set(chosen(Sampling())) == {best}
    assert set(chosen(Sampling(temperature=1.0, top_k=1))) == {best}
    hot = Sampling(temperature=1.5, top_p=0.95, seed=4)
    assert chosen(hot) == chosen(hot)
    assert len(set(chosen(hot))) > 3


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 1000])
def test_garbage_is_not_loaded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(LoadFailed):
        Driver(str(path), context=64, gpu_layers=0, kv_type="f16", threads=1)


def test_shared_beginnings() -> None:
    assert shared([1, 2, 3], [1, 2, 4]) == 2
    assert shared([1, 2], [1, 2, 3]) == 2
    assert shared([], [1]) == 0
