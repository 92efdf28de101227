"""From a Form to a matcher that holds a call's header to what exists.

Owns the grammar of headers and llguidance. Must not know how tokens are sampled; bodies are free
and none of its business.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

# isort: off
import llama_cpp.llama_cpp as lib  # before numpy, see driver
import llguidance
import llguidance.numpy
import numpy as np
# isort: on

from agent.models import text_calls
from agent.models.base import CallForm, Form
from agent.models.local import driver

Header = tuple[tuple[str, str | None], ...]

_FREE = r'[^"\n]*'
_SPECIAL = re.compile(r"([\\/.^$*+?()\[\]{}|&#~-])")


class StructureError(Exception):
    """llguidance refuses a grammar or a token; the answer goes on unconstrained."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A header that the model wrote, found again in the form."""

    form: CallForm
    index: int
    """Which of the form's headers."""


class Grammar:
    """Compiles headers for one vocabulary. Making it takes seconds: every token is read."""

    def __init__(self, vocab: int, ends: Collection[int]) -> None:
        buffer = ctypes.create_string_buffer(256)
        tokens = []
        for token in range(lib.llama_vocab_n_tokens(vocab)):
            piece = driver.piece(vocab, token, buffer)
            kind = lib.llama_vocab_get_attr(vocab, token)
            control = kind & driver.CONTROL
            marked = kind & driver.USER_DEFINED and piece[:1] == b"<" and piece[-1:] == b">"
            # llguidance's mark of a token that no text may be matched against.
            tokens.append(b"\xff" + piece if control or marked else piece)
        self._tokenizer = llguidance.LLTokenizer.from_llamacpp(  # type: ignore[attr-defined]
            tokens=tokens,
            vocab_ptr=vocab,
            tokenize_fptr=ctypes.cast(lib._lib.llama_tokenize, ctypes.c_void_p).value,
            eos_token=sorted(ends),
            slices=None,
        )
        self._mask = llguidance.numpy.allocate_token_bitmask(1, len(tokens))
        self._size = len(tokens)
        self._compiled: dict[tuple[Form, frozenset[Choice]], llguidance.LLMatcher] = {}

    def header(self, form: Form, used: frozenset[Choice], begun: str, *, optional: bool) -> Matcher:
        """A matcher for one header line, of which `begun` is written already.

        With `optional` the line may also not come: the end of the answer is allowed instead. The
        line then opens with its own newline.

        Raises:
            StructureError: The grammar is refused.
        """
        base = self._compiled.get((form, used))
        if base is None:
            base = self._compile(lark(form, used))
            if len(self._compiled) > 16:
                self._compiled.clear()
            self._compiled[form, used] = base
        matcher = Matcher(base.deep_copy(), self._mask, self._size)
        if not optional:
            matcher.consume(self._tokenizer.tokenize_str("\n" + begun))
        return matcher

    def literal(self, text: str) -> Matcher:
        """A matcher for exactly this text and then anything.

        Its forced tokens stop where a longer token could begin, which is then sampled: so a
        forced opening and the model's own text meet on a token as the model would have cut it.
        """
        grammar = f"start: TEXT\nTEXT: /{_escape(text)}(?s:.*)/"
        return Matcher(self._compile(grammar), self._mask, self._size)

    def _compile(self, grammar: str) -> llguidance.LLMatcher:
        matcher = llguidance.LLMatcher(
            self._tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar), log_level=0
        )
        if matcher.is_error():
            raise StructureError(matcher.get_error())
        return matcher


class Matcher:
    """Follows one piece of text token by token."""

    def __init__(self, matcher: llguidance.LLMatcher, mask: object, size: int) -> None:
        self._matcher = matcher
        self._mask = np.asarray(mask)
        self._size = size

    def forced(self) -> list[int]:
        """The tokens that alone can come next; they count as consumed."""
        tokens = self._matcher.compute_ff_tokens()
        if tokens:
            self.consume(tokens)
        return tokens

    def accepts(self, token: int) -> bool:
        """Whether the token may come next; if so it counts as consumed."""
        return self._matcher.try_consume_tokens([token]) == 1

    def consume(self, tokens: Sequence[int]) -> None:
        if not self._matcher.consume_tokens(list(tokens)):
            raise StructureError(self._matcher.get_error())

    @property
    def done(self) -> bool:
        return self._matcher.is_stopped()

    def restrict(self, logits: driver.Floats) -> None:
        """Rule out, in place, every token that may not come next."""
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._mask, 0)
        if self._matcher.is_error():
            raise StructureError(self._matcher.get_error())
        bits = np.unpackbits(self._mask.view(np.uint8)[0], bitorder="little")
        logits[bits[: self._size] == 0] = -np.inf


def lark(form: Form, used: Collection[Choice]) -> str:
    """The grammar of a newline and one header line of the form, or of nothing.

    All alternatives are one regular expression with shared beginnings written once, so a thousand
    paths cost a single lexeme.
    """
    lines: list[Header] = []
    for call in form.calls:
        for index, header in enumerate(call.headers):
            if Choice(call, index) not in used:
                lines.append((("tool", call.tool), *header))
    if not lines:
        raise StructureError("the form has no header left")
    return f'start: ("\\n" HEADER)?\nHEADER: /<call{_tails(lines)}/'


def find(form: Form, line: str) -> Choice | None:
    """The alternative that a written header is an instance of."""
    written = text_calls.attributes(line)
    if written is None:
        return None
    for call in form.calls:
        for index, header in enumerate(call.headers):
            wanted = (("tool", call.tool), *header)
            if len(wanted) == len(written) and all(
                name == other and value in (None, text)
                for (name, value), (other, text) in zip(wanted, written, strict=True)
            ):
                return Choice(call, index)
    return None


def _tails(lines: Iterable[Header]) -> str:
    """A regular expression for the rest of these lines, grouped by their next attribute."""
    groups: dict[tuple[str, str | None] | None, list[Header]] = {}
    for line in lines:
        groups.setdefault(line[0] if line else None, []).append(line[1:])
    branches = []
    for attribute, rest in groups.items():
        if attribute is None:
            branches.append(">\\n")
            continue
        name, value = attribute
        text = _FREE if value is None else _escape(text_calls.escape(value))
        branches.append(f' {_escape(name)}="{text}"{_tails(rest)}')
    return branches[0] if len(branches) == 1 else "(" + "|".join(branches) + ")"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", "\\n").replace("\r", "\\r")
