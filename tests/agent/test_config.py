"""Settings and where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import load
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
