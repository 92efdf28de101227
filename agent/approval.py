"""What may be done without asking, and who is asked about the rest.

| mode | edits | commands | calls for the network |
|---|---|---|---|
| plan | refused | refused | refused |
| ask | ask | ask | ask |
| edit | free | ask | ask |
| auto | free | free in a sandbox that holds, else ask | ask |

Where commands ask, those that surely only read (`agent.command_judge`) are free, and so is what a
rule allows. Owns the modes, the questions and the answers. Must not know how a question is shown,
nor how a call is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, assert_never

from agent.mode import Mode
from agent.rules import CommandRule, Rule, RuleFile, rule_for
from tools.action import Action, Command
from tools.base import Arguments, Cancel, Effect, Prepared, ToolResult, failure


class Choice(StrEnum):
    """The kinds of answer."""

    ONCE = "once"
    SESSION = "session"
    """This, and what the request's rule allows, until the session ends."""
    ALWAYS = "always"
    """This, and what the request's rule allows, in this project from now on."""
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A question: may exactly this be done?"""

    tool: str
    args: Arguments
    action: Action | None
    """None for a tool that cannot say what it does; `args` are all there is to show."""
    reason: str
    """Why it is asked, as the end of a sentence: `it wants the network`."""
    rule: Rule | None
    """What `SESSION` and `ALWAYS` allow from now on; None where neither is offered."""
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ApprovalAnswer:
    choice: Choice
    word: str = ""
    """With `DENY`: what the model is told besides."""
    unattended: bool = False
    """Whether nobody could be asked."""
    hunks: tuple[int, ...] | None = None
    """With `ONCE`, of a file's change: the hunks that are allowed, counted from 0; None: all."""


class Approver(Protocol):
    """Somebody who answers."""

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        """Put one question; takes as long as it takes.

        Raises:
            Cancelled: `cancel` was set meanwhile.
        """
        ...


class AllowAll:
    """Says yes to everything: the user said so beforehand."""

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        return ApprovalAnswer(Choice.ONCE)


class Nobody:
    """Says no to everything: there is nobody to ask."""

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        return ApprovalAnswer(Choice.DENY, unattended=True)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a call was not carried out: `ToolResult.details` of one that was denied."""

    reason: str
    """Why it was asked about, as in the request."""
    unattended: bool


@dataclass(slots=True)
class Gate:
    """Stands before every call: free, forbidden, or to be asked about."""

    mode: Mode
    """May be changed between two calls."""
    approver: Approver
    root: Path
    """Of the workspace; real path."""
    sandboxed: bool
    """Whether commands run in a sandbox that holds; False for one that is weak."""
    rules: list[Rule] = field(default_factory=list)
    """What was allowed before this session, and in it."""
    kept: RuleFile | None = None
    """Where rules that hold always are added; None: that is not offered."""

    @property
    def edits_ask(self) -> bool:
        """Whether somebody wants to see every edit before it is made."""
        return self.mode is Mode.ASK and not isinstance(self.approver, AllowAll)

    def forbidden(self, name: str, effect: Effect) -> ToolResult | None:
        """The result of a call that the mode leaves no room for."""
        if self.mode is not Mode.PLAN or effect is Effect.READ:
            return None
        return failure(
            name,
            "Not done: in plan mode nothing is changed or run.\n"
            "Read what you need, then answer without a tool call: describe the plan.",
        )

    def question(self, call: Prepared) -> ApprovalRequest | None:
        """What to ask about a call; None: it is free."""
        reason = self._reason(call)
        if not reason:
            return None
        if call.action is None:
            return ApprovalRequest(
                call.name, call.args, None, reason, None, (Choice.ONCE, Choice.DENY)
            )
        if any(rule.allows(call.action, self.root, self.sandboxed) for rule in self.rules):
            return None
        rule = rule_for(call.action, self.root, self.sandboxed)
        choices = [Choice.ONCE, Choice.SESSION]
        if self.kept is not None and not (isinstance(rule, CommandRule) and rule.network):
            choices.append(Choice.ALWAYS)
        return ApprovalRequest(
            call.name, call.args, call.action, reason, rule, (*choices, Choice.DENY)
        )

    def ask(self, request: ApprovalRequest, cancel: Cancel) -> ApprovalAnswer:
        """Put the question; an answer that was not offered is no.

        Raises:
            Cancelled: `cancel` was set meanwhile.
        """
        answer = self.approver.ask(request, cancel)
        if answer.hunks is not None and (answer.choice is not Choice.ONCE or not answer.hunks):
            return ApprovalAnswer(Choice.DENY, answer.word)
        return answer if answer.choice in request.choices else ApprovalAnswer(Choice.DENY)

    def keep(self, request: ApprovalRequest, answer: ApprovalAnswer) -> None:
        """Let an answer hold for as long as it says.

        Raises:
            OSError: It cannot be kept beyond this session.
        """
        if request.rule is None or answer.choice not in (Choice.SESSION, Choice.ALWAYS):
            return
        self.rules.append(request.rule)
        if answer.choice is Choice.ALWAYS and self.kept is not None:
            self.kept.append(request.rule)

    def _reason(self, call: Prepared) -> str:
        """Why a call is asked about; empty if the mode leaves it free."""
        match call.effect:
            case Effect.READ:
                return ""
            case Effect.EDIT:
                return "edits ask in this mode" if self.mode is Mode.ASK else ""
            case Effect.RUN:
                return self._doubt(call.action)
            case _:
                assert_never(call.effect)

    def _doubt(self, action: Action | None) -> str:
        wants_network = isinstance(action, Command) and action.network
        if self.mode is Mode.AUTO and self.sandboxed and not wants_network:
            return ""
        if not isinstance(action, Command):
            return "it is not known what it runs"
        # 5 ms; not needed where commands are free
        from agent.command_judge import doubt

        reason = doubt(action, self.sandboxed)
        if reason and self.mode is Mode.AUTO and not wants_network:
            return "commands run without a sandbox here"
        return reason


def denied(name: str, request: ApprovalRequest, answer: ApprovalAnswer) -> ToolResult:
    """What a denied call came to, as the model reads it."""
    if answer.unattended:
        told = "Not done: it needs approval and there is nobody to ask. Do without it."
    else:
        told = "Not done: the user did not allow it."
        told += f" The user says: {answer.word}" if answer.word else " Do not try it again."
    return ToolResult(
        told,
        f"{name}: not allowed" + (", there is nobody to ask" if answer.unattended else ""),
        ok=False,
        details=Denial(request.reason, answer.unattended),
    )
