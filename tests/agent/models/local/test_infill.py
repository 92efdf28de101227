"""Gaps filled beside a conversation; on real weights."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")

from agent.messages import UserMessage
from agent.models.base import INFILL, Gap, Infill, ModelSpec, Request, StopReason
from agent.models.catalogue import Catalogue
from agent.models.local.driver import Aborted, Driver, InfillTokens
from agent.models.local.infill import LINES, LONGEST, Infiller
from agent.models.local.model import LocalModel
from tests.agent.models.local.asking import ask

BEFORE = "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    "
PIECE = "return total / 2"
AFTER = "\n\n\ndef largest(values):\n    return max(values)\n"
GAP = Gap(BEFORE, PIECE, AFTER)
FILLING = "qwen2.5-coder-0.5b"


@pytest.fixture(scope="module")
def driver(weights: Path) -> Iterator[Driver]:
    made = Driver(str(weights), context=512, gpu_layers=0, kv_type="f16", threads=2, aside=True)
    yield made
    made.close()


def infiller(driver: Driver, room: int = 1_000, **wanted: object) -> Infiller:
    """With marks of this vocabulary, which has none: what is written is beside the point."""
    first, second, third = (driver.tokenize(mark, special=False)[0] for mark in "<^>")
    infill = Infill((GAP,), **wanted)  # type: ignore[arg-type]
    return Infiller(driver, InfillTokens(first, second, third), infill, room)


def test_the_texts_are_others_and_the_likeliest_come_first(driver: Driver) -> None:
    with driver.aside():
        found = list(infiller(driver, least=0.0).alternatives(GAP))
    texts = [text for text, _ in found]
    assert len(set(texts)) == len(texts) == 3
    assert PIECE not in texts
    assert all(text == text.strip() != "" for text in texts)
    assert all(text.count("\n") < LINES for text in texts)
    likely = [probability for _, probability in found]
    assert likely == sorted(likely, reverse=True)
    assert all(0 < probability < 1 for probability in likely)


def test_so_many_and_so_likely_ones_as_are_wanted(driver: Driver) -> None:
    with driver.aside():
        assert len(list(infiller(driver, least=0.0, each=1).alternatives(GAP))) == 1
        every = list(infiller(driver, least=0.0, each=9).alternatives(GAP))
        least = every[0][1]
        assert list(infiller(driver, least=least, each=9).alternatives(GAP)) == every[:1]
        assert list(infiller(driver, least=1.0).alternatives(GAP)) == []


def test_what_was_there_is_likelier_than_what_never_would_be(driver: Driver) -> None:
    odd = Gap(BEFORE, "return zebra @ 77", AFTER)
    long = Gap(BEFORE, PIECE * 200, AFTER)
    with driver.aside():
        filler = infiller(driver, each=0)
        usual, unusual = filler.likelihood(GAP), filler.likelihood(odd)
        assert usual is not None
        assert unusual is not None
        assert unusual < usual < 0
        assert filler.likelihood(GAP) == pytest.approx(usual, rel=0.05)
        assert filler.likelihood(long) is None
        ((call, told),) = filler.calls()
    assert told == ""
    assert call.arguments["text"] == PIECE
    assert call.arguments["likelihood"] == pytest.approx(usual, rel=0.05)
    assert filler.output == 0


def test_a_text_ends_where_it_is_told_to(driver: Driver) -> None:
    with driver.aside():
        every = [text for text, _ in infiller(driver, least=0.0).alternatives(GAP)]
        longest = max(every, key=len)
        stop = longest[len(longest) // 2 :][:2]
        found = [text for text, _ in infiller(driver, least=0.0, stop=(stop,)).alternatives(GAP)]
    assert all(stop not in text for text in found)


def test_without_room_nothing_is_written(driver: Driver) -> None:
    with driver.aside():
        filler = infiller(driver, room=0, least=0.0)
        assert list(filler.alternatives(GAP)) == []
        assert filler.output == 0


def test_a_gap_that_does_not_fit_the_window_is_left_out(driver: Driver) -> None:
    with driver.aside():
        assert list(infiller(driver).alternatives(Gap(BEFORE * 40, PIECE, AFTER))) == []


def test_what_two_gaps_have_in_common_is_read_once(driver: Driver) -> None:
    with driver.aside():
        driver.keep(driver.tokenize("x", special=False))
        filler = infiller(driver, least=1.0)
        list(filler.alternatives(GAP))
        first = filler.evaluated
        list(filler.alternatives(Gap(BEFORE + "# so\n    ", PIECE, AFTER)))
    common = len(driver.tokenize(BEFORE, special=False))
    assert filler.evaluated - first <= first - common + 8
    assert filler.reused >= common


def test_a_conversation_is_what_it_was_before(driver: Driver) -> None:
    tokens = driver.tokenize("one two three four five", special=False)
    driver.evaluate(tokens[driver.keep(tokens) :])
    before = driver.logits().copy()
    with driver.aside():
        assert driver.held == [] or driver.held != tokens
        list(infiller(driver, least=0.0).alternatives(GAP))
        aside = list(driver.held)
    assert driver.held == tokens
    driver.evaluate(tokens[driver.keep(tokens) :])
    assert float(abs(driver.logits() - before).max()) < 0.5
    with driver.aside():
        assert driver.held == aside


def test_where_there_is_no_room_for_both_the_other_is_forgotten(driver: Driver) -> None:
    with driver.aside():
        tokens = driver.tokenize("a b c", special=False)
        driver.evaluate(tokens[driver.keep(tokens) :])
    long = driver.tokenize("x = 1\n" * 300, special=False)[: driver.n_context - 1]
    driver.evaluate(long[driver.keep(long) :])
    assert driver.held == long
    with driver.aside():
        assert driver.held == []
    driver.keep(long[:1])


def test_an_abort_leaves_both_records_exact(driver: Driver) -> None:
    tokens = driver.tokenize("one two", special=False)
    driver.evaluate(tokens[driver.keep(tokens) :])
    held = list(driver.held)
    with driver.aside():
        driver.abort()
        with pytest.raises(Aborted):
            list(infiller(driver).alternatives(Gap("other " + BEFORE, PIECE, AFTER)))
        driver.resume()
    assert driver.held == held


def test_a_vocabulary_without_gaps_fills_none(model: LocalModel) -> None:
    answer = ask(model, Request((UserMessage("Fill."),), infill=Infill((GAP,))))
    assert answer.message.calls == ()
    assert answer.usage.output == 0


@pytest.fixture(scope="module")
def filling() -> Iterator[LocalModel]:
    catalogue = Catalogue.load()
    path = catalogue.on_disk(catalogue.find(FILLING))
    if path is None:
        pytest.skip(f"needs `agent models pull {FILLING}`")
    spec = ModelSpec(FILLING, 2048, infills=True)
    with LocalModel(path, spec, context=2048) as made:
        yield made


def test_a_model_that_was_trained_to_fills_them(filling: LocalModel) -> None:
    gaps = (GAP, Gap(BEFORE.removesuffix("    "), "    return total / 2", AFTER))
    greeting = Request((UserMessage("Say hello."),), max_tokens=4)
    first = ask(filling, greeting)
    answer = ask(filling, Request((UserMessage("Fill."),), infill=Infill(gaps)))
    calls = answer.message.calls
    assert {call.name for call in calls} == {INFILL}
    assert "return total / len(values)" in {call.arguments["text"] for call in calls}
    assert answer.message.text.startswith(f"```diff\n- {PIECE}\n+ {calls[0].arguments['text']}\n")
    assert answer.stop is StopReason.END
    usage = answer.usage
    assert usage.prompt == usage.reused + usage.evaluated
    assert 0 < usage.output <= len(calls) * LONGEST * 3
    again = ask(filling, greeting)
    assert again.message.text == first.message.text
    assert again.usage.evaluated == 1


def test_a_model_tells_the_likelier_text(filling: LocalModel) -> None:
    right = Gap(BEFORE, "return total / len(values)", AFTER)
    wanted = Infill((GAP, right), each=0)
    answer = ask(filling, Request((UserMessage("Rate."),), infill=wanted))
    first, second = (float(str(call.arguments["likelihood"])) for call in answer.message.calls)
    assert first < second < 0
    assert answer.message.text == ""


def test_a_cancelled_filling_says_so(filling: LocalModel) -> None:
    cancel = threading.Event()
    cancel.set()
    *_, last = filling.stream(Request((UserMessage("Fill."),), infill=Infill((GAP,))), cancel)
    assert getattr(last, "stop", None) is StopReason.CANCELLED
