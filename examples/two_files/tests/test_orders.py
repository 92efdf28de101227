from shop.orders import place
from shop.stock import Stock


def test_a_small_order_pays_for_shipping():
    assert place(Stock({"tea": 5}), {"tea": 2}) == 1_290


def test_the_whole_stock_in_one_order():
    assert place(Stock({"tea": 10}), {"tea": 10}) == 4_090
