"""Tool calls in the formats that model families were trained on, read tolerantly.

Owns the reading of Qwen's and Hermes' JSON in tags, bare and fenced JSON, Qwen3-Coder's XML,
Mistral's and DeepSeek's markers. Must not write any of them, nor know our own format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.models.text_calls import Found
from tools.base import ToolSpec

_TAGGED = re.compile(r"<(tool_call|tools|function_call)>\s*(.*?)\s*(?:</\1>|\Z)", re.DOTALL)
_XML = re.compile(
    r"(?:<tool_call>\s*)?<function=([\w.-]+)>(.*?)(</function>|\Z)(?:\s*</tool_call>)?", re.DOTALL
)
_PARAMETER = re.compile(
    r"<parameter=([\w.-]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL
)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(?:([\w.-]+)\s*(?:\[CALL_ID\]\w+)?\s*\[ARGS\])?\s*")
_DEEPSEEK = re.compile(
    r"<\uff5ctool▁call▁begin\uff5c>(?:function<\uff5ctool▁sep\uff5c>)?([\w.-]+)(?:<\uff5ctool▁sep\uff5c>)?\s*"
    r"(?:```json)?\s*(.*?)\s*(?:```)?\s*(?:<\uff5ctool▁call▁end\uff5c>|\Z)",
    re.DOTALL,
)
_DEEPSEEK_FRAME = re.compile(r"<\uff5ctool▁calls▁(?:begin|end)\uff5c>\s*")
_FENCED = re.compile(r"^```(?:json|tool_call|tool_code)?[ \t]*\n(.*?)\n?```[ \t]*$", re.M | re.S)
_BARE = re.compile(r"^[ \t]*(?=[\[{]\s*[\[{\"])", re.MULTILINE)
_BEGUN = re.compile(r"""\[?\s*{\s*"name"\s*:\s*"([\w.-]+)\"""")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")

_CUT = "a call of {} was cut short or is not valid JSON; it was not run"


def find(said: str, known: Mapping[str, ToolSpec]) -> list[Found]:
    """Every call that can be told from text, in the first of the formats that occurs.

    JSON outside a call's tags only counts when it names a known tool.
    """
    for reader in (_xml, _tagged, _mistral, _deepseek, _loose):
        found = list(reader(said, known))
        if found:
            return found
    return []


def _xml(said: str, known: Mapping[str, ToolSpec]) -> Iterator[Found]:
    for match in _XML.finditer(said):
        if not match[3]:
            yield Found(match.start(), match.end(), problem=_CUT.format(match[1]))
            continue
        arguments = dict(_PARAMETER.findall(match[2]))
        yield Found(match.start(), match.end(), match[1], arguments)


def _tagged(said: str, known: Mapping[str, ToolSpec]) -> Iterator[Found]:
    for match in _TAGGED.finditer(said):
        values = list(_values(match[2]))
        yield from _found(match.start(), match.end(), values, known, tagged=True)


def _mistral(said: str, known: Mapping[str, ToolSpec]) -> Iterator[Found]:
    for match in _MISTRAL.finditer(said):
        value, size = _first(said[match.end() :])
        end = match.end() + size
        if match[1]:
            if isinstance(value, dict):
                yield Found(match.start(), end, match[1], value)
            else:
                yield Found(match.start(), len(said), problem=_CUT.format(match[1]))
            continue
        values = value if isinstance(value, list) else [value]
        yield from _found(match.start(), end if size else len(said), values, known, tagged=True)


def _deepseek(said: str, known: Mapping[str, ToolSpec]) -> Iterator[Found]:
    for match in _DEEPSEEK.finditer(said):
        value, _ = _first(match[2])
        start, end = match.span()
        for frame in _DEEPSEEK_FRAME.finditer(said):
            start = frame.start() if frame.end() == start else start
            end = frame.end() if frame.start() == end else end
        if isinstance(value, dict):
            yield Found(start, end, match[1], value)
        else:
            yield Found(start, end, problem=_CUT.format(match[1]))


def _loose(said: str, known: Mapping[str, ToolSpec]) -> Iterator[Found]:
    """JSON that no tag announces: fenced, or on lines of its own."""
    at = 0
    while True:
        fenced, bare = _FENCED.search(said, at), _BARE.search(said, at)
        if fenced and (bare is None or fenced.start() <= bare.start()):
            yield from _found(*fenced.span(), list(_values(fenced[1])), known, tagged=False)
            at = fenced.end()
        elif bare:
            value, size = _first(said[bare.end() :])
            at = bare.end() + max(size, 1)
            begun = _BEGUN.match(said, bare.end())
            if not size and begun and begun[1] in known:
                yield Found(bare.start(), len(said), problem=_CUT.format(begun[1]))
                return
            values = value if isinstance(value, list) else [value]
            yield from _found(bare.start(), at, values, known, tagged=False)
        else:
            return


def _found(
    start: int, end: int, values: list[Any], known: Mapping[str, ToolSpec], *, tagged: bool
) -> Iterator[Found]:
    """Calls out of JSON values that stand in one place of the text."""
    for value in values or [None]:
        call = _call(value)
        if call is not None and (tagged or call[0] in known):
            yield Found(start, end, *call)
        elif tagged:
            yield Found(start, end, problem=_CUT.format("a tool"))
        else:
            continue
        # The next one stands in the same place: the text is taken out once.
        start = end


def _call(value: object) -> tuple[str, dict[str, Any]] | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = value.get("name") or value.get("tool") or inner
    arguments = value.get("arguments", value.get("parameters", value.get("args", {})))
    if isinstance(arguments, str):
        arguments, _ = _first(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return name, arguments


def _values(text: str) -> Iterator[Any]:
    """JSON values that follow each other; a list counts as its items."""
    while text.strip():
        value, size = _first(text)
        if not size:
            yield None
            return
        yield from value if isinstance(value, list) else [value]
        text = text[size:].lstrip(" \t\r\n,")


def _first(text: str) -> tuple[Any, int]:
    """The JSON value at the beginning, mended if need be, and its length; length 0 for none.

    Line breaks within strings are taken as meant, and commas before a closing bracket dropped.
    """
    bare = text.lstrip()
    skipped = len(text) - len(bare)
    decoder = json.JSONDecoder(strict=False)
    try:
        value, size = decoder.raw_decode(bare)
        return value, skipped + size
    except (ValueError, RecursionError):
        pass
    extent = _extent(bare)
    try:
        return decoder.decode(_without_commas(bare[:extent])), skipped + extent
    except (ValueError, RecursionError):
        return None, 0


def _extent(text: str) -> int:
    """Where the brackets opened at the beginning are all closed; 0 if they never are."""
    depth, quoted, escaped = 0, False, False
    for at, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = letter == "\\"
            quoted = letter != '"'
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
            if depth <= 0:
                return at + 1
    return 0


def _without_commas(text: str) -> str:
    """The text with commas before closing brackets removed, strings untouched."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text, flags=re.DOTALL)
    return "".join(
        part if index % 2 else _TRAILING_COMMA.sub(r"\1", part) for index, part in enumerate(parts)
    )
