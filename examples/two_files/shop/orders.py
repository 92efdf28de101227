"""Placing an order."""

from shop.prices import line_price, shipping
from shop.stock import Stock

PRICES = {"tea": 400, "coffee": 650, "cocoa": 520}
"""Cents for one unit."""


def place(stock: Stock, basket: dict[str, int]) -> int:
    """Take a basket out of the stock.

    Returns:
        What the customer pays, in cents.
    """
    cents = 0
    for product, quantity in basket.items():
        stock.take(product, quantity)
        cents += line_price(PRICES[product], quantity)
    return cents + shipping(cents)
