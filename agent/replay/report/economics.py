"""When a card of one's own has paid for itself: a month on the API against a month on the card.

Owns the formulas; the page's script has the same. Must not know where the figures come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SECONDS_PER_HOUR = 3600.0
WIDTH, HEIGHT = 600.0, 180.0
"""Of the picture of both courses."""
_SHORTEST, _LONGEST = 6, 60
"""Months that it shows."""


@dataclass(frozen=True, slots=True)
class Month:
    """What a user does, and what things cost."""

    sessions: float = 20.0
    """A day."""
    days: float = 22.0
    """On which they are held, in a month."""
    usd_per_session: float = 0.40
    """What the API asks for one."""
    minutes: float = 6.0
    """That the card works on one."""
    watts: float = 350.0
    """That it draws meanwhile."""
    usd_per_kwh: float = 0.30
    card_usd: float = 750.0


@dataclass(frozen=True, slots=True)
class BreakEven:
    """What comes of it."""

    monthly_sessions: float
    api_usd: float
    """A month on the API."""
    kwh: float
    """A month on the card."""
    electricity_usd: float
    """Of that month."""
    months: float | None
    """Until the card is paid for; None: never, electricity costs as much as the API."""


def break_even(month: Month) -> BreakEven:
    """The price of the card over what it saves in a month."""
    sessions = month.sessions * month.days
    api = sessions * month.usd_per_session
    hours = sessions * month.minutes * 60 / _SECONDS_PER_HOUR
    kwh = hours * month.watts / 1000
    electricity = kwh * month.usd_per_kwh
    saved = api - electricity
    return BreakEven(sessions, api, kwh, electricity, month.card_usd / saved if saved > 0 else None)


@dataclass(frozen=True, slots=True)
class Course:
    """What has been spent by then, month after month, as two lines in a picture."""

    horizon: int
    """Months."""
    top: float
    """Dollars at the upper edge."""
    api: float
    """Where the API's line ends; it begins at nothing."""
    card: tuple[float, float]
    """Where the card's line begins, at its price, and ends."""
    even: tuple[float, float] | None
    """Where they meet; None: not in the picture."""


def course(month: Month) -> Course:
    """Heights are measured from the top, as SVG has them."""
    result = break_even(month)
    wanted = _LONGEST if result.months is None else math.ceil(2 * result.months)
    horizon = max(_SHORTEST, min(_LONGEST, wanted))
    api = result.api_usd * horizon
    card = month.card_usd + result.electricity_usd * horizon
    top = max(api, card, 1.0)

    def height(amount: float) -> float:
        return round(HEIGHT - HEIGHT * amount / top, 1)

    even = None
    if result.months is not None and result.months <= horizon:
        even = (round(WIDTH * result.months / horizon, 1), height(result.api_usd * result.months))
    return Course(horizon, top, height(api), (height(month.card_usd), height(card)), even)
