from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ModelFileError, ModelMissing
from agent.hardware import GIB, Gpu, Hardware
from agent.models.base import EditFormat, Steering
from agent.models.catalogue import Catalogue, models_folder
from agent.models.entry import HubSource, WheelSource
from tests.agent.models.gguf_files import language_model, write_gguf
from tests.agent.models.ollama_files import add_model


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    environ = {"PARITY_MODELS": str(tmp_path / "models"), "OLLAMA_MODELS": str(tmp_path / "o")}
    (tmp_path / "models").mkdir()
    return Catalogue.load(environ)


def card(gib: int) -> Hardware:
    return Hardware(64 * GIB, 60 * GIB, (Gpu("RTX", gib * GIB, gib * GIB),))


def test_every_entry_is_sound(catalogue: Catalogue) -> None:
    names = [name for entry in catalogue.entries for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))
    assert names == [name.casefold() for name in names]
    assert len({entry.rank for entry in catalogue.entries}) == len(catalogue.entries)
    for entry in catalogue.entries:
        assert re.fullmatch(r"([0-9a-f]{64})?", entry.sha256), entry.name
        assert entry.file.endswith(".gguf")
        assert "/" not in entry.file
        assert entry.source
        assert entry.shape.active <= entry.size
        for source in entry.source:
            if isinstance(source, WheelSource):
                assert entry.sha256, "wheels state no digest of their own"
            elif source.revision != "main":
                assert re.fullmatch(r"[0-9a-f]{40}", source.revision)


def test_the_models_of_the_brief_are_there(catalogue: Catalogue) -> None:
    for name in ("qwen2.5-coder-32b", "deepseek-r1-distill-qwen-32b", "deepseek-coder-v2-lite"):
        assert isinstance(catalogue.find(name).source[0], HubSource)
    assert catalogue.find("default") is catalogue.embedded
    assert catalogue.embedded.size == 1_117_320_768


def test_small_models_and_the_distill_are_guided(catalogue: Catalogue) -> None:
    guided = {entry.name for entry in catalogue.entries if entry.steering is Steering.GUIDED}
    small = {entry.name for entry in catalogue.entries if entry.parameters <= 8}
    assert small | {"deepseek-r1-distill-qwen-32b"} <= guided
    assert "qwen3.8-27b" not in guided


def test_names_ignore_case_and_misses_name_neighbours(catalogue: Catalogue) -> None:
    assert catalogue.find("Qwen2.5-Coder-32B").name == "qwen2.5-coder-32b"
    with pytest.raises(ModelMissing, match=r"did you mean qwen3\.8-27b"):
        catalogue.find("qwen3.8-72b")
    with pytest.raises(ModelMissing, match="agent models list"):
        catalogue.find("zzzzzz")


def test_a_known_model_that_is_not_here_says_how_to_get_it(catalogue: Catalogue) -> None:
    with pytest.raises(ModelMissing, match=r"agent models pull qwen2\.5-coder-1\.5b"):
        catalogue.resolve("default")


def test_a_fetched_model_is_found_by_name(catalogue: Catalogue) -> None:
    entry = catalogue.embedded
    write_gguf(entry.path(catalogue.folder), language_model())
    found = catalogue.resolve("default")
    assert found.path == catalogue.folder / entry.file
    assert found.entry == entry
    assert found.spec.steering is Steering.GUIDED
    assert found.spec.edit_format is EditFormat.SYMBOL


def test_any_file_works_and_is_judged_by_its_size(catalogue: Catalogue, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "mine.gguf", language_model())
    found = catalogue.resolve(str(path))
    assert found.entry is None
    assert found.spec.name == "Some Model"
    assert found.spec.context == 8192
    assert found.spec.steering is Steering.GUIDED
    assert catalogue.of_file(path).spec == found.spec


def test_a_large_unknown_file_is_free(catalogue: Catalogue, tmp_path: Path) -> None:
    tensors = [("output.weight", (100_000, 100_000))]
    path = write_gguf(tmp_path / "large.gguf", language_model(), tensors)
    found = catalogue.resolve(str(path))
    assert found.spec.steering is Steering.FREE
    assert found.spec.edit_format is EditFormat.SEARCH_REPLACE


def test_a_renamed_file_is_recognised_by_what_it_says_of_itself(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    entry = catalogue.find("smollm2-135m")
    metadata = language_model("llama") | {"general.name": "smollm2 135M 8k-lc100k-mix1-ep2"}
    path = write_gguf(tmp_path / "x.gguf", metadata, [("output.weight", (135_000, 1000))])
    assert catalogue.resolve(str(path)).entry == entry
    liar = write_gguf(tmp_path / "y.gguf", metadata)
    assert catalogue.resolve(str(liar)).entry is None


def test_broken_and_absent_files(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and nothing else, alas, for this reader")
    with pytest.raises(ModelFileError):
        catalogue.resolve(str(tmp_path / "broken.gguf"))
    with pytest.raises(ModelMissing, match="There is no file"):
        catalogue.resolve(str(tmp_path / "absent.gguf"))


def test_a_file_of_the_working_folder_does_not_shadow_a_name(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_bytes(b"something else")
    with pytest.raises(ModelMissing, match="agent models pull"):
        catalogue.resolve("default")


def test_models_of_ollama(catalogue: Catalogue, tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "m.gguf", language_model()).read_bytes()
    blob = add_model(tmp_path / "o", "library", "mine", "7b", weights)
    for name in ("ollama:mine:7b", "mine:7b"):
        assert catalogue.resolve(name).path == blob
    with pytest.raises(ModelMissing, match="did you mean mine:7b"):
        catalogue.resolve("ollama:mine:8b")


def test_a_catalogue_model_that_ollama_has_is_here(catalogue: Catalogue, tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "m.gguf", language_model()).read_bytes()
    blob = add_model(tmp_path / "o", "library", "other-name", "latest", weights)
    entry = replace(catalogue.embedded, sha256=hashlib.sha256(weights).hexdigest())
    assert replace(catalogue, entries=(entry,)).resolve("default").path == blob
    assert replace(catalogue, entries=(entry,)).resolve("ollama:other-name").entry == entry


def test_a_file_in_the_models_folder_is_found_by_its_stem(catalogue: Catalogue) -> None:
    path = write_gguf(catalogue.folder / "my-tune.gguf", language_model())
    assert catalogue.resolve("my-tune").path == path


def test_the_default_is_the_best_that_fits_the_card(catalogue: Catalogue) -> None:
    assert catalogue.default_for(card(24)).name == "qwen3.8-27b"
    assert catalogue.default_for(card(16)).name == "devstral-small-2-24b"
    assert catalogue.default_for(card(8)) is catalogue.embedded
    assert catalogue.default_for(replace(card(24), gpus=())) is catalogue.embedded
    assert catalogue.default_for(replace(card(24), offload=False)) is catalogue.embedded


def test_a_model_that_is_here_goes_before_one_to_fetch(catalogue: Catalogue) -> None:
    entry = catalogue.find("qwen2.5-coder-32b")
    write_gguf(entry.path(catalogue.folder), language_model())
    assert catalogue.default_for(card(24)) is entry
    shutil.copy(entry.path(catalogue.folder), catalogue.embedded.path(catalogue.folder))
    entry.path(catalogue.folder).unlink()
    assert catalogue.default_for(card(24)).name == "qwen3.8-27b"


def test_the_folder_is_the_users_unless_chosen() -> None:
    assert models_folder({"PARITY_MODELS": "/some/where"}) == Path("/some/where")
    assert models_folder({}).parts[-2:] == ("parity", "models")
