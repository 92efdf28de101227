"""The chat template: from messages to fragments of the template's own and slots for contents.

Owns the rendering and what a template's habits demand (no system role, strictly alternating
roles). Must not know tokens: each content travels around the template, never through it, so that
no text can imitate a control token and kept tokens can take a text's place.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.sandbox

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_BEGIN, _END = "QZSLOT", "ZQ"
_SLOT = re.compile(rf"{_BEGIN}(\d+){_END}")

Part = str | tuple[int, ...]
"""A piece of a content: text to be tokenised, or the tokens it was sampled as."""


class TemplateError(Exception):
    """The template does not render what every chat needs."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as templates know it."""

    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """Text of the template itself, in which control tokens count."""

    text: str


Piece = Fragment | Part


class ChatTemplate:
    """One model's way of writing a chat down."""

    def __init__(self, source: str, bos: str = "", eos: str = "") -> None:
        """Compile and try the template.

        Raises:
            TemplateError: It cannot be compiled or loses messages.
        """
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _tojson
        # One date for the life of the process: a date that moves would void the prompt cache.
        today = datetime.datetime.now()
        environment.globals["strftime_now"] = today.strftime
        environment.globals["raise_exception"] = _raise
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise TemplateError(f"the chat template does not compile: {error}") from error
        self._variables = {"bos_token": bos, "eos_token": eos}
        self._folds_system = False
        self._folds_system = not self._keeps(["system", "user", "assistant", "user"])
        self._alternates = not self._keeps(["user", "user"])
        if not self._keeps(["user", "assistant", "user"]):
            raise TemplateError("the chat template loses messages")
        self._promptings: dict[tuple[str, ...], str] = {}
        self.opens_thought = self._prompting(("user",)).rstrip().endswith("<think>")
        """Whether an answer begins inside `<think>` without saying so."""

    def pieces(self, turns: Sequence[Turn]) -> list[Piece]:
        """The prompt for the next answer.

        What this gives for a history is the beginning of what it gives for a longer one: the
        text before an assistant's content is always the text it was generated after.
        """
        turns = self._fitted(turns)
        roles = tuple(turn.role for turn in turns)
        text = self._text(roles, generate=True)
        found = _SLOT.split(text)
        if [int(number) for number in found[1::2]] != list(range(len(turns))):
            raise TemplateError("the chat template reorders or drops messages")
        pieces: list[Piece] = []
        for index, fragment in enumerate(found[0::2]):
            if 0 < index < len(turns) and roles[index] == "assistant":
                # What a template writes before a past answer is not always what it was asked with.
                fragment = self._prompting(roles[:index])
            pieces.append(Fragment(fragment))
            if index < len(turns):
                pieces.extend(turns[index].parts)
        return pieces

    def _fitted(self, turns: Sequence[Turn]) -> list[Turn]:
        fitted: list[Turn] = []
        for turn in turns:
            role = "user" if turn.role == "system" and self._folds_system else turn.role
            merges = self._alternates or (self._folds_system and len(fitted) == 1)
            if fitted and merges and fitted[-1].role == role:
                fitted[-1] = Turn(role, (*fitted[-1].parts, "\n\n", *turn.parts))
            else:
                fitted.append(Turn(role, turn.parts))
        return fitted

    def _prompting(self, roles: tuple[str, ...]) -> str:
        """What follows the last content when an answer to a chat of these roles is asked for."""
        found = self._promptings.get(roles)
        if found is None:
            text = self._text(roles, generate=True)
            found = self._promptings[roles] = text[text.rindex(_END) + len(_END) :]
        return found

    def _keeps(self, roles: list[str]) -> bool:
        """Whether a chat of these roles is rendered whole and only grows with each message."""
        try:
            texts = [self._text(roles[:size], generate=False) for size in range(2, len(roles) + 1)]
        except TemplateError:
            return False
        orders = [[int(number) for number in _SLOT.findall(text)] for text in texts]
        if any(order != list(range(len(order))) for order in orders):
            return False
        if len(orders[-1]) != len(roles):
            return False
        cuts = [text[: text.rindex(_END)] for text in texts]
        return all(later.startswith(earlier) for earlier, later in itertools.pairwise(cuts))

    def _text(self, roles: Sequence[str], *, generate: bool) -> str:
        chat = [
            {"role": role, "content": f"{_BEGIN}{index}{_END}"} for index, role in enumerate(roles)
        ]
        try:
            return self._template.render(
                messages=chat, add_generation_prompt=generate, **self._variables
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise TemplateError(f"the chat template failed: {error}") from error


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:  # noqa: ANN401 - a filter
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> str:
    raise jinja2.TemplateError(message)
