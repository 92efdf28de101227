import pytest

from catalogue.paging import Paginator


def test_a_short_last_page():
    pages = Paginator(range(21), size=10)
    assert pages.count == 3
    assert list(pages.page(3)) == [20]


def test_full_pages():
    pages = Paginator(range(20), size=10)
    assert pages.count == 2
    assert pages.title(1) == "page 1 of 2"


def test_the_last_page_is_known():
    pages = Paginator(range(20), size=10)
    assert not pages.is_last(1)
    assert pages.is_last(2)


def test_no_page_is_empty():
    assert [len(page) for page in Paginator(range(9), size=3)] == [3, 3, 3]


def test_one_page_is_enough():
    assert Paginator("ab", size=10).count == 1


def test_an_empty_listing_has_no_pages():
    assert Paginator([], size=10).count == 0


def test_past_the_end():
    assert Paginator("abc", size=2).page(7) == ""


@pytest.mark.parametrize("number", [0, -1])
def test_pages_are_numbered_from_one(number):
    with pytest.raises(ValueError, match="numbered from one"):
        Paginator("abc").page(number)
