"""A small shop: prices, stock and orders."""
