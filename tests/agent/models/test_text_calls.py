"""The text format of tool calls: what is written is read back, what models write is understood."""

from __future__ import annotations

import random
from typing import Any

import pytest

from agent.messages import AssistantMessage, ToolCall, ToolMessage, ToolOutput
from agent.models import text_calls
from tools.base import ToolSpec


def spec(name: str, bodies: tuple[str, ...] = (), **types: str) -> ToolSpec:
    properties = {key: {"type": kind} for key, kind in types.items()}
    properties |= {body: {"type": "string"} for body in bodies}
    required = [key for key in properties if key != "start"]
    return ToolSpec(
        name, f"What {name} does.", {"properties": properties, "required": required}, bodies
    )


READ = spec("read_file", path="string", start="integer")
REPLACE = spec("replace_symbol", ("body",), path="string", symbol="string")
EDIT = spec("edit", ("old", "new"), path="string")
WRITE = spec("write_file", ("content",), path="string")
RUN = spec("run", argv="array", timeout="number")
TESTS = spec("run_tests")
TOOLS = (READ, REPLACE, EDIT, WRITE, RUN, TESTS)

SNIPPETS = (
    *("", "\n", "x", "x = 1\n", "a\r\nb\r\n", "tail\r", 'say "hi" & <b>\n', "  indented\n\n\n"),
    *("```", "```python\ncode\n```\n", "````\n", "</call>\n", '<call tool="run_tests">\n</call>'),
    *("é≠\U0001f600\n", "&quot;&amp;&#10;", "<think>\n", "\n\nblank first", "```\n</call>"),
)


def arguments(call: ToolCall) -> tuple[str, dict[str, object]]:
    return call.name, dict(call.arguments)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_is_read_back(seed: int) -> None:
    rng = random.Random(seed)

    def some() -> str:
        return "".join(rng.choices(SNIPPETS, k=rng.randint(0, 3)))

    offered: list[tuple[ToolSpec, dict[str, Any]]] = [
        (READ, {"path": some().replace("\r", ""), "start": rng.randint(0, 99)}),
        (REPLACE, {"path": "a.py", "symbol": "A.b", "body": some()}),
        (EDIT, {"path": "docs/a b.md", "old": some(), "new": some()}),
        (WRITE, {"path": rng.choice(["README.md", "x.py"]), "content": some()}),
        (RUN, {"argv": ["python", "-c", some(), ""], "timeout": 1.5}),
        (TESTS, {}),
    ]
    calls = tuple(ToolCall("", tool.name, made) for tool, made in rng.sample(offered, k=4))
    raw = text_calls.render_message(AssistantMessage("I see.", calls=calls), TOOLS)

    reading = text_calls.read(raw, TOOLS)

    assert [arguments(call) for call in reading.calls] == [arguments(call) for call in calls]
    assert reading.text == "I see."
    assert reading.malformed == ()
    assert len({call.id for call in reading.calls}) == len(calls)


def test_the_closing_newline_of_a_body_belongs_to_the_fence() -> None:
    header = '<call tool="replace_symbol" path="a.py" symbol="f">'
    raw = f"{header}\n```python\ndef f():\n    pass\n```\n</call>"
    (call,) = text_calls.read(raw, TOOLS).calls
    assert call.arguments["body"] == "def f():\n    pass"


JSON = '{"name": "read_file", "arguments": {"path": "a.py", "start": 3}}'
EXPECTED = ("read_file", {"path": "a.py", "start": 3})


