from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.errors import InputError, ModelFileError, ModelMissing
from agent.hardware import GIB
from agent.models.commands import models
from agent.models.places import parse_memory
from tests.agent.models.gguf_files import language_model, write_gguf
from tests.agent.models.ollama_files import add_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def run(*argv: str) -> Result:
    result = CliRunner().invoke(models, argv)
    assert result.exception is None, result.output
    return result


def test_list_shows_what_is_here(folder: Path, tmp_path: Path) -> None:
    write_gguf(folder / "smollm2-135m-instruct-q4_1.gguf", language_model())
    write_gguf(folder / "my-own.gguf", language_model())
    weights = (folder / "my-own.gguf").read_bytes()
    add_model(tmp_path / "ollama", "library", "mine", "7b", weights)
    output = run("list").stdout
    rows = {line.split()[0]: line for line in output.splitlines() if line}
    assert " yes " in rows["smollm2-135m"]
    assert " file " in rows["my-own"]
    assert " ollama " in rows["ollama:mine:7b"]
    assert " - " in rows["qwen2.5-coder-32b"]
    assert "Default here: " in output
    assert all(len(line) <= 80 for line in output.splitlines())


def test_list_as_json(folder: Path) -> None:
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows if row["default"]]
    assert {"name", "size", "here", "runs", "context", "decode_ceiling", "default"} == set(rows[0])


def test_a_broken_file_does_not_hide_the_list(folder: Path) -> None:
    (folder / "broken.gguf").write_bytes(b"not a model, but long enough to be looked at")
    result = run("list")
    assert "skipped: " in result.stderr
    assert "qwen2.5-coder-32b" in result.stdout


@pytest.mark.usefixtures("folder")
def test_plan_says_that_the_32b_fits_24_gb_and_not_12() -> None:
    output = run("plan").stdout
    assert all(len(line) <= 80 for line in output.splitlines())
    rows = re.findall(r"^qwen2\.5-coder-32b +19\.9 GB +(\S+) +(\S+) +(\S+)$", output, re.MULTILINE)
    assert rows[0] == ("16,384", "31,744", "47")
    assert rows[1] == ("no", "no", "-")
    assert "24 GB, as RTX 3090: 24.0 GiB, 936 GB/s" in output
    assert "This machine" in output


@pytest.mark.usefixtures("folder")
def test_plan_of_one_model_in_another_memory() -> None:
    rows = json.loads(run("plan", "qwen2.5-coder-32b", "--memory", "48GB", "--json").stdout)
    assert [row["kv_type"] for row in rows] == ["f16", "q8_0", "q4_0"]
    assert all(row["fits"] and row["context"] == 32768 for row in rows)


@pytest.mark.usefixtures("folder")
def test_plan_of_any_file(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "mine.gguf", language_model())
    rows = json.loads(run("plan", str(path), "--memory", "2GB", "--json").stdout)
    assert rows[0]["model"] == "Some Model"
    assert rows[0]["context"] == 8192


def test_show_before_and_after_it_is_here(folder: Path) -> None:
    absent = json.loads(run("show", "default", "--json").stdout)
    assert absent["name"] == "qwen2.5-coder-1.5b"
    assert absent["on this disk"] == "no"
    write_gguf(folder / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", language_model())
    output = run("show", "DEFAULT").stdout
    assert re.search(r"^on this disk +yes$", output, re.MULTILINE)
    assert re.search(r"^architecture +qwen2$", output, re.MULTILINE)


@pytest.mark.usefixtures("folder")
def test_show_of_unknown_names_and_broken_files(tmp_path: Path) -> None:
    result = CliRunner().invoke(models, ["show", "qwen2.5-coder-31b"])
    assert isinstance(result.exception, ModelMissing)
    (tmp_path / "broken.gguf").write_bytes(b"x" * 64)
    result = CliRunner().invoke(models, ["show", str(tmp_path / "broken.gguf")])
    assert isinstance(result.exception, ModelFileError)


@pytest.mark.usefixtures("folder")
def test_show_of_a_model_that_is_sold() -> None:
    output = run("show", "claude-haiku-5-5").stdout
    assert re.search(r"^context +1,000,000 tokens$", output, re.MULTILINE)
    assert re.search(r"^price +\$0\.1 in, \$0\.5 out, \$0\.01 read from", output, re.MULTILINE)
    assert re.search(r"^price, prompts over 100,000 tokens +\$0\.5 in", output, re.MULTILINE)
    facts = json.loads(run("show", "claude-sonnet-5-5", "--json").stdout)
    assert (facts["title"], facts["provider"]) == ("Claude Sonnet 5.5", "Anthropic")


def test_pull_of_what_is_here_fetches_nothing(folder: Path) -> None:
    path = folder / "smollm2-135m-instruct-q4_1.gguf"
    with path.open("wb") as file:
        file.truncate(98_362_432)
    assert str(path) in run("pull", "smollm2-135m", "--yes").stdout


def test_memory_is_read_as_people_write_it() -> None:
    assert parse_memory("24GB") == parse_memory("24 GiB") == parse_memory("24") == 24 * GIB
    assert parse_memory("512mb") == 512 << 20
    for wrong in ("", "lots", "-3GB", "0"):
        with pytest.raises(InputError, match="no amount of memory"):
            parse_memory(wrong)
