from tui.prompt_history import Draft
from tui.widgets.prompt.pastes import (
    clean,
    expanded,
    folded,
    is_long,
    joined,
    mark,
    mark_around,
    mark_behind,
    used,
)

TEXT = "one\ntwo\nthree\nfour"


def test_what_is_pasted_is_text_and_nothing_else() -> None:
    assert clean("a\r\nb\rc") == "a\nb\nc"
    assert clean("x\x1b]52;c;ZXZpbA==\x07y\x1b[2Jz") == "xyz"
    assert clean("ab\u202ecd\x9b31m\x00") == "ab\\u202ecd\\x00"


def test_only_what_is_long_is_folded() -> None:
    assert not is_long("one\ntwo\nthree\n")
    assert is_long(TEXT)
    assert is_long("x" * 501)
    assert mark(TEXT, 2) == "[pasted 4 lines #2]"
    assert mark("x" * 1500, 1) == "[pasted 1,500 characters #1]"


def test_marks_stand_for_what_was_pasted_and_others_for_themselves() -> None:
    draft = Draft(f"see {mark(TEXT, 1)} and [pasted 9 lines #7]", {1: TEXT, 2: "gone"})
    assert expanded(draft) == f"see {TEXT} and [pasted 9 lines #7]"
    assert used(draft).pastes == {1: TEXT}


def test_what_is_pasted_is_not_searched_for_marks() -> None:
    draft = Draft(f"{mark(TEXT, 1)} x", {1: "a\nb\nc\n[pasted 4 lines #2]", 2: "other"})
    assert expanded(draft) == "a\nb\nc\n[pasted 4 lines #2] x"


def test_what_an_editor_left_as_it_was_is_folded_again() -> None:
    assert folded(f"new words {TEXT}", {1: TEXT}) == Draft(f"new words {mark(TEXT, 1)}", {1: TEXT})
    assert folded("one\ntwo\nfour", {1: TEXT}) == Draft("one\ntwo\nfour", {})


def test_drafts_are_joined_and_their_marks_numbered_anew() -> None:
    other = "5\n6\n7\n8"
    drafts = [Draft(f"a {mark(TEXT, 1)}", {1: TEXT}), Draft(""), Draft(mark(other, 1), {1: other})]
    both = joined(drafts)
    assert both.text == "a [pasted 4 lines #1]\n[pasted 4 lines #2]"
    assert expanded(both) == f"a {TEXT}\n{other}"


def test_the_mark_at_the_cursor() -> None:
    line = f"ab {mark(TEXT, 1)} c"
    start, end = 3, 3 + len(mark(TEXT, 1))
    assert mark_around(line, end) == mark_around(line, end - 2) == (start, end)
    assert mark_around(line, start) is None
    assert mark_behind(line, start) == (start, end)
    assert mark_behind(line, end) is None