@pytest.mark.parametrize(
    "raw",
    [
        '<call tool="read_file" path="a.py" start="3"/>',
        '<call tool="read_file" path="a.py" start="3"></call>',
        "<call tool='read_file' path='a.py' start='3'>\n</call>",
        'Let me look: <call tool="read_file" path="a.py" start="3">\n\n</call>',
        f"<tool_call>\n{JSON}\n</tool_call>",
        f"<tool_call>\n{JSON}",
        f"<tools>{JSON}</tools>",
        f"I will read it.\n```json\n{JSON}\n```\nThen we see.",
        f"```\n{JSON}\n```",
        JSON,
        f"First:\n{JSON}",
        JSON.replace("arguments", "parameters"),
        JSON.replace("}}", ",}}"),
        '{"type": "function", "function": ' + JSON + "}",
        '{"name": "read_file", "arguments": "{\\"path\\": \\"a.py\\", \\"start\\": 3}"}',
        f"[{JSON}]",
        f"[TOOL_CALLS][{JSON}]",
        '[TOOL_CALLS]read_file[ARGS]{"path": "a.py", "start": 3}',
        '[TOOL_CALLS]read_file[CALL_ID]abc123[ARGS]{"path": "a.py", "start": 3}',
        "<tool_call>\n<function=read_file>\n<parameter=path>\na.py\n</parameter>\n"
        "<parameter=start>\n3\n</parameter>\n</function>\n</tool_call>",
        "<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>"
        'read_file\n```json\n{"path": "a.py", "start": 3}\n```<\uff5ctool▁call▁end\uff5c>'
        "<\uff5ctool▁calls▁end\uff5c>",
        f"<think>\nShould I call {JSON.replace('a.py', 'b.py')}?\n</think>\n{JSON}",
    ],
)
def test_one_call_in_every_family_s_format(raw: str) -> None:
    reading = text_calls.read(raw, TOOLS)
    assert [arguments(call) for call in reading.calls] == [EXPECTED]
    assert reading.malformed == ()
    assert "{" not in reading.text
    assert "<" not in reading.text


def test_several_calls_keep_their_order() -> None:
    two = '{"name": "run_tests", "arguments": {}}'
    for raw in (
        f"<tool_call>{JSON}</tool_call>\n<tool_call>{two}</tool_call>",
        f"<tool_call>{JSON}\n{two}</tool_call>",
        f"[TOOL_CALLS][{JSON}, {two}]",
        "[TOOL_CALLS]read_file[ARGS]{}[TOOL_CALLS]run_tests[ARGS]{}",
        f"{JSON}\n{two}",
    ):
        assert [call.name for call in text_calls.read(raw, TOOLS).calls] == [
            "read_file",
            "run_tests",
        ]


def test_line_breaks_within_json_strings_are_taken_as_meant() -> None:
    content = 'x = [1,]\ny = \\"2\\"\n'
    raw = f'{{"name": "write_file", "arguments": {{"path": "a.py", "content": "{content}",}}}}'
    (call,) = text_calls.read(raw, TOOLS).calls
    assert call.arguments["content"] == 'x = [1,]\ny = "2"\n'


def test_xml_parameters_keep_their_inner_line_breaks() -> None:
    raw = (
        "<function=edit>\n<parameter=path>\na.py\n</parameter>\n<parameter=old>\n  x\n\n  y\n"
        "</parameter>\n<parameter=new>\n</parameter>\n</function>"
    )
    (call,) = text_calls.read(raw, TOOLS).calls
    assert call.arguments == {"path": "a.py", "old": "  x\n\n  y", "new": ""}


@pytest.mark.parametrize(
    "raw",
    [
        'So:\n<call tool="replace_symbol" path="a.py" symbol="f">\n```python\ndef f():\n    ret',
        'So:\n<call tool="edit" path="a.py">\n```old\nx\n```\n```new\ny',
        'So:\n<call tool="edit" path="a.py">\n```old\nx\n```\n',
        'So:\n<call tool="read_file" path="a.p',
        'So:\n<tool_call>{"name": "write_file", "arguments": {"path": "a.py", "content": "x = ',
        'So:\n```json\n{"name": "write_file", "arguments": {"path": "a.py", "content": "x = ',
        "So:\n<tool_call>\n<function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=con",
        'So:\n[TOOL_CALLS]write_file[ARGS]{"path": "a.py", "content": "x = ',
        "So:\n<tool_call>not json</tool_call>",
    ],
)
def test_an_unfinished_call_is_never_a_call(raw: str) -> None:
    reading = text_calls.read(raw, TOOLS)
    assert reading.calls == ()
    assert len(reading.malformed) == 1
    assert "not run" in reading.malformed[0]
    assert "\n" not in reading.malformed[0]
    assert reading.text.startswith("So:")


def test_a_cut_after_a_whole_call_leaves_that_one() -> None:
    raw = '<call tool="run_tests">\n</call>\n<call tool="read_file" path="a'
    reading = text_calls.read(raw, TOOLS)
    assert [call.name for call in reading.calls] == ["run_tests"]
    assert len(reading.malformed) == 1


