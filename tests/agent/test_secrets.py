"""Keys: their places in order, their files' modes, and that none shows itself."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.secrets import KNOWN, Keys, Secret

NAME = "ANTHROPIC_API_KEY"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "keys"


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("canary")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", "%s" % secret]  # noqa: UP031
    assert not [text for text in shown if "canary" in text]
    for serialise in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            serialise(secret)
    assert secret.reveal() == "canary"


def test_the_environment_goes_before_the_file(folder: Path) -> None:
    keys = Keys({}, folder)
    assert keys.find(NAME) is None
    place = keys.keep(NAME, " from-file \n")
    found = keys.find(NAME)
    assert found is not None
    assert (found.secret.reveal(), found.origin) == ("from-file", place)
    assert Path(place).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    first = Keys({NAME: "from-environment"}, folder).find(NAME)
    assert first is not None
    assert (first.secret.reveal(), first.origin) == ("from-environment", "environment")
    assert "from-environment" not in repr(first)
    assert [key.name for key in keys.found] == [NAME]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_file_that_others_can_open_is_refused_with_the_command(folder: Path, mode: int) -> None:
    keys = Keys({}, folder)
    place = Path(keys.keep(NAME, "canary-value"))
    place.chmod(mode)
    with pytest.raises(InputError) as caught:
        keys.find(NAME)
    assert f"`chmod 600 {place}`" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("value", ["", " \n", "two words", "naïve", "a\nb", "a\x1b[2J", "x" * 9000])
def test_what_is_no_key_is_not_kept_and_not_told(folder: Path, value: str) -> None:
    with pytest.raises(InputError) as caught:
        Keys({}, folder).keep(NAME, value)
    assert not value.strip() or value not in str(caught.value)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "sk-ant-canary", "LOWER_case"])
def test_a_name_is_a_name(folder: Path, name: str) -> None:
    for act in (Keys({}, folder).find, Keys({}, folder).remove):
        with pytest.raises(InputError) as caught:
            act(name)
        assert "canary" not in str(caught.value)


def test_a_file_that_holds_no_key(folder: Path) -> None:
    keys = Keys({}, folder)
    place = Path(keys.keep(NAME, "x"))
    place.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        keys.find(NAME)


def test_removal(folder: Path) -> None:
    keys = Keys({}, folder)
    place = keys.keep(NAME, "value")
    assert keys.names() == KNOWN
    assert keys.remove(NAME) == (place,)
    assert keys.remove(NAME) == ()
    assert keys.find(NAME) is None
