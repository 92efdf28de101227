from __future__ import annotations

import pytest

from agent.errors import AccessRefused, ConnectionLost, ModelMissing
from agent.models.base import EditFormat, Steering
from tests.agent.models.server.asking import opened
from tests.agent.models.server.servers import Json, Reply, data, error, models, serving

LLAMA: Json = {"owned_by": "llamacpp", "meta": {"n_ctx_train": 32768, "n_params": 27_000_000_000}}


def test_one_model_needs_no_name() -> None:
    with serving({"/v1/models": models("/srv/only-q4.gguf")}) as server:
        spec = opened(server.url).spec
        assert spec.name == f"only-q4@{server.url.removeprefix('http://')}"
        assert [path for path, _ in server.asked] == ["/v1/models"]


def test_several_models_are_named() -> None:
    with (
        serving({"/v1/models": models("b", "a")}) as server,
        pytest.raises(ModelMissing, match=r"several models: name one as .*#NAME: a, b"),
    ):
        opened(server.url)


def test_a_name_the_server_lacks_gets_the_near_ones() -> None:
    with (
        serving({"/v1/models": models("qwen3-8b", "llama-70b")}) as server,
        pytest.raises(ModelMissing, match="no model named 'qwen3-9b'; it has qwen3-8b"),
    ):
        opened(f"{server.url}#qwen3-9b")


def test_no_model_is_said() -> None:
    with serving({"/v1/models": models()}) as server, pytest.raises(ModelMissing, match="no model"):
        opened(server.url)


def test_a_server_without_a_list_needs_a_name() -> None:
    with serving({}) as server:
        with pytest.raises(ModelMissing, match="name one, as http"):
            opened(server.url)
        assert opened(f"{server.url}/v1#any").spec.name.startswith("any@")


def test_a_server_that_repeats_the_key_is_not_quoted() -> None:
    with (
        serving({"/v1/models": lambda body: error(401, "sk-0123456789 is no key")}) as server,
        pytest.raises(AccessRefused, match=r"\[redacted\] is no key"),
    ):
        opened(server.url, key="sk-0123456789")


def test_a_refused_key_and_a_fault_are_errors_of_their_own() -> None:
    with serving({"/v1/models": lambda body: error(401, "who are you?")}) as server:
        with pytest.raises(AccessRefused, match="key"):
            opened(server.url)
        server.routes["/v1/models"] = lambda body: Reply(drop=True)
        with pytest.raises(ConnectionLost):
            opened(server.url)


@pytest.mark.parametrize("said", [data({"models": 1}), Reply([b"<html>"], kind="text/html")])
def test_a_list_that_is_none_is_no_crash(said: Reply) -> None:
    with serving({"/v1/models": lambda body: said}) as server, pytest.raises(ModelMissing):
        opened(server.url)


@pytest.mark.parametrize(
    "more", [{"max_model_len": 9000}, {"context_length": 9000}, {"context_window": 9000}]
)
def test_the_window_is_read_from_the_list(more: dict[str, int]) -> None:
    with serving({"/v1/models": models("m", **more)}) as server:
        assert opened(server.url).spec.context == 9000
        assert opened(server.url, context=4000).spec.context == 4000
        assert opened(server.url, context=40_000).spec.context == 9000


def test_llama_server_says_its_window_and_whether_it_has_tools() -> None:
    props: Json = {
        "default_generation_settings": {"n_ctx": 5000},
        "chat_template_caps": {"supports_tools": False},
    }
    routes = {"/v1/models": models("m.gguf", **LLAMA), "/props": lambda body: data(props)}
    with serving(routes) as server:
        model = opened(f"{server.url}#whatever")  # it has one model, and answers with it
        assert (model.spec.context, model.found.tools) == (5000, False)


def test_lm_studio_says_its_window() -> None:
    row = data({"id": "m", "loaded_context_length": 6000, "max_context_length": 99_000})
    routes = {"/v1/models": models("m", owned_by="organization_owner")}
    with serving({**routes, "/api/v0/models/m": lambda body: row}) as server:
        assert opened(server.url).spec.context == 6000


@pytest.mark.parametrize(
    ("name", "steering", "edits"),
    [
        ("Qwen/Qwen2.5-Coder-32B-Instruct", Steering.FREE, EditFormat.SYMBOL),
        ("qwen2.5-coder:1.5b", Steering.GUIDED, EditFormat.SYMBOL),
        ("qwen3-coder-30b-a3b-instruct-q4_k_m.gguf", Steering.FREE, EditFormat.SEARCH_REPLACE),
        ("llama3.2:3b", Steering.GUIDED, EditFormat.SYMBOL),
        ("mixtral-8x22b-a39b", Steering.FREE, EditFormat.SEARCH_REPLACE),
        ("gpt-7", Steering.FREE, EditFormat.SEARCH_REPLACE),
    ],
)
def test_properties_come_from_the_catalogue_or_the_size(
    name: str, steering: Steering, edits: EditFormat
) -> None:
    with serving({"/v1/models": models(name, max_model_len=32_768)}) as server:
        spec = opened(server.url).spec
        assert (spec.steering, spec.edit_format) == (steering, edits)
        assert not spec.forms
