"""What may hide in a text must become visible or go."""

from __future__ import annotations

import pytest

from tools.text_filter import clip, clip_cells, clip_line, printable, visible


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]52;c;c2VjcmV0\x07clip", "clip"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1b]0;never ended, still shown", "\\x1b]0;never ended, still shown"),
        ("bell\x07 null\x00 c1\x85", "bell\\x07 null\\x00 c1\\x85"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("zero\u200bwidth \U000e0041", "zero\\u200bwidth \\U000e0041"),
        ("lone \ud800", "lone \\ud800"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("ends\r", "ends"),
        ("héllo 日本 👩‍💻", "héllo 日本 👩‍💻"),
    ],
)
def test_printable(given: str, shown: str) -> None:
    assert printable(given) == shown


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("ls -l 'a b' héllo 日本", "ls -l 'a b' héllo 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
        ("zero\u200bwidth\u200c\u200d\xad", "zero\\u200bwidth\\u200c\\u200d\\xad"),
        ("right\u202eleft\u2066", "right\\u202eleft\\u2066"),
        ("no\xa0break\u3000wide\u2800", "no\\xa0break\\u3000wide\\u2800"),
        ("filler\u3164\ufe0f", "filler\\u3164\\ufe0f"),
        ("tag\U000e0041 lone\ud800", "tag\\U000e0041 lone\\ud800"),
        ("ls" + " " * 80 + "; rm", "ls[80 spaces]; rm"),
    ],
)
def test_visible_leaves_nothing_out(given: str, seen: str) -> None:
    assert visible(given) == seen
    assert visible("\ta", keep="\t") == "\ta"


def test_clip_keeps_both_ends_within_the_limit() -> None:
    text = "first" + "x" * 5_000 + "last"
    cut = clip(text, 200)
    assert len(cut) <= 200
    assert cut.startswith("first")
    assert cut.endswith("last")
    assert "characters left out" in cut
    assert clip(text, 300, head=0).endswith("last")
    assert clip("short", 200) == "short"
    assert clip(text, 10) == "firstxxxxx"


def test_clip_line_stays_one_line() -> None:
    cut = clip_line("first" + "x" * 500 + "last", 100)
    assert len(cut) == 100
    assert cut.startswith("first")
    assert cut.endswith("last")
    assert "\n" not in cut
    assert clip_line("short", 100) == "short"
    assert len(clip_line("x" * 50, 3)) == 3


@pytest.mark.parametrize(
    ("line", "cells", "told"),
    [("abc", 3, "abc"), ("abcd", 3, "abc"), ("日本", 3, "日"), ("", 0, "")],
)
def test_a_line_is_clipped_by_what_a_terminal_shows(line: str, cells: int, told: str) -> None:
    assert clip_cells(line, cells) == told
