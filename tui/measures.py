"""What the events of a session tell of its speed, its reading and its cost.

Owns the sums, for whatever shows them. Must not know any widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from agent.costs import Cost
from agent.events import Compacted, ContextMeter, Event, StepFinished, Switched, TurnStarted
from agent.models.base import Usage


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of a model."""

    model: str
    usage: Usage
    seconds: float
    cost: Cost

    @property
    def rate(self) -> float | None:
        """Output tokens a second, as measured; None: too few to tell."""
        usage = self.usage
        return usage.output / usage.output_seconds if usage.output_seconds else None


@dataclass(slots=True)
class Measures:
    """Of the session."""

    model: str = ""
    """That takes the steps now."""
    names: list[str] = field(default_factory=list)
    """The models of the session by the names they were asked for, the present one last."""
    steps: list[Step] = field(default_factory=list)
    context: ContextMeter = field(default_factory=ContextMeter)
    compactions: int = 0

    def begin(self, name: str, model: str, earlier: Iterable[Event] = ()) -> None:
        """A session is opened.

        Args:
            name: That its model was asked for by.
            earlier: What happened in it before.
        """
        self.names, self.steps = [name], []
        self.context, self.compactions = ContextMeter(), 0
        for event in earlier:
            self.show(event)
        # No cache holds anything of it yet.
        same = self.model == model and self.steps
        self.context = replace(self.context, reused=0.0) if same else ContextMeter()
        self.model = model

    def switched(self, name: str, model: str) -> None:
        """Another model takes the next step."""
        self.names.append(name)
        self.model = model

    def show(self, event: Event) -> None:
        """Take what an event tells."""
        match event:
            case TurnStarted(model=model) | Switched(model=model):
                if model != self.model:
                    self.context = ContextMeter()
                self.model = model
            case StepFinished():
                self.steps.append(Step(self.model, event.usage, event.seconds, event.cost))
                self.context = event.context
            case Compacted():
                self.compactions += 1
                self.context = replace(self.context, used=event.tokens_after)

    def of(self, model: str) -> Iterator[Step]:
        """The steps that a model took."""
        return (step for step in self.steps if step.model == model)

    @property
    def usage(self) -> Usage:
        """Of all steps."""
        return sum((step.usage for step in self.steps), Usage())

    @property
    def cost(self) -> Cost:
        """Of all steps."""
        return sum((step.cost for step in self.steps), Cost())

    @property
    def rate(self) -> float | None:
        """Tokens a second of the last answer that was long enough to tell."""
        rates = (step.rate for step in reversed(self.steps) if step.model == self.model)
        return next((rate for rate in rates if rate is not None), None)
