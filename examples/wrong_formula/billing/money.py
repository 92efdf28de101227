"""Amounts are whole cents, so that sums are exact."""


def percent(cents: int, rate: float) -> int:
    """`rate` per cent of an amount, rounded to the nearest cent."""
    return round(cents * rate / 100)


def show(cents: int) -> str:
    """An amount as it is printed: 1234 is `12.34`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole}.{rest:02d}"
