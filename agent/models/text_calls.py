"""Tool calls as text: how they are described to a model, written, and read back.

Owns the format. One call is a header line, one fenced block for each body, and a closing line:

    <call tool="replace_symbol" path="..." symbol="...">
    ```python
    ...
    ```
    </call>

Bodies are raw text between fences, never escaped; what a fence cannot hold lengthens it. Must
not know who generates the text. Other families' formats are read by `foreign_calls`.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.messages import AssistantMessage, ToolCall, ToolMessage
from tools.base import ToolSpec

CLOSE = "</call>"
OPEN = "<call"

_ATTRIBUTE = re.compile(r"""\s*([\w-]+)\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)')""")
_HEADER = re.compile(r"""<call((?:\s*[\w-]+\s*=\s*(?:"[^"\n]*"|'[^'\n]*'))*)\s*(/?)>""")
_ENTITY = re.compile(r"&(quot|#10|#13|amp);")
_MEANING = {"quot": '"', "#10": "\n", "#13": "\r", "amp": "&"}
_FENCE = re.compile(r"^(`{3,})([^`\n]*)$")
_NESTING = (".md", ".markdown", ".mdx", ".rst", ".txt")
"""Endings of files that often hold fences themselves."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model's text was found to say."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    malformed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One attempt at a call: its place in the text, and the call or what is wrong with it."""

    start: int
    end: int
    name: str = ""
    arguments: Mapping[str, Any] | None = None
    problem: str = ""


# --- writing


def describe(tools: Sequence[ToolSpec]) -> str:
    """The part of a system message that explains the format and lists the tools."""
    lines = [
        "To use a tool, write a call in exactly this form:",
        '<call tool="NAME" ARGUMENT="VALUE">',
        "```",
        "the body, only for a tool that has one",
        "```",
        CLOSE,
        "Values stand in double quotes on the first line. A body is written as it is, between "
        "fences; of two bodies each fence is labelled with its name. After your calls stop: "
        "the results come next.",
        "The tools (? marks what may be left out):",
    ]
    for tool in tools:
        names = ", ".join(
            name if name in tool.required else f"{name}?"
            for name in tool.parameters
            if name not in tool.bodies
        )
        bodies = f", body {' and '.join(tool.bodies)}" if tool.bodies else ""
        lines.append(f"{tool.name}({names}){bodies}: {tool.description}")
    return "\n".join(lines)


def render_call(call: ToolCall, bodies: Sequence[str] = (), language: str = "") -> str:
    """One call as a model would write it.

    Arguments with line breaks become bodies even where `bodies` does not name them.
    """
    blocks = [name for name in bodies if name in call.arguments]
    blocks += [
        name
        for name, value in call.arguments.items()
        if name not in blocks and isinstance(value, str) and "\n" in value
    ]
    header = [("tool", call.name)]
    header += [(name, spell(value)) for name, value in call.arguments.items() if name not in blocks]
    lines = [render_header(header)]
    for name in blocks:
        body = str(call.arguments[name])
        mark = fence(header, body)
        label = language if [name] == list(bodies) else name
        lines += [f"{mark}{label}", *([body] if body else []), mark]
    return "\n".join([*lines, CLOSE])


def render_header(attributes: Sequence[tuple[str, str]]) -> str:
    return OPEN + "".join(f' {name}="{escape(value)}"' for name, value in attributes) + ">"


def render_message(message: AssistantMessage, tools: Sequence[ToolSpec] = ()) -> str:
    """An answer that was not written as text, as a text-format model would have written it."""
    if message.raw:
        thought = bool(message.reasoning)
        return split_thought(message.raw, thinking=True)[1].lstrip() if thought else message.raw
    bodies = {tool.name: tool.bodies for tool in tools}
    calls = [render_call(call, bodies.get(call.name, ())) for call in message.calls]
    return "\n".join([*([message.text] if message.text else []), *calls])


