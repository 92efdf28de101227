"""A model that says what it is given and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.errors import ModelError
from agent.messages import AssistantMessage, Message, ToolCall
from agent.models import text_calls
from agent.models.base import Answer, ModelEvent, ModelSpec, Request, StopReason, TextDelta, Usage
from tools.base import Cancel


@dataclass
class Talker:
    """Answers in order; an error among the answers is raised instead.

    Its tokens are characters, and its cache holds what it was asked last.
    """

    spec: ModelSpec
    answers: list[AssistantMessage | ModelError]
    native: bool = True
    """Whether its calls are no text of its own."""
    requests: list[Request] = field(default_factory=list)
    closed: int = 0
    _held: tuple[str, ...] = ()

    def count(self, text: str) -> int:
        return len(text)

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, ModelError):
            raise answer
        if not self.native:
            raw = text_calls.render_message(answer)
            answer = replace(answer, raw=raw, tokens=tuple(map(ord, raw)))
        answer = replace(answer, model=self.spec.name)
        yield TextDelta(answer.text)
        asked = self.texts(request.messages)
        same = 0
        for one, other in zip(self._held, asked, strict=False):
            if one != other:
                break
            same += len(one)
        prompt = sum(map(len, asked))
        self._held = (*asked, *self.texts([answer]))
        output = len(self._held[-1])
        usage = Usage(prompt, same, prompt - same, prompt - same, output, output, 0.5, 0.1)
        yield Answer(answer, usage, StopReason.END)

    def texts(self, messages: Sequence[Message]) -> tuple[str, ...]:
        """The messages as it reads them: its own as it wrote them, others' as text."""
        return tuple(
            "".join(map(chr, message.tokens))
            if isinstance(message, AssistantMessage)
            and message.tokens
            and message.model == self.spec.name
            else repr(message)
            for message in messages
        )

    def close(self) -> None:
        self.closed += 1


def says(text: str = "", *calls: ToolCall) -> AssistantMessage:
    return AssistantMessage(text, calls=calls)


def read(path: str, number: int = 0) -> ToolCall:
    return ToolCall(f"read_{number}", "read_file", {"path": path})


def write(path: str, content: str, number: int = 0) -> ToolCall:
    return ToolCall(f"write_{number}", "write_file", {"path": path, "content": content})
