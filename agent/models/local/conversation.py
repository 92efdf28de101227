"""From a request to an answer: the prompt as exact tokens, what of it is new, the writing.

Owns the token history. Must not know pipes or processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from agent.models import text_calls
from agent.models.base import (
    Answer,
    Form,
    Infill,
    ModelEvent,
    Reading,
    Request,
    StopReason,
    TextDelta,
    Usage,
)
from agent.models.local.answer import write_form, write_free
from agent.models.local.cores import physical_cores
from agent.models.local.driver import Aborted, Driver, shared
from agent.models.local.infill import Infiller
from agent.models.local.protocol import Load
from agent.models.local.structure import Grammar, StructureError
from agent.models.local.template import CHATML, ChatTemplate, Fragment, Part, TemplateError, Turn
from agent.models.local.writer import Full, Stopped, Writer
from tools.base import ToolSpec

Emit = Callable[[ModelEvent], None]

LEAST_ANSWER = 256
"""Tokens an answer must have room for, unless it is to be shorter."""
_CACHED_TEXTS = 4096


class Overflow(Exception):
    """Prompt and answer do not fit the window."""


class Conversation:
    """A loaded model that answers requests, keeping what they have in common in its cache."""

    def __init__(self, load: Load, progress: Callable[[float], object] = float) -> None:
        """Load the weights, telling of progress from 0 to 1.

        Raises:
            LoadFailed: The file or the memory does not allow it.
        """
        self.driver = Driver(
            load.path,
            context=load.context,
            gpu_layers=load.gpu_layers,
            kv_type=load.kv_type,
            threads=load.threads or physical_cores(),
            progress=progress,
            aside=load.infills,
        )
        self._name = load.name
        self._template, self.template_source = self._chat_template()
        self._seen: list[int] = []
        """What the last request and its answer came to, as far as it was evaluated."""
        self._texts: dict[tuple[str, bool], list[int]] = {}
        self._grammar: Grammar | None = None
        # 2 s of reading the vocabulary, while the first prompt is evaluated.
        self._making = threading.Thread(target=self._make_grammar, daemon=True)
        self._making.start()

    def count(self, text: str) -> int:
        return len(self.driver.tokenize(text, special=False))

    def answer(self, request: Request, before: Sequence[Message], emit: Emit) -> Answer:
        """Answer one request, telling of it meanwhile.

        Raises:
            Overflow: The prompt leaves no room for an answer in the window.
            DecodeFailed: llama.cpp reports an error.
        """
        if request.infill is not None:
            return self._infilled(request.infill, request.max_tokens, emit)
        started = time.monotonic()
        driver = self.driver
        prompt = self.prompt(request.messages, request.tools)
        room = driver.n_context - len(prompt)
        if room < min(request.max_tokens, LEAST_ANSWER):
            raise Overflow(
                f"the prompt's {len(prompt)} tokens leave no room for an answer in the window of "
                f"{driver.n_context}"
            )
        request = replace(request, max_tokens=min(request.max_tokens, room))
        if before and not self._seen:
            self._seen = self.prompt(before, request.tools)
        new = len(prompt) - shared(self._seen, prompt)
        reused = driver.keep(prompt)
        todo = prompt[reused:]
        writer = Writer(
            driver,
            request.sampling,
            emit,
            limit=request.max_tokens,
            stops=request.stop,
            thinking=self._template.opens_thought,
        )
        stop = StopReason.END
        emit(Reading(0, len(todo)))
        read_at = time.monotonic()
        try:
            driver.evaluate(todo, lambda done: emit(Reading(done, len(todo))))
            read_at = time.monotonic()
            self._write(writer, request)
        except Aborted:
            stop = StopReason.CANCELLED
        except Full:
            stop = StopReason.LENGTH
        except Stopped:
            pass
        finally:
            writer.close()
        ended = time.monotonic()
        if stop is StopReason.CANCELLED and not writer.output:
            read_at = ended
        evaluated = min(len(driver.held), len(prompt)) - reused
        self._seen = prompt + writer.output
        del self._seen[len(driver.held) :]
        usage = Usage(
            prompt=reused + evaluated,
            reused=reused,
            evaluated=evaluated,
            new=new,
            output=len(writer.output),
            sampled=writer.sampled,
            prompt_seconds=read_at - started,
            output_seconds=ended - read_at,
        )
        return Answer(self._message(writer, request), usage, stop)

    def _infilled(self, wanted: Infill, room: int, emit: Emit) -> Answer:
        """Other texts for gaps; none if the vocabulary has no gaps.

        Raises:
            DecodeFailed: llama.cpp reports an error.
        """
        started = time.monotonic()
        marks = self.driver.infill_tokens()
        if marks is None:
            return Answer(AssistantMessage("", model=self._name), Usage(), StopReason.END)
        filler = Infiller(self.driver, marks, wanted, room, lambda *read: emit(Reading(*read)))
        calls: list[ToolCall] = []
        told = ""
        stop = StopReason.END
        try:
            with self.driver.aside():
                for call, difference in filler.calls():
                    difference = difference if told else f"```diff\n{difference}"
                    calls.append(call)
                    told += difference
                    emit(TextDelta(difference))
        except Aborted:
            calls.clear()
            stop = StopReason.CANCELLED
        if told:  # nothing is to be seen of what is only rated
            told += "```"
            emit(TextDelta("```"))
        message = AssistantMessage(told, calls=tuple(calls), raw=told, model=self._name)
        return Answer(message, filler.usage(time.monotonic() - started), stop)

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[int]:
        """The exact tokens of a history, up to where the next answer begins."""
        turns = [self._turn(message, tools) for message in messages]
        if tools:
            guide = text_calls.describe(tools)
            if turns and turns[0].role == "system":
                turns[0] = Turn("system", (*turns[0].parts, f"\n\n{guide}"))
            else:
                turns.insert(0, Turn("system", (guide,)))
        tokens: list[int] = []
        for piece in self._template.pieces(turns):
            match piece:
                case Fragment():
                    tokens += self._tokens(piece.text, special=True)
                case str():
                    tokens += self._tokens(piece, special=False)
                case _:
                    tokens += piece
        bos = self.driver.bos()
        return [bos, *tokens] if bos is not None and tokens[:1] != [bos] else tokens

    def _write(self, writer: Writer, request: Request) -> None:
        if request.form is None or not request.form.calls:
            write_free(writer)
            return
        budget = max(request.form.max_thought, request.max_tokens // 2)
        try:
            write_form(writer, request.form, self._ready_grammar, budget)
        except StructureError:
            # Without the form the tolerant reader still takes what the model knows by itself.
            write_free(writer)

    def _message(self, writer: Writer, request: Request) -> AssistantMessage:
        found = text_calls.read(
            writer.text,
            request.tools or _specs(request.form),
            thinking=self._template.opens_thought,
        )
        return AssistantMessage(
            text=found.text,
            reasoning=found.reasoning,
            calls=found.calls,
            malformed=found.malformed,
            raw=writer.text,
            tokens=tuple(writer.output),
            model=self._name,
        )

    def _turn(self, message: Message, tools: Sequence[ToolSpec]) -> Turn:
        parts: tuple[Part, ...]
        match message:
            case SystemMessage():
                return Turn("system", (message.text,))
            case UserMessage():
                return Turn("user", (message.text,))
            case ToolMessage():
                return Turn("user", (text_calls.render_results(message),))
            case AssistantMessage():
                own = message.tokens and message.model == self._name
                parts = (message.tokens,) if own else (text_calls.render_message(message, tools),)
                return Turn("assistant", parts)

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        found = self._texts.get((text, special))
        if found is None:
            if len(self._texts) >= _CACHED_TEXTS:
                self._texts.clear()
            found = self._texts[text, special] = self.driver.tokenize(text, special=special)
        return found

    def _chat_template(self) -> tuple[ChatTemplate, str]:
        source = self.driver.chat_template()
        bos, eos = self.driver.special_text()
        if source:
            try:
                return ChatTemplate(source, bos, eos), "model"
            except TemplateError:
                pass
        return ChatTemplate(CHATML, bos, eos), "chatml"

    def _make_grammar(self) -> None:
        self._grammar = Grammar(self.driver.vocab, self.driver.ends)

    def _ready_grammar(self) -> Grammar:
        self._making.join()
        if self._grammar is None:
            raise StructureError("the grammar's tokenizer could not be made")
        return self._grammar


def _specs(form: Form | None) -> tuple[ToolSpec, ...]:
    """What the reader must know of tools that only a form names."""
    if form is None:
        return ()
    bodies: dict[str, list[str]] = {}
    for name, more in ((call.tool, call.bodies) for call in form.calls):
        known = bodies.setdefault(name, [])
        known += [body for body in more if body not in known]
    return tuple(ToolSpec(name, "", {}, tuple(names)) for name, names in bodies.items())