def render_results(message: ToolMessage) -> str:
    """The results of calls, as the text of a user's turn."""
    return "\n".join(
        f'<result tool="{result.name}"{"" if result.ok else " failed"}>\n{result.output}\n</result>'
        for result in message.results
    )


def fence(header: Sequence[tuple[str, str]], body: str = "") -> str:
    """The fence for a body: longer than any it holds or, by the file's ending, may hold."""
    longest = max((len(run) for run in re.findall(r"^`{3,}", body, re.MULTILINE)), default=2)
    nests = any(value.lower().endswith(_NESTING) for _, value in header)
    return "`" * max(longest + 1, 4 if nests else 3)


def spell(value: object) -> str:
    """A value as the text of an attribute."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return shlex.join(value)
    return json.dumps(value, ensure_ascii=False)


def escape(value: str) -> str:
    value = _ENTITY.sub(lambda match: f"&amp;{match[0][1:]}", value)
    return value.replace('"', "&quot;").replace("\n", "&#10;").replace("\r", "&#13;")


# --- reading


def read(raw: str, tools: Sequence[ToolSpec] = (), *, thinking: bool = False) -> Reading:
    """Take a model's text apart, whichever format its calls are in.

    Args:
        raw: All that the model wrote.
        tools: What it was offered; the known names and the types of their arguments.
        thinking: The text begins inside a thought that the prompt opened.
    """
    reasoning, said = split_thought(raw, thinking=thinking)
    known = {tool.name: tool for tool in tools}
    found = own_calls(said, known)
    if not found:
        from agent.models import foreign_calls  # it builds on this module

        found = foreign_calls.find(said, known)
    calls, malformed, rest, at = [], [], [], 0
    for item in found:
        rest.append(said[at : item.start])
        at = item.end
        if item.arguments is None:
            malformed.append(item.problem)
            continue
        arguments = typed(item.arguments, known.get(item.name))
        calls.append(ToolCall(f"call_{uuid.uuid4().hex[:8]}", item.name, arguments))
    rest.append(said[at:])
    text = "\n".join(part.strip() for part in rest if part.strip())
    return Reading(text, reasoning, tuple(calls), tuple(malformed))


def split_thought(raw: str, *, thinking: bool = False) -> tuple[str, str]:
    """The reasoning before an answer, and the answer."""
    start = raw.lstrip()
    opened = start.startswith("<think>")
    body = start.removeprefix("<think>") if opened else raw
    thought, closed, said = body.partition("</think>")
    if closed and (opened or thinking or "<think>" not in thought):
        return thought.strip(), said
    return (body.strip(), "") if opened or thinking else ("", raw)


def attributes(line: str) -> tuple[tuple[str, str], ...] | None:
    """The attributes of a header line, in their order; None if it is not one."""
    match = _HEADER.match(line)
    if match is None:
        return None
    return tuple(
        (name, unescape(double if double or not single else single))
        for name, double, single in _ATTRIBUTE.findall(match[1])
    )


def unescape(value: str) -> str:
    return _ENTITY.sub(lambda match: _MEANING[match[1]], value)


def own_calls(said: str, known: Mapping[str, ToolSpec]) -> list[Found]:
    """Every call in our own format, finished or not, outside other calls' bodies."""
    found: list[Found] = []
    at = 0
    while match := _HEADER.search(said, at):
        values = dict(attributes(match[0]) or ())
        name = values.pop("tool", None) or values.pop("name", "")
        blocks: list[tuple[str, str]] = []
        if match[2]:
            end = match.end()
        else:
            closing = _blocks(said, match.end(), len(_bodies(known.get(name), values)))
            if closing is None:
                problem = f"the call of {name or 'a tool'} was cut short; it was not run"
                found.append(Found(match.start(), len(said), problem=problem))
                break
            end, blocks = closing
        found.append(_assembled(match.start(), end, name, values, blocks, known.get(name)))
        at = end
    cut = re.compile(r"<call\b[^>\n]*\Z").search(said, at)
    if cut and not (found and found[-1].end == len(said)):
        problem = "a call was cut short in its first line; it was not run"
        found.append(Found(cut.start(), len(said), problem=problem))
    return found


