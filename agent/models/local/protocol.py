"""The frames between a session and its model's process: their values and their bytes.

Owns the wire format: four bytes of length, then JSON in UTF-8 whose dataclasses are tagged by
name. Must not know what either side does with a frame; nothing but the classes listed here can
be made from bytes that arrive.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import IO, Any

from agent import messages
from agent.models import base
from tools.base import ToolSpec

LONGEST = 256 * 2**20
"""Bytes of one frame; more is garbage, not a message."""

_NO_MEMORY = ("failed to allocate", "unable to allocate", "out of memory", "bad_alloc")

_LENGTH = struct.Struct(">I")


class FrameError(Exception):
    """What arrived is not a frame."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load the weights; the first frame of all."""

    path: str
    name: str
    """The name that answers are signed with; kept tokens are only used under the same name."""
    context: int
    gpu_layers: int
    kv_type: str
    threads: int
    """0: as many as there are physical cores for this process."""
    infills: bool = False
    """Whether it will be asked to fill gaps."""


@dataclass(frozen=True, slots=True)
class Ask:
    id: int
    request: base.Request
    before: tuple[messages.Message, ...] = ()
    """What the last request before a restart held, so that `new` tokens are still told apart."""


@dataclass(frozen=True, slots=True)
class Count:
    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Cancel:
    id: int


@dataclass(frozen=True, slots=True)
class Loading:
    """The weights are being read."""

    done: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class Loaded:
    context: int
    vocabulary: int
    description: str
    """llama.cpp's own line about architecture, size and quantisation."""
    template: str
    """Where the chat template came from: `model` or `chatml`."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that `Model.stream` yields."""

    id: int
    event: base.ModelEvent


@dataclass(frozen=True, slots=True)
class Counted:
    id: int
    tokens: int


class Fault(StrEnum):
    """Why a request failed, as far as the other side tells faults apart."""

    FILE = "file"
    MEMORY = "memory"
    OVERFLOW = "overflow"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failed:
    id: int
    """0 for loading."""
    fault: Fault
    message: str


ToWorker = Load | Ask | Count | Cancel
FromWorker = Loading | Loaded | Event | Counted | Failed
Frame = ToWorker | FromWorker

_CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        *(Load, Ask, Count, Cancel, Loading, Loaded, Event, Counted, Failed),
        *(base.Request, base.Sampling, base.Form, base.CallForm, base.Usage),
        *(base.Infill, base.Gap),
        *(base.Reading, base.TextDelta, base.ReasoningDelta, base.Answer),
        *(messages.SystemMessage, messages.UserMessage, messages.AssistantMessage),
        *(messages.ToolMessage, messages.ToolCall, messages.ToolOutput, ToolSpec),
    )
}
_ENUMS: dict[str, type[StrEnum]] = {cls.__name__: cls for cls in (Fault, base.StopReason)}


def out_of_memory(log: str) -> bool:
    """Whether llama.cpp's log tells of memory that could not be had."""
    return any(words in log.lower() for words in _NO_MEMORY)


def encode(frame: Frame) -> bytes:
    """The frame with its length, ready to be written."""
    body = json.dumps(_plain(frame), ensure_ascii=False, separators=(",", ":"))
    data = body.encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)) + data


def decode(body: bytes) -> Any:  # noqa: ANN401 - narrowed by the reader of each side
    """The value that `encode` was given, from the bytes after the length.

    Raises:
        FrameError: The bytes are not such a value.
    """
    try:
        return _value(json.loads(body.decode("utf-8", "surrogatepass")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FrameError(f"not a frame: {error}") from error


def read(stream: IO[bytes]) -> Any:  # noqa: ANN401 - as above
    """The next frame; None at the end of the stream.

    Raises:
        FrameError: The stream ended inside a frame, or holds something else.
    """
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise FrameError("the stream ended inside a frame")
    (length,) = _LENGTH.unpack(head)
    if length > LONGEST:
        raise FrameError(f"a frame of {length} bytes")
    body = stream.read(length)
    if len(body) < length:
        raise FrameError("the stream ended inside a frame")
    return decode(body)


def _plain(value: object) -> object:
    match value:
        case StrEnum():
            return {"#": type(value).__name__, "is": value.value}
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return {"#": "tuple", "of": [_plain(item) for item in value]}
        case list():
            return [_plain(item) for item in value]
        case dict():
            pairs = [[key, _plain(item)] for key, item in value.items()]
            return {"#": "dict", "of": pairs} if "#" in value else dict(pairs)
        case _ if is_dataclass(value):
            shape: dict[str, object] = {"#": type(value).__name__}
            for field in fields(value):
                shape[field.name] = _plain(getattr(value, field.name))
            return shape
    raise TypeError(f"{type(value).__name__} does not travel")


def _value(plain: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "#" not in plain:
        return {key: _value(item) for key, item in plain.items()}
    tag = plain["#"]
    if tag == "tuple":
        return tuple(_value(item) for item in plain["of"])
    if tag == "dict":
        return {key: _value(item) for key, item in plain["of"]}
    if tag in _ENUMS:
        return _ENUMS[tag](plain["is"])
    values = {key: _value(item) for key, item in plain.items() if key != "#"}
    return _CLASSES[tag](**values)
