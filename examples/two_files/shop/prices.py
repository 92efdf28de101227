"""What an order costs, in cents."""

BULK_QUANTITY = 10
"""From this many units on, the bulk price applies."""

BULK_DISCOUNT = 10
"""Per cent."""


def line_price(unit_cents: int, quantity: int) -> int:
    """The price of one product in an order, with the bulk discount where it is due."""
    full = unit_cents * quantity
    if quantity > BULK_QUANTITY:
        return full - full * BULK_DISCOUNT // 100
    return full


def shipping(cents: int) -> int:
    """Orders of 50.00 and more are sent free of charge."""
    return 0 if cents >= 5_000 else 490
