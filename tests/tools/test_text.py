"""Bytes to text and back."""

from __future__ import annotations

import pytest

from tools.errors import ToolError
from tools.text import SourceText, line_delta, numbered, shown


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
