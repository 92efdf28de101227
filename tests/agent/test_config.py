"""Settings and where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import PROJECT_SETTINGS, ProjectSettings, Settings, load
from agent.errors import InputError


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('model = "from-file"\nmax_steps = 7\nthreads = 3\n')
    environment = {"PARITY_MODEL": "from-environment", "PARITY_MAX_STEPS": "8", "HOME": "/"}
    configuration = load({"model": "from-flag", "max_steps": None}, environment, file)
    settings = configuration.settings
    assert (settings.model, settings.max_steps, settings.threads) == ("from-flag", 8, 3)
    assert settings.max_tokens is None
    origins = {name: configuration.origins[name] for name in ("model", "max_steps", "threads")}
    assert origins == {"model": "flag", "max_steps": "environment", "threads": str(file)}
    assert configuration.origins["max_usd"] == "default"


@pytest.mark.parametrize(
    ("text", "told"),
    [("max_steps = 0", "max_steps"), ("colour = 1", "colour"), ("x = [", "cannot be read")],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        load({}, {}, file)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_names_its_origin(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"max_steps \(environment\)"):
        load({}, {"PARITY_MAX_STEPS": "many"}, tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"watts \(environment\)"):
        load({}, {"PARITY_WATTS": "inf"}, tmp_path / "none.toml")


def project(tmp_path: Path, text: str) -> ProjectSettings:
    return ProjectSettings(tmp_path / ".agent" / "config.toml", text.encode())


def test_a_project_stands_between_the_environment_and_the_user(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('model = "mine"\ntest_command = "mine"\n')
    own = project(tmp_path, 'model = "theirs"\ntest_command = "theirs"\ntest_seconds = 7\n')
    configuration = load({}, {"PARITY_MODEL": "now"}, file, own)
    settings = configuration.settings
    assert (settings.model, settings.test_command, settings.test_seconds) == ("now", "theirs", 7)
    assert configuration.origins["model"] == "environment"
    assert configuration.origins["test_command"] == str(own.file)


def test_a_project_lowers_limits_and_raises_none(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("max_usd = 1.0\nmax_tokens = 100\n")
    own = project(tmp_path, "max_steps = 999\nmax_usd = 5\nmax_tokens = 50\nmax_seconds = 60\n")
    configuration = load({}, {}, file, own)
    settings = configuration.settings
    assert (settings.max_steps, settings.max_usd) == (100, 1.0)
    assert (settings.max_tokens, settings.max_seconds) == (50, 60)
    assert configuration.origins["max_steps"] == "default"
    assert configuration.origins["max_usd"] == str(file)
    assert configuration.origins["max_tokens"] == str(own.file)
    assert load({"max_tokens": 999}, {}, file, own).settings.max_tokens == 999


def test_a_project_sets_nothing_that_is_not_listed(tmp_path: Path) -> None:
    others = set(Settings.model_fields) - set(PROJECT_SETTINGS)
    assert {"sandbox_read", "mode", "context"} <= others
    for name in others:
        own = project(tmp_path, f"{name} = 1\n")
        with pytest.raises(InputError, match=f"A project may not set {name}") as caught:
            load({}, {}, tmp_path / "none.toml", own)
        assert str(own.file) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_step = 3", "did you mean max_steps"),
        ("max_steps = 0", "max_steps"),
        ("test_command = ['a']", "test_command"),
        ("x = [", "cannot be read"),
        ("model = '\x07'", "cannot be read"),
    ],
)
def test_a_wrong_project_file_is_told_with_file_and_key(
    tmp_path: Path, text: str, told: str
) -> None:
    own = project(tmp_path, text)
    with pytest.raises(InputError, match=told) as caught:
        load({"max_steps": 2, "test_command": "b"}, {}, tmp_path / "none.toml", own)
    assert str(own.file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_to_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('sandbox_read = ["/opt/data", "~/lib"]\n')
    assert load({}, {}, file).settings.sandbox_read == (Path("/opt/data"), Path.home() / "lib")
    environment = {"PARITY_SANDBOX_READ": "/a:/b"}
    assert load({}, environment, file).settings.sandbox_read == (Path("/a"), Path("/b"))
    with pytest.raises(InputError, match=r"sandbox_read \(environment\).*absolute"):
        load({}, {"PARITY_SANDBOX_READ": "lib"}, file)
