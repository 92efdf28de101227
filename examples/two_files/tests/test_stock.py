import pytest

from shop.stock import SoldOut, Stock


def test_units_are_taken():
    stock = Stock({"tea": 10})
    stock.take("tea", 9)
    assert stock.available("tea") == 1


def test_the_last_units_can_be_taken():
    stock = Stock({"tea": 10})
    stock.take("tea", 10)
    assert stock.available("tea") == 0


def test_more_than_there_is_cannot_be_taken():
    stock = Stock({"tea": 10})
    with pytest.raises(SoldOut, match="only 10 of tea left"):
        stock.take("tea", 11)
    assert stock.available("tea") == 10


def test_an_unknown_product_is_sold_out():
    with pytest.raises(SoldOut):
        Stock({}).take("tea", 1)


def test_deliveries_are_added():
    stock = Stock({})
    stock.receive("cocoa", 3)
    assert stock.available("cocoa") == 3
