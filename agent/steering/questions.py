"""The questions a guided model is asked about one piece of code, one attempt after the other.

Owns their order and their forms. Must not know how answers are applied or judged.

First the model says what is wrong and chooses what to rewrite. If that does not help, it is asked
for one suspect after the other, without a word of explanation: a weak model's explanation is often
wrong, and binds it. Then suspects are kept but for one line, from the places where the model
itself doubts the code most: what it rewrites whole it copies, faults included. At last chance is
let in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agent.messages import UserMessage
from agent.models.base import CallForm, Form, Sampling
from agent.prompts import fill
from agent.steering import material
from agent.steering.material import Material
from agent.steering.moves import Ask
from agent.steering.suspects import mentioned
from tools.outline import Ranked
from tools.workspace import Workspace

CANDIDATES = 8
"""Definitions among which the model chooses at first."""
SUSPECTS = 8
"""Definitions that it is asked about one by one."""
VARIANTS = (16, 12, 9, 6, 5, 4)
"""Doubtful places tried in the first suspects, the most doubtful of each before the next."""
CHANCES = (6, 4, 3)
"""Answers with chance in the choice of words, about the first suspects."""
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

    def behind(self, shared: str) -> Ask:
        """The whole question, to be asked."""
        message = UserMessage(f"{shared}\n\n{self.text}")
        return Ask(message, self.form, self.sampling)


def first(shown: Material, workspace: Workspace) -> Question:
    """What is wrong, and where?"""
    likely = shown.candidates[:CANDIDATES]
    form = Form((material.replacing(likely, workspace),), required=True, max_calls=4)
    return Question(fill("guided_where"), form)


def rewrites(
    shown: Material, workspace: Workspace, said: str, *, named_only: bool = False
) -> Iterator[Question]:
    """The questions after the first: each suspect alone, those the first answer named before.

    Args:
        shown: The code the model sees.
        workspace: As it was when the code was shown.
        said: What the model said was wrong.
        named_only: Whether to leave out what it did not name: where no test can judge an answer,
            nothing else is worth asking about.
    """
    for suspect in _suspects(shown, said, named_only):
        yield _rewrite(suspect, material.replacing([suspect], workspace))


def variations(shown: Material, workspace: Workspace, said: str) -> Iterator[Question]:
    """The questions after those: doubtful places, then chance. Arguments as for `rewrites`."""
    suspects = _suspects(shown, said)
    for number in range(max(VARIANTS)):
        for suspect, count in zip(suspects, VARIANTS, strict=False):
            if number < count:
                yield _rewrite(suspect, material.varying(suspect, workspace, number))
    for number in range(max(CHANCES)):
        for suspect, count in zip(suspects, CHANCES, strict=False):
            if number < count:
                yield _by_chance(suspect, workspace, number)


def named(shown: Material, said: str) -> list[Ranked]:
    """The definitions that the model named when it said what is wrong, the most named first."""
    return mentioned(said, shown.candidates[:CANDIDATES])


def _suspects(shown: Material, said: str, named_only: bool = False) -> list[Ranked]:
    others = () if named_only else shown.candidates
    return list(dict.fromkeys([*named(shown, said), *others]))[:SUSPECTS]


def _by_chance(suspect: Ranked, workspace: Workspace, number: int) -> Question:
    form = Form((material.replacing([suspect], workspace),), required=True, max_calls=1)
    text = fill("guided_suspect", symbol=suspect.symbol.name, path=suspect.path)
    sampling = replace(VARIED, temperature=VARIED.temperature + 0.1 * number, seed=number + 1)
    return Question(text, form, sampling)


def _rewrite(suspect: Ranked, call: CallForm) -> Question:
    text = fill("guided_rewrite", symbol=suspect.symbol.name, path=suspect.path)
    form = Form((call,), required=True, max_calls=1, max_thought=0)
    return Question(text, form, discussed=False, final=bool(call.original))
