"""The questions a guided model is asked about one piece of code, one attempt after the other.

Owns their order and their forms. Must not know how answers are applied or judged.

First the model says what is wrong and chooses what to rewrite. If that does not help, it is asked
for one suspect after the other, without a word of explanation: a weak model's explanation is often
wrong, and binds it. Then each suspect is kept but for one line, from the place where the model
itself doubts the code most: what it rewrites whole it copies, faults included. At last chance is
let in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agent.models.base import CallForm, Form, Sampling
from agent.prompts import fill
from agent.steering import material
from agent.steering.material import Material
from agent.steering.suspects import mentioned
from tools.outline import Ranked
from tools.workspace import Workspace

CANDIDATES = 8
"""Definitions among which the model chooses at first."""
SUSPECTS = 5
"""Definitions that it is asked about one by one."""
VARIANTS = (10, 6, 4)
"""Doubtful places tried in the first suspects."""
CHANCES = 4
"""Answers with chance in the choice of words."""
VARIED = Sampling(temperature=0.7, top_p=0.95, top_k=40)


@dataclass(frozen=True, slots=True)
class Question:
    """The end of a question; what comes before it is the same at every attempt."""

    text: str
    form: Form
    sampling: Sampling | None = None
    """None: the model's own."""
    discussed: bool = True
    """Whether an answer that cannot be used is told why; the same answer would come again where
    nothing but the code was asked for."""
    final: bool = False
    """Whether nothing at all is fed back."""


def first(shown: Material, workspace: Workspace) -> Question:
    """What is wrong, and where?"""
    likely = shown.candidates[:CANDIDATES]
    form = Form((material.replacing(likely, workspace),), required=True, max_calls=4)
    return Question(fill("guided_where"), form)


def further(shown: Material, workspace: Workspace, said: str) -> Iterator[Question]:
    """The questions after the first, those about what its answer named before the rest.

    Args:
        shown: The code the model sees.
        workspace: As it was when the code was shown.
        said: What the model said was wrong.
    """
    suspects = _suspects(shown, said)
    for suspect in suspects:
        yield _rewrite(suspect, material.replacing([suspect], workspace))
    for suspect, count in zip(suspects, VARIANTS, strict=False):
        for number in range(count):
            yield _rewrite(suspect, material.varying(suspect, workspace, number))
    yield from _by_chance(suspects, workspace)


def rewrites(shown: Material, workspace: Workspace, said: str, judged: bool) -> Iterator[Question]:
    """The questions after the first where no test of the project's own fails.

    Args:
        shown: The code the model sees.
        workspace: As it was when the code was shown.
        said: What the model said was wrong.
        judged: Whether a test that the model wrote tells which answer to keep; without one only
            what the first answer named is worth asking about.
    """
    suspects = _suspects(shown, said) if judged else _named(shown, said)
    for suspect in suspects:
        yield _rewrite(suspect, material.replacing([suspect], workspace))
    if judged:
        yield from _by_chance(suspects, workspace)


def _named(shown: Material, said: str) -> list[Ranked]:
    return mentioned(said, shown.candidates[:CANDIDATES])[:SUSPECTS]


def _suspects(shown: Material, said: str) -> list[Ranked]:
    return list(dict.fromkeys([*_named(shown, said), *shown.candidates]))[:SUSPECTS]


def _by_chance(suspects: list[Ranked], workspace: Workspace) -> Iterator[Question]:
    for number in range(CHANCES if suspects else 0):
        suspect = suspects[number % min(len(suspects), 2)]
        form = Form((material.replacing([suspect], workspace),), required=True, max_calls=1)
        text = fill("guided_suspect", symbol=suspect.symbol.name, path=suspect.path)
        sampling = replace(VARIED, temperature=VARIED.temperature + 0.1 * number, seed=number + 1)
        yield Question(text, form, sampling)


def _rewrite(suspect: Ranked, call: CallForm) -> Question:
    text = fill("guided_rewrite", symbol=suspect.symbol.name, path=suspect.path)
    form = Form((call,), required=True, max_calls=1, max_thought=0)
    return Question(text, form, discussed=False, final=bool(call.original))
