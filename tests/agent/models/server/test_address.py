from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import InputError
from agent.models.server.address import Address, is_url, parse_address
from agent.models.server.opening import key_for
from agent.secrets import Keys


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:8080", Address(False, "127.0.0.1", 8080, "/v1")),
        ("http://127.0.0.1:8080/", Address(False, "127.0.0.1", 8080, "/v1")),
        ("http://box:8000/v1/#Qwen/Q-7B", Address(False, "box", 8000, "/v1", "Qwen/Q-7B")),
        ("server:box:8000#m", Address(False, "box", 8000, "/v1", "m")),
        ("server:https://box/api/v1", Address(True, "box", 443, "/api/v1")),
        ("https://box/openai/v1/chat/completions", Address(True, "box", 443, "/openai/v1")),
        ("http://[::1]:8080", Address(False, "::1", 8080, "/v1")),
        ("ollama:q:7b", Address(False, "127.0.0.1", 11434, "/v1", "q:7b", ollama=True)),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text, {}) == address
    assert is_url(text) is not address.ollama


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", ("127.0.0.1", 11434)),
        ("box", ("box", 11434)),
        ("box:1234", ("box", 1234)),
        ("http://box", ("box", 80)),
        ("https://box", ("box", 443)),
    ],
)
def test_ollama_is_where_its_variable_says(host: str, reached: tuple[str, int]) -> None:
    address = parse_address("ollama:q", {"OLLAMA_HOST": host})
    assert (address.host, address.port) == reached


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        "server:",
        "http://box:port",
        "http://box:99999",
        "http://me:pw@box",
        "http://b?k=1",
    ],
)
def test_what_is_no_address_is_one_line(text: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_address(text, {})
    assert "\n" not in str(raised.value)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "environ", "key"),
    [
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "o"}, "o"),
        ("http://127.0.0.1:8080", {"OPENAI_API_KEY": "o"}, ""),
        ("https://api.openai.com.evil.test", {"OPENAI_API_KEY": "o"}, ""),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": "o"}, ""),
        ("https://box/v1", {"OPENAI_API_KEY": "o", "OPENAI_BASE_URL": "https://box/v1"}, "o"),
        ("http://127.0.0.1:8080", {"PARITY_SERVER_KEY": "p", "OPENAI_API_KEY": "o"}, "p"),
    ],
)
def test_a_key_is_for_the_server_it_was_meant_for(
    text: str, environ: dict[str, str], key: str, tmp_path: Path
) -> None:
    keys = Keys(environ, tmp_path)
    assert key_for(parse_address(text, {}), environ, keys) == key
    (tmp_path / "PARITY_SERVER_KEY").write_text("kept")
    (tmp_path / "PARITY_SERVER_KEY").chmod(0o600)
    kept = environ.get("PARITY_SERVER_KEY", "kept")
    assert key_for(parse_address(text, {}), environ, keys) == kept
