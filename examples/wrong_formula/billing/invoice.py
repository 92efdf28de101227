"""One invoice."""

from dataclasses import dataclass, field

from billing.money import percent, show


@dataclass(frozen=True)
class Line:
    """One position of an invoice."""

    text: str
    cents: int
    quantity: int = 1

    @property
    def amount(self) -> int:
        return self.cents * self.quantity


@dataclass
class Invoice:
    """The positions of one order, with a discount on all of them."""

    number: str
    discount_rate: float = 0.0
    tax_rate: float = 20.0
    lines: list[Line] = field(default_factory=list)

    def add(self, text: str, cents: int, quantity: int = 1) -> None:
        if quantity < 1:
            raise ValueError("a line needs a quantity of at least one")
        self.lines.append(Line(text, cents, quantity))

    def subtotal(self) -> int:
        """All lines, before discount and tax."""
        return sum(line.amount for line in self.lines)

    def discount(self) -> int:
        return percent(self.subtotal(), self.discount_rate)

    def tax(self) -> int:
        return percent(self.subtotal(), self.tax_rate)

    def total(self) -> int:
        """What the customer pays."""
        return self.subtotal() - self.discount() + self.tax()

    def render(self) -> str:
        rows = [f"Invoice {self.number}"]
        rows += [f"{line.quantity} x {line.text}: {show(line.amount)}" for line in self.lines]
        if self.discount():
            rows.append(f"Discount: {show(-self.discount())}")
        rows.append(f"Tax: {show(self.tax())}")
        rows.append(f"Total: {show(self.total())}")
        return "\n".join(rows)
