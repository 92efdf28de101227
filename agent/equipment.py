"""A model with what suits it: its tools, the way it is steered, what it is told of the project.

Owns the value alone; it is made where the parts are put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.instructions import Instructions
from agent.models.base import Model
from agent.steering.moves import Steering
from tools.base import Toolbox, ToolSpec


@dataclass(frozen=True, slots=True)
class Equipment:
    """What takes the steps of a turn; another model brings its own."""

    model: Model
    toolbox: Toolbox
    steering: Steering
    instructions: Instructions = field(default_factory=Instructions)

    @property
    def opening(self) -> str:
        """What a conversation of its own begins with."""
        return self.instructions.opening(self.steering.system)

    @property
    def offered(self) -> tuple[ToolSpec, ...]:
        """The tools that the model is told of."""
        return self.toolbox.specs if self.steering.offers_tools else ()
