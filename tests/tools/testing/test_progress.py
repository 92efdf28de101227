"""How far a test run is, by what its runner prints."""

from __future__ import annotations

import pytest

from tools.testing.progress import so_far


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("", ""),
        ("collecting ...\n", ""),
        ("..F.s [ 40%]\n..E", "5 passed, 2 failed"),
        ("tests/test_a.py ..x. [ 50%]\ntests/b.py .", "4 passed"),
        ("F", "0 passed, 1 failed"),
        (
            "test_a (t.T.test_a) ... ok\ntest_b (t.T) ... FAIL\ntest_c (t.T) ... ",
            "1 passed, 1 failed",
        ),
        ("E   assert 1 == 2\nFAILED a.py::b\n...and so on\n", ""),
    ],
)
def test_a_test_run_is_counted(output: str, told: str) -> None:
    assert so_far(output) == told
