"""A model that plays a file of steps: for tests, demonstrations and known patches.

Owns the format of such a file. Must not know what the steps are for.

The file is TOML. Each `[[step]]` is one answer, given in order whatever is asked:

    steering = "free"            # optional; or "guided"
    edit_format = "symbol"       # optional; which edit tools are offered
    price_as = "claude-sonnet-5-5"   # optional: its tokens cost what this model's do
    infills = true               # optional: it is asked to fill gaps, with calls of `infill`

    [[step]]
    reasoning = "…"              # optional
    text = "The divisor is off by one."
    delay = 0.5                  # optional: seconds before the answer begins

    [[step.call]]                # any number
    tool = "replace_symbol"
    path = "stats.py"            # every other key is an argument of the tool
    symbol = "mean"
    code = '''
    def mean(values):
        return sum(values) / len(values)
    '''
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import InputError, ModelError
from agent.messages import AssistantMessage, Message, ToolCall
from agent.models.base import (
    Answer,
    EditFormat,
    ModelEvent,
    ModelSpec,
    ReasoningDelta,
    Request,
    Steering,
    StopReason,
    Tariff,
    TextDelta,
    Usage,
)
from tools.base import Cancel

CHARACTERS_PER_TOKEN = 4
"""A script has no tokenizer; its figures are estimates."""


class _Call(BaseModel):
    model_config = ConfigDict(extra="allow")
    tool: str

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = ""
    reasoning: str = ""
    delay: float = Field(0.0, ge=0)
    call: list[_Call] = []


class _Script(BaseModel):
    model_config = ConfigDict(extra="forbid")
    steering: Steering = Steering.FREE
    edit_format: EditFormat = EditFormat.SYMBOL
    context: int = Field(32_768, gt=0)
    price_as: str = ""
    infills: bool = False
    step: list[_Step] = []


class ScriptedModel:
    """Plays a script. Implements `agent.models.base.Model`."""

    def __init__(self, script: _Script, name: str) -> None:
        self._steps = script.step
        self._position = 0
        self._known: tuple[Message, ...] = ()
        """What it was asked and said last, which a cache would hold."""
        self._spec = ModelSpec(
            name=name,
            context=script.context,
            steering=script.steering,
            edit_format=script.edit_format,
            infills=script.infills,
            tariff=Tariff(script.price_as) if script.price_as else None,
        )

    @classmethod
    def load(cls, path: Path) -> ScriptedModel:
        """Read a script.

        Raises:
            InputError: The file cannot be read or is no script; names the line or the key.
        """
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls(_Script.model_validate(data), f"scripted:{path.name}")
        except OSError as error:
            raise InputError(f"The script {path} cannot be read: {error.strerror}.") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"The script {path} cannot be read: {error}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"The script {path} is wrong at {where}: {first['msg']}.") from error

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def count(self, text: str) -> int:
        return -(-len(text) // CHARACTERS_PER_TOKEN)

    def stream(self, request: Request, cancel: Cancel) -> Iterator[ModelEvent]:
        """Play the next step.

        Raises:
            ModelError: The script has no more steps.
        """
        if self._position >= len(self._steps):
            raise ModelError(f"{self._spec.name} has no step {self._position + 1}.")
        step = self._steps[self._position]
        until = time.monotonic() + step.delay
        while time.monotonic() < until and not cancel.is_set():
            time.sleep(min(0.02, step.delay))
        if cancel.is_set():
            stopped = AssistantMessage(text="", model=self._spec.name)
            yield Answer(stopped, Usage(), StopReason.CANCELLED)
            return
        self._position += 1
        if step.reasoning:
            yield ReasoningDelta(step.reasoning)
        if step.text:
            yield TextDelta(step.text)
        calls = tuple(
            ToolCall(f"script_{self._position}_{index}", call.tool, call.arguments)
            for index, call in enumerate(step.call, start=1)
        )
        message = AssistantMessage(step.text, step.reasoning, calls, model=self._spec.name)
        asked = tuple(request.messages)
        prompt = self.count("".join(map(repr, (*request.tools, *asked))))
        output = self.count(step.text + step.reasoning + "".join(map(repr, calls)))
        pairs = enumerate(zip(self._known, asked, strict=False))
        held = next((at for at, (one, other) in pairs if one != other), len(self._known))
        same = self.count("".join(map(repr, (*request.tools, *asked[:held])))) if held else 0
        usage = Usage(prompt, same, prompt - same, prompt - same, output, output)
        self._known = (*asked, message)
        yield Answer(message, usage, StopReason.END)

    def close(self) -> None:
        """Nothing is held."""
