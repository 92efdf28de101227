"""What of a machine's energy falls to whom."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.costs import Cost
from agent.replay.results import Attempt
from agent.replay.sharing import divided, place_of_work, shares
from tests.agent.replay.attempts import attempt


def at_work(*worked: tuple[float, float], place: str = "") -> Attempt:
    """An attempt whose local model answered from so many seconds to so many."""
    return attempt(worked=worked, cost=Cost(0.0, 3.0, 0.03, ("cards",)), place=place)


def lengths(attempts: Sequence[Attempt]) -> list[float]:
    """The seconds of the card that fall to each."""
    pairs = zip(shares(attempts), attempts, strict=True)
    return [part * sum(end - begin for begin, end in it.worked) for part, it in pairs]


def test_one_after_the_other_each_has_its_own() -> None:
    assert shares([at_work((10, 15)), at_work((15, 20)), at_work((30, 35))]) == [1, 1, 1]


def test_who_answers_while_anothers_tools_run_has_it_all() -> None:
    together = [at_work((10, 15), (20, 25), (30, 35)), at_work((15, 20), (25, 30))]
    assert shares(together) == [1, 1]
    assert lengths(together) == pytest.approx([15, 10])


def test_what_is_drawn_is_divided_among_those_who_answer_then() -> None:
    # The first is alone for 5 s, with the second for 5 s, with both others for 5 s; while its own
    # tools run, the second is alone for 2 s; then the first is alone for 5 s.
    parts = [at_work((10, 25), (27, 32)), at_work((15, 27)), at_work((20, 25))]
    first = 5 + 5 / 2 + 5 / 3 + 5
    second = 5 / 2 + 5 / 3 + 2
    assert lengths(parts) == pytest.approx([first, second, 5 / 3])
    assert sum(lengths(parts)) == pytest.approx(22)  # in which the card was at work


def test_those_at_work_elsewhere_or_on_an_api_take_no_part() -> None:
    others = [at_work((10, 15), place="node-b"), attempt(cost=Cost(0.4)), at_work((10, 10))]
    assert shares([at_work((10, 15)), *others]) == [1, 1, 1, 1]


def test_energy_and_its_price_are_divided_and_what_is_not_known_stays_so() -> None:
    cost = divided(Cost(0.0, 3.0, 0.03, ("cards",)), 0.5)
    assert (cost.watt_hours, cost.electricity_usd, cost.sources) == (1.5, 0.015, ("cards",))
    assert divided(Cost(0.0, None, None), 0.5) == Cost(0.0, None, None)


def test_a_place_is_a_machine_with_its_cards() -> None:
    assert place_of_work({"CUDA_VISIBLE_DEVICES": "1"}) == f"{place_of_work({})} 1"
