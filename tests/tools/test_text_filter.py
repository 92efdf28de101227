"""What may hide in a text must become visible or go."""

from __future__ import annotations

import pytest

from tools.text_filter import clip, clip_line, printable


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
