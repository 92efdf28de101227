"""A session as JSON: all events as they were recorded, and what the session is.

Owns that form. Must not know where it goes.
"""

from __future__ import annotations

import json

from agent import events
from agent.export.trajectory import Trajectory

SCHEMA = "parity-session-1"


def to_json(trajectory: Trajectory) -> str:
    """One object: `schema`, `session`, `events`; each of those as `agent fix --json` prints it,
    with `at`, the seconds since the epoch."""
    info = trajectory.info
    told = {
        "schema": SCHEMA,
        "session": {
            "id": info.id,
            "title": trajectory.title,
            "task": info.task,
            "root": str(info.root),
            "started": info.started,
        },
        "events": [{**events.to_json(event), "at": at} for at, event in trajectory.events],
    }
    return json.dumps(told, indent=1) + "\n"
