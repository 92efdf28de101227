"""Some hunks of a patch, made without the others."""

from __future__ import annotations

import pytest

from tools.patch import apply_hunks, file_patch, hunks

MANY = [b"%d\n" % number for number in range(40)]


def joined(**changed: bytes) -> bytes:
    """The lines, those at these places otherwise."""
    lines = list(MANY)
    for place, data in changed.items():
        lines[int(place.removeprefix("at"))] = data
    return b"".join(lines)


ENDLESS = joined(at39=b"end")
RAW = b"\xff\r\n"


@pytest.mark.parametrize(
    ("before", "after", "chosen", "expected"),
    [
        (joined(), joined(at2=b"x\n", at30=b"y\n"), [0], joined(at2=b"x\n")),
        (joined(), joined(at2=b"x\n", at30=b"y\n"), [1], joined(at30=b"y\n")),
        (joined(), joined(at2=b"x\n", at30=b"y\n"), [0, 1], joined(at2=b"x\n", at30=b"y\n")),
        (joined(), joined(at2=b"", at30=b"a\nb\n"), [1], joined(at30=b"a\nb\n")),
        (ENDLESS, joined(at2=b"x\n", at39=b"end\n"), [0], joined(at2=b"x\n", at39=b"end")),
        (ENDLESS, joined(at2=b"x\n", at39=b"end\n"), [1], joined(at39=b"end\n")),
        (joined(), joined(at2=b"x\n", at39=b"39"), [1], joined(at39=b"39")),
        (RAW + joined(), RAW + joined(at9=b"z\r\n"), [0], RAW + joined(at9=b"z\r\n")),
        (b"a\n", b"", [0], b""),
    ],
)
def test_the_chosen_hunks_are_made_to_the_byte(
    before: bytes, after: bytes, chosen: list[int], expected: bytes
) -> None:
    patch = file_patch("f", before, after, 0o644, 0o644)
    assert apply_hunks(before, patch, chosen) == expected


def test_a_line_that_looks_like_a_head_is_none() -> None:
    before, after = b"@@ -1 +1 @@\n" + joined(), b"@@ -1 +1 @@\nx\n" + joined()
    assert len(hunks(file_patch("f", before, after, 0, 0))) == 1
