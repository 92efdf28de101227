"""From a name to a model."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agent.config import Settings
from agent.errors import Unreachable
from agent.models.opening import open_model
from agent.secrets import Keys


def test_only_a_model_that_starts_needs_its_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as bound:  # nobody listens, as without a network
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")
        keys = Keys({"ANTHROPIC_API_KEY": "key"}, tmp_path)
        settings = Settings.model_validate({"model": "claude-unheard-of"})
        with pytest.raises(Unreachable):
            open_model(settings, keys)
        open_model(settings, keys, start=False).close()
