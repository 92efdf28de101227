"""Smaller questions above the prompt: is the plan to be carried out, is the model to be changed.

Owns their words. Must not know how either is done.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.content import Content
from textual.message import Message

from agent.events import Switched
from agent.mode import Mode
from agent.printer import switch_cost
from tools.text import shown
from tui.themes import MUTED
from tui.widgets.panel import Answer, Panel

DO_IT = "Carry out the plan."
"""What the model is told when the user says yes."""


class PlanOffer(Panel):
    """After a plan: do it?"""

    @dataclass
    class Taken(Message):
        """The plan is to be carried out."""

        mode: Mode

    def __init__(self) -> None:
        super().__init__(id="plan-offer")

    async def put(self) -> None:
        title = Content.assemble(("Do it?", "bold"), ("  The plan is above.", MUTED))
        answers = [
            Answer("y", "in edit mode"),
            Answer("a", "in auto mode"),
            Answer("n", "keep planning"),
        ]
        await self.ask(title, [], answers)

    @on(Panel.Answered)
    def _answered(self, message: Panel.Answered) -> None:
        message.stop()
        self.leave()
        if message.key in ("y", "a"):
            self.post_message(self.Taken(Mode.EDIT if message.key == "y" else Mode.AUTO))


class SwitchOffer(Panel):
    """Before another model goes on: what that costs."""

    @dataclass
    class Taken(Message):
        """The model is to be changed."""

        name: str

    def __init__(self) -> None:
        super().__init__(id="switch-offer")
        self._wanted = ""

    async def put(self, name: str, cost: Switched) -> None:
        self._wanted = name
        title = Content.assemble(
            ("Go on with ", "bold"), (shown(cost.model), "bold $text-primary"), ("?", "bold"),
            (f"  {switch_cost(cost)}", MUTED),
        )  # fmt: skip
        await self.ask(title, [], [Answer("enter", "switch", "Enter"), Answer("n", "stay")])

    @on(Panel.Answered)
    def _answered(self, message: Panel.Answered) -> None:
        message.stop()
        self.leave()
        if message.key == "enter":
            self.post_message(self.Taken(self._wanted))
