"""Which programs we run ourselves, outside the sandbox."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.process import system_path, system_program


def program(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return place


def test_what_a_command_can_have_written_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    own = program(root / ".venv" / "bin" / "git")
    wanted = program(outside / "git")
    (tmp_path / "bin").symlink_to(own.parent)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "git").symlink_to(own)
    (root / "out").symlink_to(outside)  # a command can make it lead elsewhere
    (tmp_path / "alias").symlink_to(root)
    monkeypatch.chdir(root)
    entries = (
        *(str(own.parent), ".venv/bin", "", f"{tmp_path}/bin", f"{tmp_path}/links"),
        *(f"{root}/out", f"{outside}/../root/.venv/bin", str(outside)),
    )
    monkeypatch.setenv("PATH", os.pathsep.join(entries))
    for name in (root, tmp_path / "alias"):
        assert system_program("git", name) == str(wanted)
        assert system_path(name) == f"{tmp_path}/links:{outside}"
    assert system_program("git", tmp_path) is None
    assert system_program("git", Path("/")) == str(own)  # nothing is kept from commands there


def test_a_path_that_lies_in_the_root_alone_has_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert system_path(tmp_path) == ""
    assert system_program("sh", tmp_path) is None
