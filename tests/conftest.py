"""What holds for every test."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """What tests start is interrupted and hung up, also where they run in the background.

    There SIGINT is ignored, behind `nohup` SIGHUP; what is ignored is inherited.
    """
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
