"""Real programs as the user's editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import InputError
from tui.widgets.prompt.outside import edited, editor_of


def script(folder: Path, body: str) -> list[str]:
    place = folder / "my editor"
    place.write_text(f"#!/bin/sh\n{body}\n")
    place.chmod(0o755)
    return [str(place)]


def test_the_text_is_what_the_editor_leaves(tmp_path: Path) -> None:
    command = script(tmp_path, 'printf "more\\n\\n" >> "$1"; stat -c %a "$(dirname "$1")"')
    assert edited("text\n", command) == "text\nmore"


def test_a_failure_changes_nothing_and_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exit code 7: nothing changed"):
        edited("text", script(tmp_path, "exit 7"))
    with pytest.raises(InputError, match=r"No such file"):
        edited("text", [str(tmp_path / "none")])
    with pytest.raises(InputError, match=r"cannot be used"):
        edited("text", script(tmp_path, 'rm "$1"'))


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    assert edited("a", script(tmp_path, "printf '\\377' > \"$1\"")) == "\ufffd"


def test_which_editor() -> None:
    assert editor_of({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor_of({"EDITOR": "'my editor' -x"}) == ["my editor", "-x"]
    with pytest.raises(InputError, match=r"EDITOR cannot be read"):
        editor_of({"EDITOR": "'open"})
