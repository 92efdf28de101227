"""When a card of one's own has paid for itself: a month on the API against a month on the card.

Owns the formula; the page's script has the same. Must not know where the figures come from.
"""

from __future__ import annotations

from dataclasses import dataclass

_SECONDS_PER_HOUR = 3600.0


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
