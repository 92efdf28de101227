"""Frames: every value arrives as it was sent, and garbage is told from frames."""

from __future__ import annotations

import io
import struct

import pytest

from agent import messages
from agent.models import base
from agent.models.local import protocol
from tools.base import ToolSpec

CALL = messages.ToolCall("c1", "run", {"argv": ["a", "b"], "n": 1.5, "#": None, "deep": [{"#": 1}]})
REQUEST = base.Request(
    messages=(
        messages.SystemMessage("s"),
        messages.UserMessage("half a pair \ud800, a letter é, a face \U0001f600"),
        messages.AssistantMessage("t", "r", (CALL,), ("bad",), "raw\r\n", (1, 2, 3), "m"),
        messages.ToolMessage((messages.ToolOutput("c1", "run", "out", ok=False),)),
    ),
    tools=(ToolSpec("run", "Runs.", {"properties": {"argv": {"type": "array"}}}, ("body",)),),
    form=base.Form((base.CallForm("run", ((("path", "a"), ("x", None)),), ("body",), ("def",)),)),
    sampling=base.Sampling(temperature=0.7, seed=3),
    stop=("\n\n",),
    infill=base.Infill((base.Gap("def f():\n    ", "return 1", "\n"),), stop=("#",)),
)
FRAMES: tuple[protocol.Frame, ...] = (
    protocol.Load("/a b.gguf", "m", 4096, -1, "q8_0", 0),
    protocol.Ask(7, REQUEST, (messages.UserMessage("before"),)),
    protocol.Count(8, ""),
    protocol.Cancel(7),
    protocol.Loading(0.5),
    protocol.Loaded(4096, 49152, "llama 135M", "model", 0.5),
    protocol.Event(7, base.Reading(1, 2)),
    protocol.Event(7, base.ReasoningDelta("hm")),
    protocol.Event(
        7,
        base.Answer(
            messages.AssistantMessage("t"), base.Usage(prompt=3), base.StopReason.CANCELLED
        ),
    ),
    protocol.Counted(8, 0),
    protocol.Failed(7, protocol.Fault.OVERFLOW, "too long"),
)


def test_every_frame_arrives_as_it_was_sent() -> None:
    stream = io.BytesIO(b"".join(protocol.encode(frame) for frame in FRAMES))
    for frame in FRAMES:
        assert protocol.read(stream) == frame
    assert protocol.read(stream) is None


@pytest.mark.parametrize("size", [1, 3, 4, 5, 20])
def test_a_frame_cut_in_half_is_told_from_the_end_of_the_stream(size: int) -> None:
    whole = protocol.encode(FRAMES[1])
    with pytest.raises(protocol.FrameError, match="inside a frame"):
        protocol.read(io.BytesIO(whole[:size]))


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"\xff\xfe",
        b'{"#":"Popen","args":["ls"]}',
        b'{"#":"Cancel","id":1,"more":2}',
        b'{"#":"Fault","is":"other"}',
        b'{"#":"tuple"}',
        b"[" * 100_000,
    ],
)
def test_garbage_is_no_frame(body: bytes) -> None:
    with pytest.raises(protocol.FrameError):
        protocol.read(io.BytesIO(struct.pack(">I", len(body)) + body))


def test_text_instead_of_frames_does_not_ask_for_gigabytes() -> None:
    with pytest.raises(protocol.FrameError, match="bytes"):
        protocol.read(io.BytesIO(b"ggml_abort: assertion failed"))


def test_only_our_own_values_travel() -> None:
    with pytest.raises(TypeError):
        protocol.encode(protocol.Event(1, object()))  # type: ignore[arg-type]
