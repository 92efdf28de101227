"""llama.cpp by its low-level interface: weights, tokens, the KV cache, doubts, abort.

Owns every call into llama_cpp and the exact record of what the cache holds. Must not know
messages, templates, forms or frames.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

# isort: off
# Before numpy: on machines with CUDA the other order has crashed the process at load.
import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
# isort: on


BATCH = 512
"""Prompt tokens evaluated at once: large enough for speed, small enough to report progress."""
_DOUBTED_AT_ONCE = 64
"""Tokens whose logits are all wanted: 64 of 150,000 take 39 MB."""
_ALTERNATIVES = 4
"""Tokens looked at for each place."""

KV_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 8}
"""ggml's numbers of the types a KV cache may have."""

_ABORTED = 2
_SERIOUS, _CONTINUED = (3, 4), 5
"""llama.cpp's levels of log: warning and error; the rest of the line before."""
_FLASH_AUTO = -1
CONTROL = 8
USER_DEFINED = 16

Floats = npt.NDArray[np.float32]


class LoadFailed(Exception):
    """llama.cpp refused the file or found no memory; its log says which."""


class DecodeFailed(Exception):
    """llama.cpp could not evaluate a batch."""


class Aborted(Exception):
    """`Driver.abort` was called while tokens were evaluated."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A place in a text where the model would have gone on otherwise."""

    probability: float
    """Of the alternative."""
    index: int
    """Of the token it stands against."""
    token: int
    """The alternative."""


@dataclass(frozen=True, slots=True)
class InfillTokens:
    """The tokens that tell a model to write what belongs between two texts."""

    prefix: int
    suffix: int
    middle: int


