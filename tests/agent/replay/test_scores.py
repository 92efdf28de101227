"""What attempts amount to: what counts, what is kept apart."""

from __future__ import annotations

import pytest

from agent.costs import Cost
from agent.replay.results import Cause
from agent.replay.scores import breakdown, compare, rate, score
from tests.agent.replay.attempts import attempt


def test_what_says_nothing_of_the_model_does_not_count() -> None:
    attempts = [
        attempt("a"),
        attempt("b", cause=Cause.WRONG_FIX),
        attempt("c", cause=Cause.INFRASTRUCTURE),
        attempt("d", cause=Cause.TIMED_OUT),
        attempt("e"),
        attempt("a", "other", cause=Cause.WRONG_FIX),
    ]
    found = score("gold", attempts, unfit={"e"})
    assert (found.rate.resolved, found.rate.instances) == (1, 3)
    assert (found.infrastructure, found.unfit, found.timed_out) == (1, 1, 1)
    assert found.causes == {Cause.NONE: 1, Cause.TIMED_OUT: 1, Cause.WRONG_FIX: 1}


def test_pass_at_k_counts_up_to_the_fewest_attempts() -> None:
    attempts = [
        attempt("a", number=1),
        attempt("a", number=2, cause=Cause.WRONG_FIX),
        attempt("a", number=3, cause=Cause.INFRASTRUCTURE),
        attempt("b", number=1, cause=Cause.WRONG_FIX),
        attempt("b", number=2, cause=Cause.WRONG_FIX),
        attempt("b", number=3, cause=Cause.WRONG_FIX),
    ]
    found = score("gold", attempts)
    assert found.at == pytest.approx({1: 0.25, 2: 0.5})
    assert found.rate.value == pytest.approx(0.25)


def test_a_score_of_nothing_is_a_score() -> None:
    found = score("gold", [attempt(cause=Cause.INFRASTRUCTURE)])
    assert found.rate.instances == 0
    assert found.at == {}
    assert found.spending.dollars_per_resolved is None


def test_models_are_compared_on_what_counts_for_both() -> None:
    pattern = {"a": (True, True), "b": (True, False), "c": (True, False), "d": (False, False)}
    attempts = [
        attempt(name, model, cause=Cause.NONE if resolved else Cause.WRONG_FIX)
        for name, outcomes in pattern.items()
        for model, resolved in zip(("gold", "other"), outcomes, strict=True)
    ]
    attempts += [attempt("e", "gold"), attempt("f"), attempt("f", "other")]
    found = compare("gold", "other", attempts, unfit={"f"})
    assert (found.both, found.only_one, found.only_other, found.neither) == (1, 2, 0, 1)
    assert found.instances == 4
    assert found.difference == pytest.approx(0.5)
    assert found.interval.low < 0.5 < found.interval.high
    assert found.p_value == pytest.approx(0.5)


def test_a_later_attempt_stands_in_for_a_first_that_does_not_count() -> None:
    attempts = [
        attempt("a", number=2),
        attempt("a", number=1, cause=Cause.INFRASTRUCTURE),
        attempt("a", "other", cause=Cause.WRONG_FIX),
    ]
    assert compare("gold", "other", attempts).only_one == 1


def test_what_is_unknown_stays_unknown() -> None:
    known = attempt("a", cost=Cost(api_usd=0.5, electricity_usd=None))
    assert score("gold", [known]).spending.dollars == 0.5
    unknown = attempt("b", cost=Cost(api_usd=None))
    assert score("gold", [known, unknown]).spending.dollars is None


def test_capabilities_are_told_in_their_order() -> None:
    attempts = [
        attempt("a", gold_lines=60, gold_files=5, steps=3, found=True),
        attempt("b", gold_lines=5, gold_files=1, steps=50, cause=Cause.NOT_FOUND),
        attempt("c", gold_lines=6, gold_files=2, steps=6, found=True),
    ]
    difficulty = {"a": "1-4 hours", "b": "<15 min fix", "c": "15 min - 1 hour"}
    groups = breakdown(attempts, {"difficulty": difficulty})
    lines = [group for group in groups if group.capability == "lines in the gold patch"]
    assert [group.label for group in lines] == ["1–5", "6–20", "51 or more"]
    assert [group.rate.value for group in lines] == [0, 1, 1]
    files = [group.label for group in groups if group.capability == "files in the gold patch"]
    assert files == ["1", "2–3", "4 or more"]
    found = {g.label: g.rate.value for g in groups if g.capability == "the right file was found"}
    assert found == {"no": 0, "yes": 1}


def test_several_attempts_at_an_instance_are_one_instance() -> None:
    attempts = [attempt("a"), attempt("a", number=2, cause=Cause.WRONG_FIX)]
    assert (rate(attempts).resolved, rate(attempts).instances) == (0.5, 1)
