"""A session as a `.traj.json` file of mini-swe-agent, version 1.1.

Owns the mapping. Must not know where the text goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agent.export.swe_agent import exit_status, paid
from agent.export.trajectory import Checked, Note, Step, Told, Trajectory
from agent.export.version import version
from agent.messages import SystemMessage

FORMAT = "mini-swe-agent-1.1"


def to_mini_swe_agent(trajectory: Trajectory, instance: str = "") -> str:
    """One JSON object."""
    told = {
        "info": {
            "model_stats": {
                "instance_cost": paid(trajectory.cost) or 0.0,
                "api_calls": len(trajectory.steps),
            },
            "config": {
                "agent": {"name": "parity", "version": version()},
                "model": {"model_name": trajectory.model},
                "environment": {"cwd": str(trajectory.info.root)},
            },
            "mini_version": "",
            "exit_status": exit_status(trajectory.status),
            "submission": trajectory.patch,
        },
        "messages": list(_messages(trajectory)),
        "trajectory_format": FORMAT,
        "instance_id": instance or trajectory.info.id,
    }
    return json.dumps(told, indent=2) + "\n"


def _messages(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    for item in trajectory.items:
        match item:
            case Told(at, message):
                role = "system" if isinstance(message, SystemMessage) else "user"
                yield {"role": role, "content": message.text, "extra": {"timestamp": at}}
            case Step():
                yield _answer(item)
                for known in item.outcomes:
                    yield {
                        "role": "tool",
                        "tool_call_id": known.call.id,
                        "content": known.output,
                        "extra": {"returncode": 0 if known.ok else 1, "timestamp": item.at},
                    }
            case Checked() | Note():
                pass


def _answer(step: Step) -> dict[str, Any]:
    said = step.message
    answer: dict[str, Any] = {"role": "assistant", "content": said.text}
    if said.reasoning:
        answer["reasoning_content"] = said.reasoning
    if said.calls:
        answer["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
            }
            for call in said.calls
        ]
    usage = step.usage
    answer["extra"] = {
        "timestamp": step.at,
        "model": said.model,
        "cost": paid(step.cost),
        "actions": [{"tool": call.name, "tool_call_id": call.id} for call in said.calls],
        "usage": {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.output,
            "cached_tokens": usage.reused,
        },
    }
    return answer
