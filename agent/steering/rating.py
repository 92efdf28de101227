"""Which of several changes that pass the tests is likely to be meant.

One failing test is easily satisfied. Of the changes with which it passes the model tells those that
somebody would write: how likely it finds each in its place, against what is there. Must not know
how changes come about.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from agent.messages import UserMessage
from agent.models.base import INFILL, Gap, Infill
from agent.prompts import fill
from agent.steering import material, surroundings
from agent.steering.moves import Ask, Move, Reply, Rewind, ask
from tools.mend import Mend
from tools.python_syntax import source_lines
from tools.workspace import Workspace


def rated(
    workspace: Workspace, task: str, mends: Sequence[Mend]
) -> Generator[Move, Reply, list[Mend]]:
    """The changes, the likeliest first; each is asked about beside what it changes."""
    pairs = [_old_and_new(workspace, task, mend) for mend in mends]
    if len(set(pairs)) < 2:  # a method's change is its class's, too
        return [*mends]
    gaps = dict.fromkeys(gap for pair in pairs for gap in pair)
    distinct = sorted(gaps, key=lambda gap: gap.before)
    names = ", ".join(dict.fromkeys(f"`{mend.definition.symbol}`" for mend in mends))
    question = UserMessage(fill("guided_rate", count=str(len(mends)), symbols=names))
    answer = yield from ask(Ask(question, infill=Infill(tuple(distinct), each=0)))
    yield Rewind(0, workspace.checkpoint(), "Several changes pass: the likeliest first.")
    told: dict[Gap, float] = {}
    for call in answer.calls:
        match call.arguments:
            case {"gap": int(number), "likelihood": float(likely)} if (
                call.name == INFILL and 0 <= number < len(distinct)
            ):
                told[distinct[number]] = likely
    if len(told) < len(distinct):
        return [*mends]
    gains = [told[new] - told[old] for old, new in pairs]
    order = sorted(range(len(mends)), key=lambda number: -gains[number])
    return [mends[number] for number in order]


def _old_and_new(workspace: Workspace, task: str, mend: Mend) -> tuple[Gap, Gap]:
    """The lines that a change replaces and those that it puts there, each in their place."""
    path, trial = mend.definition.path, mend.trial
    data = workspace.peek(path)
    changed = data[: trial.start] + trial.code + data[trial.end :]
    old, new = (source_lines(material.decode(text)) for text in (data, changed))
    most = min(len(old), len(new))
    first = next((n for n in range(most) if old[n] != new[n]), most)
    behind = next((n for n in range(most - first) if old[-1 - n] != new[-1 - n]), most - first)
    known = surroundings.issue(task)

    def gap(lines: Sequence[str]) -> Gap:
        end = len(lines) - behind
        piece = "".join(lines[first:end]).rstrip("\n")
        return surroundings.gap(known, path, lines, first, first, end, piece)

    return gap(old), gap(new)
