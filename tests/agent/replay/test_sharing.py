"""What of a machine's energy falls to whom."""

from __future__ import annotations

import pytest

from agent.costs import Cost
from agent.replay.results import Attempt
from agent.replay.sharing import divided, place_of_work, shares
from tests.agent.replay.attempts import attempt


def at_work(begin: float, seconds: float, **values: object) -> Attempt:
    """An attempt of a local model in a minute of a day, its environment made in a second."""
    given = {
        "started": f"2026-01-02T03:04:{begin - 1:06.3f}+00:00",
        "environment_seconds": 1.0,
        "model_seconds": seconds - 0.5,
        "tool_seconds": 0.5,
        "seconds": seconds + 9,
        "cost": Cost(0.0, 3.0, 0.03, ("cards",)),
        **values,
    }
    return attempt(**given)  # type: ignore[arg-type]


def test_one_after_the_other_each_has_its_own() -> None:
    assert shares([at_work(10, 5), at_work(15, 5), at_work(30, 5)]) == pytest.approx([1, 1, 1])


def test_what_is_drawn_is_divided_among_those_at_work_then() -> None:
    # The first is alone for 5 s, with the second for 5 s; with both others for 5 s; alone again.
    parts = shares([at_work(10, 20), at_work(15, 10), at_work(20, 5)])
    assert parts == pytest.approx([(5 + 5 / 2 + 5 / 3 + 5) / 20, (5 / 2 + 5 / 3) / 10, 1 / 3])
    assert sum(part * length for part, length in zip(parts, (20, 10, 5), strict=True)) == (
        pytest.approx(20)  # the time in which the card was at work
    )


def test_those_at_work_elsewhere_or_on_an_api_take_no_part() -> None:
    others = [
        at_work(10, 5, place="node-b"),
        at_work(10, 5, cost=Cost(0.4)),
        at_work(10, 5, started=""),
        at_work(10, 0.5),
    ]
    assert shares([at_work(10, 5), *others])[0] == pytest.approx(1 - 0.5 * 0.5 / 5)
    assert shares(others)[1:3] == [1.0, 1.0]


def test_energy_and_its_price_are_divided_and_what_is_not_known_stays_so() -> None:
    cost = divided(Cost(0.0, 3.0, 0.03, ("cards",)), 0.5)
    assert (cost.watt_hours, cost.electricity_usd, cost.sources) == (1.5, 0.015, ("cards",))
    assert divided(Cost(0.0, None, None), 0.5) == Cost(0.0, None, None)


def test_a_place_is_a_machine_with_its_cards() -> None:
    assert place_of_work({"CUDA_VISIBLE_DEVICES": "1"}) == f"{place_of_work({})} 1"
