"""A session as a `.traj` file of SWE-agent.

Owns the mapping, and how its neighbours tell an ending and a sum. Must not know where the text
goes.
"""

from __future__ import annotations

import json
from typing import Any

from agent.costs import Cost
from agent.events import Status
from agent.export.trajectory import Checked, Note, Step, Told, Trajectory
from agent.messages import SystemMessage, ToolCall


def to_swe_agent(trajectory: Trajectory, instance: str = "") -> str:
    """One JSON object."""
    usage, steps = trajectory.usage, trajectory.steps
    told = {
        "trajectory": [
            {
                "action": "\n".join(map(action, step.message.calls)),
                "observation": "\n".join(known.output for known in step.outcomes),
                "response": step.message.raw or step.message.text,
                "thought": "\n\n".join(filter(None, (step.message.reasoning, step.message.text))),
                "execution_time": sum(known.seconds for known in step.outcomes),
                "state": {"working_dir": str(trajectory.info.root)},
                "query": [],
                "extra_info": {"model": step.message.model},
            }
            for step in steps
        ],
        "history": list(_history(trajectory)),
        "info": {
            "model_stats": {
                "instance_cost": paid(trajectory.cost) or 0.0,
                "tokens_sent": usage.prompt,
                "tokens_received": usage.output,
                "api_calls": len(steps),
            },
            "exit_status": exit_status(trajectory.status).lower(),
            "submission": trajectory.patch,
        },
        "replay_config": json.dumps(
            {"problem_statement": {"text": trajectory.info.task, "id": instance}}
        ),
        "environment": "parity",
    }
    return json.dumps(told, indent=1) + "\n"


def action(call: ToolCall) -> str:
    """A call as one line: its tool, then its arguments as JSON."""
    return f"{call.name} {json.dumps(dict(call.arguments))}"


def paid(cost: Cost) -> float | None:
    """Dollars, for electricity too where that is known; None: the tokens' price is unknown."""
    return None if cost.api_usd is None else cost.api_usd + (cost.electricity_usd or 0.0)


def exit_status(status: Status | None) -> str:
    """As SWE-agent and its relatives name an ending: `Submitted` where a change was left that is
    not known to be wrong."""
    match status:
        case Status.VERIFIED | Status.UNVERIFIED | Status.PLANNED:
            return "Submitted"
        case Status.STEP_LIMIT | Status.TOKEN_LIMIT | Status.TIME_LIMIT | Status.DOLLAR_LIMIT:
            return "LimitsExceeded"
        case None:
            return "Unfinished"
        case _:
            return "".join(word.capitalize() for word in status.value.split())


def _history(trajectory: Trajectory) -> Any:  # noqa: ANN401  an iterator of JSON objects
    for item in trajectory.items:
        match item:
            case Told(_, message):
                system = isinstance(message, SystemMessage)
                kind = "system_prompt" if system else "observation"
                yield _said("system" if system else "user", message.text, kind)
            case Step():
                said = item.message
                calls = [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {
                            "name": call.name,
                            "arguments": json.dumps(dict(call.arguments)),
                        },
                    }
                    for call in said.calls
                ]
                yield {
                    **_said("assistant", said.text, "action"),
                    "thought": said.reasoning or said.text,
                    "action": "\n".join(map(action, said.calls)),
                    "tool_calls": calls or None,
                }
                for known in item.outcomes:
                    yield {
                        **_said("tool", known.output, "observation"),
                        "tool_call_ids": [known.call.id],
                    }
            case Checked() | Note():
                pass


def _said(role: str, content: str, kind: str) -> dict[str, Any]:
    return {"role": role, "content": content, "agent": "main", "message_type": kind}
