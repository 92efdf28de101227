"""Bytes to text and back."""

from __future__ import annotations

import time

import pytest

from tools.errors import ToolError
from tools.text import SourceText, difference, line_delta, numbered, shown


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        b"a\nb\n",
        b"a\r\nb",
        b"\xef\xbb\xbfa\r\nb\r\n",
        b"caf\xe9\n",
        b"a\rb\n",
        b"a\r\r\nb\n\r\n",
        b"a\x0cb\x1c\xe2\x80\xa8c\n",
        b"mixed\r\nlines\nhere\r\n",
        b"\xef\xbb\xbf\xff",
    ],
)
def test_unchanged_text_is_unchanged_bytes(data: bytes) -> None:
    source = SourceText.of(data)
    assert source.with_text(source.text) == data


def test_only_changed_lines_get_the_usual_ending() -> None:
    source = SourceText.of(b"a\r\nb\nc\r\nd\r\n")
    assert source.with_text("a\nb\nX\nY\nd\n") == b"a\r\nb\nX\r\nY\r\nd\r\n"


def test_equal_lines_around_a_change_keep_theirs() -> None:
    source = SourceText.of(b"\n\r\n\n\r\nx\n\r\n\n")
    assert source.with_text("\n\n\n\ny\n\n\n") == b"\n\r\n\n\r\ny\n\r\n\n"


def test_an_encoding_is_kept_or_the_character_refused() -> None:
    source = SourceText.of(b"caf\xe9\n")
    assert source.with_text("caf\xe9s\n") == b"caf\xe9s\n"
    with pytest.raises(ToolError, match="latin-1, which cannot hold '→'"):
        source.with_text("→\n")


def test_lines_are_counted_and_numbered() -> None:
    assert line_delta("a\nb\nc\n", "a\nX\nY\nc\n") == (2, 1)
    assert numbered(["  a", "", "b"], 9) == "9   a\n10\n11 b"


def test_a_path_is_shown_on_one_line() -> None:
    assert shown("a\nb\x1b[2J\u202ec") == "a\\nb\\u202ec"


@pytest.mark.parametrize(
    ("before", "after", "size"),
    [
        ("a < b\n", "a < b\n", 0),
        ("a < b\n", "a > b\n", 2),
        ("a = f(1)\n", "a = f(1, 2)\n", 2),
        ("a = 1\n", "a   = 1\n", 0),
        ("", "a = 1\n", 4),
        ("a = 1\n", "", 4),
        ("a\nb\nc\n", "a\nc\n", 2),
        ("größer = 1\n", "größer = 2\n", 2),
    ],
)
def test_the_difference_is_counted_in_words_and_signs(before: str, after: str, size: int) -> None:
    assert difference(before, after) == size


def test_the_difference_of_long_files_is_counted_at_once() -> None:
    lines = ["    x = 1\n", "\n", "    y = [0, 0, 0]\n"] * 20_000
    changed = [*lines[:30_000], "    z = 2\n", *lines[30_000:]]
    began = time.process_time()
    assert difference("".join(lines), "".join(changed)) == 4
    assert difference("".join(lines[:9_000]), "".join(lines[:9_000]).replace("0", "1")) > 9_000
    assert time.process_time() - began < 3
