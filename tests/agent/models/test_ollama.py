from __future__ import annotations

import json
from pathlib import Path

from agent.models.ollama import find_ollama, ollama_models, ollama_roots
from tests.agent.models.gguf_files import language_model, write_gguf
from tests.agent.models.ollama_files import add_model


def test_names_and_blobs(tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "m.gguf", language_model()).read_bytes()
    root = tmp_path / "ollama"
    blob = add_model(root, "library", "qwen2.5-coder", "1.5b", weights)
    add_model(root, "someone", "tuned", "latest", weights + b"more")
    models = ollama_models((root, tmp_path / "absent"))
    assert [model.name for model in models] == ["qwen2.5-coder:1.5b", "someone/tuned:latest"]
    found = find_ollama("Qwen2.5-Coder:1.5b", models)
    assert found is not None
    assert found.path == blob
    assert found.size == len(weights)
    assert find_ollama("someone/tuned", models) == models[1]
    assert find_ollama("qwen2.5-coder", models) is None


def test_broken_manifests_are_passed_over(tmp_path: Path) -> None:
    good = add_model(tmp_path, "library", "good", "latest", b"weights")
    library = tmp_path / "manifests" / "registry.example" / "library"
    escape = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../secret"}
    gone = escape | {"digest": "sha256:" + "a" * 64}
    for name, text in {
        "cut": '{"layers": [',
        "list": "[1, 2]",
        "escape": json.dumps({"layers": [escape]}),
        "gone": json.dumps({"layers": [gone]}),
    }.items():
        (library / name).mkdir()
        (library / name / "latest").write_text(text)
    (library / "folder" / "latest").mkdir(parents=True)
    assert [model.path for model in ollama_models((tmp_path,))] == [good]


def test_a_chosen_folder_is_the_only_one(tmp_path: Path) -> None:
    assert ollama_roots({"OLLAMA_MODELS": str(tmp_path)}) == (tmp_path,)
    assert Path.home() / ".ollama" / "models" in ollama_roots({})
