"""Of several changes that pass, the one that the model finds likely is made; on real tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.events import Status
from tests.agent.steering.test_guided import CODE, ended, questions
from tests.agent.steering.test_infilling import EARLIER, OTHERS, code, conduct, infill, rating

FIRST = "return x / RATE"
SECOND = "return x - 2 if x else 0"
FILLED = infill((OTHERS - 1, FIRST), (OTHERS - 1, SECOND))


@pytest.mark.parametrize(
    ("likely", "made"),
    [
        ((-5.0, -20.0, -3.0), SECOND),
        ((-5.0, -3.0, -20.0), FIRST),
        ((-5.0, -20.0), FIRST),
        ((), FIRST),
        ((-5.0, "'low'", -3.0), FIRST),
        ((-5.0, -20.0, -3.0, 0.0), SECOND),
    ],
    ids=["second", "first", "one is not told", "none", "no number", "one too many"],
)
def test_the_likelier_of_two_is_made(tmp_path: Path, likely: tuple[object, ...], made: str) -> None:
    seen = conduct(tmp_path, [*EARLIER, FILLED, rating(*likely)])
    end = ended(seen)
    assert end.status is Status.VERIFIED
    assert end.totals.steps == 6
    assert code(tmp_path) == CODE.replace("return x / 3", made)
    assert questions(seen)[-1].startswith("Which of 2 changes of `half`")


def test_one_alone_is_made_unasked(tmp_path: Path) -> None:
    seen = conduct(tmp_path, [*EARLIER, infill((OTHERS - 1, SECOND))])
    assert ended(seen).status is Status.VERIFIED
    assert ended(seen).totals.steps == 5
