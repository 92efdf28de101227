import random
import string

from tui.fuzzy import SCATTERED, Haystack


def found(texts: list[str], query: str, limit: int = 10) -> list[str]:
    return [texts[hit.index] for hit in Haystack(texts).search(query, limit)]


def test_what_begins_with_the_query_comes_before_what_holds_it() -> None:
    texts = ["remodel", "app/models.py", "model", "my_model", "m_o_d_e_l"]
    assert found(texts, "model") == ["model", "app/models.py", "my_model", "remodel", "m_o_d_e_l"]


def test_letters_in_their_order_are_enough_and_others_are_not() -> None:
    assert found(["QuerySet.filter", "other"], "qsfil") == ["QuerySet.filter"]
    assert found(["abc"], "cab") == []


def test_marks_are_where_the_letters_stand() -> None:
    (hit,) = Haystack(["src/Shop.py"]).search("SHOP", 5)
    assert hit.marks == (4, 5, 6, 7)
    (hit,) = Haystack(["a_bxc"]).search("abc", 5)
    assert hit.marks == (0, 2, 4)
    assert hit.tier == SCATTERED


def test_letters_that_mean_something_to_a_pattern_are_letters() -> None:
    texts = ["a.b*c", "a[1]", "axb", "back\\slash", "^top$"]
    for text in texts:
        assert found(texts, text)[0] == text
    assert found(texts, "a.") == ["a.b*c"]
    assert found(texts, "[]") == ["a[1]"]


def test_a_letter_whose_small_form_is_longer_moves_no_mark() -> None:
    texts = ["İx.py", "y.py"]
    (hit,) = Haystack(texts).search("x.py", 5)
    assert (texts[hit.index], hit.marks) == ("İx.py", (1, 2, 3, 4))


def test_every_answer_is_right_and_none_is_missing() -> None:
    random.seed(1)
    texts = ["".join(random.choices("abc._/", k=random.randint(1, 9))) for _ in range(300)]
    for _ in range(100):
        query = "".join(random.choices("abc", k=random.randint(1, 4)))
        hits = Haystack(texts).search(query, len(texts))
        for hit in hits:
            assert "".join(texts[hit.index][place] for place in hit.marks) == query
        expected = {at for at, text in enumerate(texts) if holds(text, query)}
        assert {hit.index for hit in hits} == expected
        assert len(hits) == len(expected)


def test_letter_by_letter_is_as_all_at_once() -> None:
    random.seed(2)
    texts = ["".join(random.choices("abcdefgh._/", k=random.randint(1, 12))) for _ in range(900)]
    for _ in range(60):
        query, typed = "".join(random.choices("abcdefgh", k=6)), Haystack(texts)
        for length in range(1, 7):
            typed.search(query[:length], 20)
        for length in (6, 5, 3, 4):  # and back
            once = Haystack(texts).search(query[:length], 20)
            assert typed.search(query[:length], 20) == once


def test_an_empty_query_finds_the_shortest_first() -> None:
    assert found(["ccc", "a", "bb"], " ") == ["a", "bb", "ccc"]
    assert found(["x" * n for n in range(1, 30)], "x", 3) == ["x", "xx", "xxx"]


def test_nothing_among_nothing() -> None:
    assert Haystack([]).search(string.ascii_letters, 5) == []
    assert Haystack([]).search("", 5) == []


def holds(text: str, query: str) -> bool:
    letters = iter(text)
    return all(char in letters for char in query)