def test_a_forgotten_closing_line_is_forgiven_once_the_body_is_whole() -> None:
    raw = '<call tool="replace_symbol" path="a.py" symbol="f">\n```python\nx = 1\n```\nThat is all.'
    reading = text_calls.read(raw, TOOLS)
    assert [dict(call.arguments)["body"] for call in reading.calls] == ["x = 1"]
    assert reading.text == "That is all."


def test_fences_within_a_shorter_fence_stay_in_the_body() -> None:
    raw = '<call tool="write_file" path="a.md">\n```\n# T\n```sh\nls\n```\nend\n```\n</call>'
    (call,) = text_calls.read(raw, TOOLS).calls
    assert call.arguments["content"] == "# T\n```sh\nls\n```\nend"


def test_bodies_without_fences_and_in_any_order() -> None:
    loose = '<call tool="write_file" path="a.py">\nx = 1\ny = 2\n</call>'
    assert text_calls.read(loose, TOOLS).calls[0].arguments["content"] == "x = 1\ny = 2"
    swapped = '<call tool="edit" path="a">\n```new\n2\n```\n```old\n1\n```\n</call>'
    assert text_calls.read(swapped, TOOLS).calls[0].arguments == {
        "path": "a",
        "old": "1",
        "new": "2",
    }
    bare = '<call tool="edit" path="a">\n```\n1\n```\n```\n2\n```\n</call>'
    assert text_calls.read(bare, TOOLS).calls[0].arguments == {"path": "a", "old": "1", "new": "2"}


def test_calls_within_a_thought_do_not_count() -> None:
    raw = f'<think>maybe <call tool="run_tests"/> or {JSON}</think>\nThe divisor is wrong.'
    reading = text_calls.read(raw, TOOLS)
    assert reading.calls == ()
    assert reading.text == "The divisor is wrong."
    assert "maybe" in reading.reasoning

    unclosed = text_calls.read(f"<think>\n{JSON}", TOOLS)
    assert (unclosed.calls, unclosed.text, unclosed.reasoning) == ((), "", JSON)

    opened_by_the_prompt = text_calls.read(f"{JSON}\n</think>\nNo.", TOOLS, thinking=True)
    assert (opened_by_the_prompt.calls, opened_by_the_prompt.text) == ((), "No.")


def test_json_that_names_no_tool_is_text() -> None:
    raw = 'Use this:\n```json\n{"name": "bob", "arguments": {}}\n```\n{"a": 1}'
    reading = text_calls.read(raw, TOOLS)
    assert (reading.calls, reading.malformed, reading.text) == ((), (), raw)


def test_an_unknown_tool_is_reported_as_a_call_when_it_is_tagged() -> None:
    assert text_calls.read('<call tool="nope" a="1"/>', TOOLS).calls[0].name == "nope"
    assert text_calls.read("<call path='a'>\n</call>", TOOLS).malformed != ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("argv=\"pytest -q 'a b'\"", {"argv": ["pytest", "-q", "a b"]}),
        ('argv="[&quot;ls&quot;, &quot;-l&quot;]"', {"argv": ["ls", "-l"]}),
        ('timeout="2"', {"timeout": 2}),
        ('timeout="soon"', {"timeout": "soon"}),
    ],
)
def test_attributes_become_what_the_schema_wants(written: str, meant: dict[str, object]) -> None:
    (call,) = text_calls.read(f'<call tool="run" {written}/>', TOOLS).calls
    assert call.arguments == meant


def test_the_description_names_every_tool_and_no_path_to_copy() -> None:
    text = text_calls.describe(TOOLS)
    assert "read_file(path, start?): What read_file does." in text
    assert "edit(path), body old and new: What edit does." in text
    assert ".py" not in text
    assert len(text) < 1800 / 8 * len(TOOLS)


def test_results_are_told_with_their_failure() -> None:
    results = (
        ToolOutput("1", "run_tests", "2 passed"),
        ToolOutput("2", "edit", "no such text", ok=False),
    )
    assert text_calls.render_results(ToolMessage(results)) == (
        '<result tool="run_tests">\n2 passed\n</result>\n'
        '<result tool="edit" failed>\nno such text\n</result>'
    )


def test_a_message_of_a_text_model_is_repeated_as_it_was() -> None:
    message = AssistantMessage("x", raw="exactly\r\n this ")
    assert text_calls.render_message(message) == "exactly\r\n this "
    thinker = AssistantMessage("x", "hm", raw="hm\n</think>\n\nx")
    assert text_calls.render_message(thinker) == "x"
