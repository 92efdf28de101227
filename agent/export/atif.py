"""A session in the Agent Trajectory Interchange Format, version 1.7.

Owns the mapping. Must not know where the text goes. What the format has no place for stands in
`extra`.
"""

from __future__ import annotations

import json
from typing import Any

from agent.export.swe_agent import paid
from agent.export.trajectory import Checked, Item, Note, Outcome, Step, Told, Trajectory, clock
from agent.export.version import version
from agent.messages import SystemMessage

SCHEMA = "ATIF-v1.7"


def to_atif(trajectory: Trajectory) -> str:
    """One JSON object."""
    usage = trajectory.usage
    steps = [
        {"step_id": number, "timestamp": clock(item.at), **_step(item)}
        for number, item in enumerate(trajectory.items, start=1)
    ]
    told = {
        "schema_version": SCHEMA,
        "session_id": trajectory.info.id,
        "agent": {"name": "parity", "version": version(), "model_name": trajectory.model or None},
        "steps": steps,
        "final_metrics": {
            "total_prompt_tokens": usage.prompt,
            "total_completion_tokens": usage.output,
            "total_cached_tokens": usage.reused,
            "total_cost_usd": paid(trajectory.cost),
            "total_steps": len(steps),
        },
        "extra": {
            "title": trajectory.title,
            "turns": [
                {
                    "task": turn.task,
                    "status": turn.finished.status.value if turn.finished else None,
                    "summary": turn.finished.summary if turn.finished else None,
                    "patch": turn.finished.patch if turn.finished else None,
                }
                for turn in trajectory.turns
            ],
        },
    }
    return json.dumps(_known(told), indent=1) + "\n"


def _step(item: Item) -> dict[str, Any]:
    match item:
        case Told(_, message):
            source = "system" if isinstance(message, SystemMessage) else "user"
            return {"source": source, "message": message.text}
        case Note(_, text):
            return {"source": "system", "message": text, "extra": {"kind": "notice"}}
        case Checked(_, outcome):
            return {
                "source": "system",
                "message": outcome.display,
                "observation": {"results": [{"content": outcome.output}]},
                "extra": {"kind": "harness", "tool": outcome.call.name, "ok": outcome.ok},
            }
        case Step():
            return _answer(item)


def _answer(step: Step) -> dict[str, Any]:
    message, usage = step.message, step.usage
    calls = [
        {
            "tool_call_id": call.id,
            "function_name": call.name,
            "arguments": dict(call.arguments),
        }
        for call in message.calls
    ]
    metrics = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "cached_tokens": usage.reused,
        "cost_usd": paid(step.cost),
    }
    return {
        "source": "agent",
        "model_name": message.model or None,
        "message": message.text,
        "reasoning_content": message.reasoning or None,
        "tool_calls": calls or None,
        "observation": {"results": [_result(known) for known in step.outcomes]}
        if step.outcomes
        else None,
        "metrics": metrics if step.finished else None,
        "extra": {"malformed": list(message.malformed)} if message.malformed else None,
    }


def _result(outcome: Outcome) -> dict[str, Any]:
    return {"source_call_id": outcome.call.id, "content": outcome.output}


def _known(plain: Any) -> Any:  # noqa: ANN401  JSON has no narrower type
    """Without the fields that are not known; arguments of calls are left as they are."""
    if isinstance(plain, dict):
        return {
            name: value if name == "arguments" else _known(value)
            for name, value in plain.items()
            if value is not None
        }
    return [_known(item) for item in plain] if isinstance(plain, list) else plain