class Driver:
    """One model and one context, with a sequence of tokens and, if wanted, one aside."""

    def __init__(
        self,
        path: str,
        *,
        context: int,
        gpu_layers: int,
        kv_type: str,
        threads: int,
        progress: Callable[[float], object] = float,
        aside: bool = False,
    ) -> None:
        """Load the weights and make the context, telling of progress from 0 to 1.

        Args:
            aside: Whether there is a second sequence, which shares the first one's room.

        Raises:
            LoadFailed: The file or the memory does not allow it.
        """
        lib.llama_backend_init()
        model_params = lib.llama_model_default_params()
        model_params.n_gpu_layers = 999 if gpu_layers < 0 else gpu_layers

        def go_on(done: float, _: object) -> bool:
            progress(done)
            return True

        heard = lib.llama_progress_callback(go_on)
        model_params.progress_callback = heard
        self.model = lib.llama_model_load_from_file(os.fsencode(path), model_params)
        if not self.model:
            raise LoadFailed("the model could not be loaded")
        params = lib.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = _FLASH_AUTO
        params.type_k = params.type_v = KV_TYPES[kv_type]
        params.no_perf = True
        if aside:
            params.n_seq_max, params.kv_unified = 2, True
        # libc's strlen of this buffer answers "shall I stop?": 0 or 1, and no Python runs when
        # ggml asks, which it does between any two operations.
        self._stop = ctypes.create_string_buffer(2)
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value or 0
        params.abort_callback = lib.ggml_abort_callback(strlen)
        params.abort_callback_data = ctypes.addressof(self._stop)
        self._params = params
        self.context = lib.llama_init_from_model(self.model, params)
        if not self.context:
            raise LoadFailed("the context could not be made")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.n_context: int = lib.llama_n_ctx(self.context)
        self.n_vocab: int = lib.llama_vocab_n_tokens(self.vocab)
        self.held: list[int] = []
        """The tokens whose keys and values the cache holds for this sequence, in their order."""
        self._sequence = 0
        self._other: list[int] = []
        """What it holds for the other sequence."""
        self._memory = lib.llama_get_memory(self.context)
        self._window: int = lib.llama_model_n_swa(self.model)
        self._batch = lib.llama_batch_init(BATCH, 0, 1)
        self._buffer = ctypes.create_string_buffer(256)
        self._pieces: dict[int, bytes] = {}
        self._doubted: tuple[object, tuple[Doubt, ...]] | None = None
        self.ends = frozenset(
            token
            for token in range(self.n_vocab)
            if lib.llama_vocab_get_attr(self.vocab, token) & (CONTROL | USER_DEFINED)
            and lib.llama_vocab_is_eog(self.vocab, token)
        ) | {lib.llama_vocab_eos(self.vocab)}
        """The tokens that end an answer."""

    # --- tokens

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of the text; with `special`, control tokens written out are recognised.

        May be called from any thread.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        array = (ctypes.c_int32 * room)()
        count = lib.llama_tokenize(self.vocab, data, len(data), array, room, False, special)
        if count < 0:
            array = (ctypes.c_int32 * -count)()
            count = lib.llama_tokenize(self.vocab, data, len(data), array, -count, False, special)
        return list(array[:count])

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, control tokens written out; they may be half a letter."""
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = piece(self.vocab, token, self._buffer)
        return found

    def bos(self) -> int | None:
        """The token every prompt must begin with, if this vocabulary demands one."""
        if not lib.llama_vocab_get_add_bos(self.vocab):
            return None
        return int(lib.llama_vocab_bos(self.vocab))

    def special_text(self) -> tuple[str, str]:
        """The texts of the beginning and the end token, for chat templates."""
        bos, eos = lib.llama_vocab_bos(self.vocab), lib.llama_vocab_eos(self.vocab)
        return (
            self.piece(bos).decode("utf-8", "replace") if bos >= 0 else "",
            self.piece(eos).decode("utf-8", "replace") if eos >= 0 else "",
        )

    def infill_tokens(self) -> InfillTokens | None:
        """None where the vocabulary has none."""
        kinds = (lib.llama_vocab_fim_pre, lib.llama_vocab_fim_suf, lib.llama_vocab_fim_mid)
        prefix, suffix, middle = (int(kind(self.vocab)) for kind in kinds)
        return InfillTokens(prefix, suffix, middle) if min(prefix, suffix, middle) >= 0 else None

    # --- facts

    def chat_template(self) -> str | None:
        source = lib.llama_model_chat_template(self.model, None)
        return source.decode("utf-8", "replace") if source else None

    def description(self) -> str:
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self.model, buffer, 256)
        return buffer.value.decode("utf-8", "replace")

    # --- the cache

    def keep(self, tokens: Sequence[int]) -> int:
        """Drop from the cache what is not the beginning of `tokens`; how many it then holds.

        At least one token is left to evaluate. A model whose memory cannot be cut (recurrent
        and hybrid ones) forgets everything.
        """
        common = min(shared(self.held, tokens), len(tokens) - 1)
        if common < len(self.held):
            self._cut(common)
        return len(self.held)

    def evaluate(self, tokens: Sequence[int], progress: Callable[[int], object] = int) -> None:
        """Append tokens to the cache; the logits are then those after the last.

        Raises:
            Aborted: The cache holds the batches that were complete.
            DecodeFailed: llama.cpp reports an error.
        """
        for start in range(0, len(tokens), BATCH):
            chunk = tokens[start : start + BATCH]
            self._decode(chunk, all_logits=False)
            progress(start + len(chunk))

    def _decode(self, tokens: Sequence[int], *, all_logits: bool) -> None:
        """Append one batch of tokens to the cache.

        Raises:
            Aborted, DecodeFailed: The cache holds what it held before.
        """
        if self.aborting:
            raise Aborted  # A GPU does not ask while it evaluates.
        if self._other and len(self.held) + len(tokens) + len(self._other) > self.n_context:
            lib.llama_memory_seq_rm(self._memory, 1 - self._sequence, 0, -1)
            self._other.clear()
        batch = self._batch
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index] = token
            batch.pos[index] = len(self.held) + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = self._sequence
            batch.logits[index] = all_logits or index + 1 == len(tokens)
        status = lib.llama_decode(self.context, batch)
        if status != 0:
            self._cut(len(self.held))
            if status == _ABORTED:
                raise Aborted
            raise DecodeFailed(f"llama_decode failed with status {status}")
        self.held.extend(tokens)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Read and write in the other sequence; this one is afterwards as it was.

        Where there is no room for both, what the cache holds of the other is forgotten.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        self._sequence = 1 - self._sequence
        self.held, self._other = self._other, self.held

    def _cut(self, size: int) -> None:
        """Let the cache hold the first `size` tokens of what is recorded, or nothing."""
        own = self._sequence
        whole = lib.llama_memory_seq_rm(self._memory, own, size, -1)
        if whole and self._window and size:
            oldest = lib.llama_memory_seq_pos_min(self._memory, own)
            whole = oldest <= max(0, size - self._window)
        if not whole:
            lib.llama_memory_clear(self._memory, True)
            self._other.clear()
            size = 0
        del self.held[size:]

    def abort(self) -> None:
        """Stop the evaluation in progress and every later one; from any thread."""
        self._stop[0] = b"\1"

    def resume(self) -> None:
        """Allow evaluations again."""
        self._stop[0] = b"\0"

    @property
    def aborting(self) -> bool:
        return bool(self._stop[0] != b"\0")

    # --- doubting

    def doubts(self, tokens: Sequence[int]) -> tuple[Doubt, ...]:
        """Where the model, reading these tokens next, would rather have written others.

        The likeliest alternatives come first. The cache is afterwards as it was.

        Raises:
            Aborted: The caller gave up.
            DecodeFailed: llama.cpp reports an error.
        """
        before = tuple(self.held)
        key = (before, tuple(tokens))
        if self._doubted is None or self._doubted[0] != key:
            try:
                found = self.read_doubting(tokens)
            finally:
                self._cut(len(before))
                if len(self.held) < len(before):  # a memory that cannot be cut forgot it all
                    self.evaluate(before[len(self.held) :])
            self._doubted = key, found
        return self._doubted[1]

    def read_doubting(self, tokens: Sequence[int]) -> tuple[Doubt, ...]:
        """Append tokens to the cache; where it would rather have others, the likeliest first.

        Raises:
            Aborted: The cache holds the batches that were complete.
            DecodeFailed: llama.cpp reports an error.
        """
        found: list[Doubt] = []
        for start in range(0, len(tokens), _DOUBTED_AT_ONCE):
            self._decode(tokens[start : start + _DOUBTED_AT_ONCE], all_logits=True)
            found += self._doubted_since(tokens, start)
        return tuple(sorted(found, key=lambda doubt: -doubt.probability))

    def read_rating(self, tokens: Sequence[int]) -> float:
        """Append tokens to the cache; the natural logarithm of how likely all but the first are.

        Raises:
            Aborted: The cache holds the batches that were complete.
            DecodeFailed: llama.cpp reports an error.
        """
        total = 0.0
        for start in range(0, len(tokens), _DOUBTED_AT_ONCE):
            self._decode(tokens[start : start + _DOUBTED_AT_ONCE], all_logits=True)
            for _, following, logits in self._followed(tokens, start):
                shifted = logits - logits.max()
                total += float(shifted[following] - np.log(np.exp(shifted).sum()))
        return total

    def _doubted_since(self, tokens: Sequence[int], start: int) -> Iterator[Doubt]:
        for index, following, logits in self._followed(tokens, start):
            best = np.argpartition(logits, -_ALTERNATIVES)[-_ALTERNATIVES:]
            shifted = np.exp(logits - logits.max())
            total = float(shifted.sum())
            for token in best.tolist():
                if token != following:
                    yield Doubt(float(shifted[token]) / total, start + index + 1, token)

    def _followed(self, tokens: Sequence[int], start: int) -> Iterator[tuple[int, int, Floats]]:
        """Of the batch that begins at `start`: the place of each token, the one that follows it,
        and the logits of what might."""
        for index, following in enumerate(tokens[start + 1 : start + _DOUBTED_AT_ONCE + 1]):
            pointer = lib.llama_get_logits_ith(self.context, index)
            yield index, following, np.ctypeslib.as_array(pointer, shape=(self.n_vocab,))

    # --- choosing

    def logits(self) -> Floats:
        """A writable view of the logits after the last token; the next evaluation voids it."""
        pointer = lib.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.n_vocab,))

    def close(self) -> None:
        lib.llama_batch_free(self._batch)
        lib.llama_free(self.context)
        lib.llama_model_free(self.model)


_listeners: list[object] = []


def listen(hear: Callable[[str], None]) -> object:
    """Have llama.cpp's warnings and errors told instead of printed, as long as the result lives."""
    level = 0

    def heard(new: int, text: bytes, _: object) -> None:
        nonlocal level
        level = level if new == _CONTINUED else new
        if level in _SERIOUS:
            hear(text.decode("utf-8", "replace"))

    callback = lib.llama_log_callback(heard)
    _listeners.append(callback)  # llama.cpp calls it for as long as the process lives
    lib.llama_log_set(callback, ctypes.c_void_p(None))
    return callback


def piece(vocab: int, token: int, buffer: ctypes.Array[ctypes.c_char]) -> bytes:
    """The bytes of one token, control tokens written out, however long they are."""
    size = lib.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, True)
    if size < 0:
        buffer = ctypes.create_string_buffer(-size)
        size = lib.llama_token_to_piece(vocab, token, buffer, -size, 0, True)
    return buffer.raw[:size]


def shared(held: Sequence[int], wanted: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    for index, (one, other) in enumerate(zip(held, wanted, strict=False)):
        if one != other:
            return index
    return min(len(held), len(wanted))
