from shop.prices import line_price, shipping


def test_a_few_units_have_the_normal_price():
    assert line_price(400, 9) == 3_600


def test_the_bulk_price_begins_at_ten():
    assert line_price(400, 10) == 3_600


def test_the_bulk_price_above_ten():
    assert line_price(400, 11) == 3_960


def test_shipping_is_free_from_fifty_on():
    assert shipping(4_999) == 490
    assert shipping(5_000) == 0
