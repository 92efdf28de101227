"""How many units of each product are in the storeroom."""


class SoldOut(Exception):
    """There are not enough units of a product."""


class Stock:
    def __init__(self, units: dict[str, int]) -> None:
        self._units = dict(units)

    def available(self, product: str) -> int:
        return self._units.get(product, 0)

    def receive(self, product: str, quantity: int) -> None:
        self._units[product] = self.available(product) + quantity

    def take(self, product: str, quantity: int) -> None:
        """Remove units that were ordered."""
        if quantity >= self.available(product):
            raise SoldOut(f"only {self.available(product)} of {product} left")
        self._units[product] -= quantity
