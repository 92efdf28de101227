import pytest

from billing.invoice import Invoice


def invoice(discount: float = 0.0) -> Invoice:
    made = Invoice("2024-17", discount_rate=discount, tax_rate=20.0)
    made.add("Desk", 10_000)
    return made


def test_without_discount_the_tax_is_on_everything():
    assert invoice().tax() == 2_000
    assert invoice().total() == 12_000


def test_with_a_discount_the_tax_is_on_what_is_paid():
    assert invoice(discount=10).tax() == 1_800


def test_total_with_a_discount():
    assert invoice(discount=10).total() == 10_800


def test_a_free_order_has_no_tax():
    assert invoice(discount=100).total() == 0


def test_quantities_are_multiplied():
    made = invoice()
    made.add("Lamp", 1_250, quantity=4)
    assert made.subtotal() == 15_000


def test_a_quantity_of_zero_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        invoice().add("Nothing", 100, quantity=0)


def test_what_is_printed():
    assert invoice(discount=10).render().splitlines() == [
        "Invoice 2024-17",
        "1 x Desk: 100.00",
        "Discount: -10.00",
        "Tax: 18.00",
        "Total: 108.00",
    ]
