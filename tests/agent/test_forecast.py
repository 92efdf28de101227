"""What a request will take: measured, estimated, or counted where an estimate could not decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agent.context import Context
from agent.equipment import Equipment
from agent.messages import AssistantMessage, Message, SystemMessage, UserMessage
from agent.models.base import Device, ModelSpec, Request, Tariff, Usage
from agent.steering.moves import Moves
from tests.agent.talking import Talker
from tools.base import Toolbox

LOCAL = ModelSpec("qwen", 100_000, device=Device.PROCESSOR)
SONNET = ModelSpec("claude-sonnet-5-5", 100_000, tariff=Tariff("claude-sonnet-5-5"))
FIRST = (SystemMessage("s" * 92), UserMessage("u" * 192))
"""300 tokens, 16 of them marks."""
ANSWER = AssistantMessage("a" * 60)
FURTHER = UserMessage("n" * 42)
"""50 tokens."""


class Silent:
    """A steering whose model is told of no tools."""

    offers_tools = False
    system = ""

    def retreat(self) -> None:
        pass

    def moves(self, task: str, onward: str = "") -> Moves:
        raise NotImplementedError


@dataclass
class Counter(Talker):
    """A model whose provider counts."""

    says: int | None = 0
    counted: list[Request] = field(default_factory=list)

    def count_request(self, request: Request) -> int | None:
        self.counted.append(request)
        return self.says


def equipped(model: Talker) -> Equipment:
    return Equipment(model, Toolbox.of([]), Silent())


def forecast(context: Context, by: Equipment, *messages: Message) -> Usage:
    return context.forecast(list(messages), by, lambda usage: True)


def measured(by: Equipment, usage: Usage) -> Context:
    """A context in which the first request was answered."""
    context = Context()
    context.measure([*FIRST, ANSWER], by, usage, 4096)
    return context


def test_the_first_request_is_counted_whole() -> None:
    expected = forecast(Context(), equipped(Talker(SONNET, [])), *FIRST)
    assert expected == Usage(300, evaluated=300, new=300, cache_written=300)


def test_the_next_request_is_the_measured_one_and_what_is_new() -> None:
    by = equipped(Talker(LOCAL, []))
    context = measured(by, Usage(prompt=90, evaluated=90, output=20))
    expected = forecast(context, by, *FIRST, ANSWER, FURTHER)
    assert expected == Usage(160, reused=110, evaluated=50, new=50)


def test_the_window_and_the_limits_go_by_the_same_figure() -> None:
    by = equipped(Talker(LOCAL, []))
    context = measured(by, Usage(prompt=90, evaluated=90, output=20))
    history: list[Message] = [*FIRST, ANSWER, FURTHER]
    assert forecast(context, by, *history).prompt == context.used(history, by) == 160


def test_a_provider_that_caches_reads_the_answer_anew() -> None:
    by = equipped(Talker(SONNET, []))
    context = measured(by, Usage(prompt=90, evaluated=90, output=20, cache_written=90))
    expected = forecast(context, by, *FIRST, ANSWER, FURTHER)
    assert expected == Usage(160, reused=90, evaluated=70, new=70, cache_written=70)


def test_a_provider_that_did_not_cache_reads_all_anew() -> None:
    by = equipped(Talker(SONNET, []))
    context = measured(by, Usage(prompt=90, evaluated=90, output=20))
    expected = forecast(context, by, *FIRST, ANSWER, FURTHER)
    assert (expected.prompt, expected.reused) == (160, 0)


def test_a_return_to_an_earlier_point_keeps_what_stays() -> None:
    by = equipped(Talker(LOCAL, []))
    context = measured(by, Usage(prompt=290, evaluated=290, output=18))
    context.cut(1)
    expected = forecast(context, by, FIRST[0], UserMessage("v" * 32))
    assert expected == Usage(140, reused=100, evaluated=40, new=40)


def test_a_server_that_tells_no_usage_has_measured_nothing() -> None:
    by = equipped(Talker(LOCAL, []))
    expected = forecast(measured(by, Usage()), by, *FIRST, ANSWER, FURTHER)
    assert expected.evaluated == 300 + 68 + 50


def test_another_model_has_read_nothing() -> None:
    context = measured(equipped(Talker(LOCAL, [])), Usage(prompt=90, evaluated=90, output=20))
    expected = forecast(context, equipped(Talker(SONNET, [])), *FIRST)
    assert (expected.prompt, expected.reused) == (300, 0)


def test_a_providers_cache_is_counted_on_after_another_model() -> None:
    by = equipped(Talker(SONNET, []))
    context = measured(by, Usage(prompt=90, evaluated=90, output=20, cache_written=90))
    history: Sequence[Message] = [*FIRST, ANSWER, FURTHER, ANSWER]
    context.measure(history, equipped(Talker(LOCAL, [])), Usage(prompt=90, output=20), 4096)
    assert forecast(context, by, *history).reused == 90


@pytest.mark.parametrize(("edge", "asks"), [(200, 0), (230, 1), (370, 1), (400, 0)])
def test_the_provider_counts_only_what_the_estimate_cannot_decide(edge: int, asks: int) -> None:
    """The estimate of 300 may be wrong by 75."""
    model = Counter(SONNET, [], says=333)
    context, by = Context(), equipped(model)
    for _ in range(2):  # the second time it is known
        expected = context.forecast(list(FIRST), by, lambda usage: usage.prompt <= edge)
        assert expected.prompt == (333 if asks else 300)
    assert len(model.counted) == asks
    assert all(tuple(request.messages) == FIRST for request in model.counted)
    # What comes after it is added; another history is another matter.
    known = context.used([*FIRST, FURTHER], by)
    assert known == (383 if asks else 350)
    assert context.used([FIRST[0], FURTHER], by) == 150


def test_a_provider_that_does_not_count_leaves_the_estimate() -> None:
    model = Counter(SONNET, [], says=None)
    expected = Context().forecast(list(FIRST), equipped(model), lambda usage: usage.prompt <= 300)
    assert expected.prompt == 300
    assert len(model.counted) == 1


def test_what_was_measured_is_not_doubted() -> None:
    model = Counter(SONNET, [], says=1)
    by = equipped(model)
    context = measured(by, Usage(prompt=9000, evaluated=9000, output=20))
    expected = context.forecast(
        [*FIRST, ANSWER, FURTHER], by, lambda usage: usage.prompt <= 9000 + 20 + 50 + 13
    )
    assert expected.prompt == 9070
    assert model.counted == []
