from catalogue.books import Book, shelf


def test_a_shelf_is_sorted_by_last_name_then_year():
    later = Book("The Waves", "Virginia Woolf", 1931)
    earlier = Book("Orlando", "Virginia Woolf", 1928)
    other = Book("Emma", "Jane Austen", 1815)
    assert shelf([later, earlier, other]) == [other, earlier, later]