def _assembled(
    start: int,
    end: int,
    name: str,
    values: Mapping[str, str],
    blocks: list[tuple[str, str]],
    spec: ToolSpec | None,
) -> Found:
    if not name:
        return Found(start, end, problem=f'{OPEN} without tool="..."; it was not run')
    arguments: dict[str, Any] = dict(values)
    free = list(_bodies(spec, values))
    for label, body in blocks:
        if label in free:
            arguments[label] = body
            free.remove(label)
        elif spec is not None and label in spec.parameters and label not in arguments:
            arguments[label] = body
        elif free:
            arguments[free.pop(0)] = body
        elif spec is None:
            arguments[label or "body"] = body
        elif body.strip():
            return Found(start, end, problem=f"{name} takes no further body; it was not run")
    return Found(start, end, name, arguments)


def _bodies(spec: ToolSpec | None, values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in spec.bodies if name not in values) if spec else ()


def _blocks(said: str, at: int, wanted: int) -> tuple[int, list[tuple[str, str]]] | None:
    """The labelled blocks up to the closing line, and where that ends; None if it never comes."""
    inline = re.compile(rf"\s*{CLOSE}").match(said, at)
    if inline:
        return inline.end(), []
    blocks: list[tuple[str, str]] = []
    at = said.find("\n", at) + 1
    if at == 0:
        return None
    loose: list[str] = []
    while at < len(said):
        line, after = _line(said, at)
        opening = _FENCE.match(line.strip())
        if line.strip().startswith(CLOSE):
            if not blocks and wanted == 1 and any(part.strip() for part in loose):
                blocks.append(("", "\n".join(loose)))
            return at + line.index(CLOSE) + len(CLOSE), blocks
        if opening:
            block = _block(said, after, opening[1])
            if block is None:
                return None
            at, body = block
            blocks.append((opening[2].strip(), body))
            continue
        loose.append(line)
        if blocks and line.strip():
            # The closing line was forgotten: the call ends with its last block.
            return (at - 1, blocks) if wanted and len(blocks) >= wanted else None
        at = after
    return (len(said), blocks) if blocks and len(blocks) >= max(wanted, 1) else None


def _block(said: str, at: int, mark: str) -> tuple[int, str] | None:
    """The text up to its closing fence, and the place after that.

    The fence that counts is one after which the call goes on as it must; failing that the first.
    """
    start, first = at, None
    while at <= len(said):
        line, after = _line(said, at)
        if line.rstrip() == mark:
            closing = (after, _whole(said[start : at - 1]) if at > start else "")
            following = said[after:].lstrip("\n ")
            if not following or following.startswith((CLOSE, "```")):
                return closing
            first = first or closing
        if after > len(said) or after == at:
            break
        at = after
    return first


def _whole(body: str) -> str:
    """A body without the beginning of a closing tag that a model put before the fence."""
    head, newline, last = body.rpartition("\n")
    begun = last.startswith("</") and last != CLOSE and CLOSE.startswith(last)
    return head if newline and begun else body


def _line(said: str, at: int) -> tuple[str, int]:
    end = said.find("\n", at)
    return (said[at:], len(said)) if end < 0 else (said[at:end], end + 1)


# --- types


def typed(arguments: Mapping[str, Any], spec: ToolSpec | None) -> dict[str, Any]:
    """Attribute texts as the values that the tool's schema wants, where they can be.

    What cannot be converted stays text: the tool's own validation explains it to the model.
    """
    if spec is None:
        return dict(arguments)
    properties = spec.schema.get("properties", {})
    return {
        name: _typed(value, properties.get(name, {})) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _typed(text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    kinds = {schema.get("type"), *(option.get("type") for option in schema.get("anyOf", ()))}
    if "string" in kinds or kinds == {None}:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "array" in kinds and not isinstance(value, list):
        try:
            return shlex.split(text)
        except ValueError:
            return text
    return value
