"""Folders of replays with attempts made up here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agent.replay.results import Attempt
from agent.replay.store import Fitness, Listed, Plan, Replay, Store

GOLD = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,1 +1,1 @@\n-a = 1\n+a = 2\n"


def listed(name: str, kind: str = "repository", **values: str) -> Listed:
    given = {
        "problem": f"Mend {name}.",
        "gold": GOLD,
        "source": "SWE-bench" if kind == "repository" else "HumanEval",
        **values,
    }
    return Listed(name, kind, given.pop("problem"), given.pop("gold"), 1, 2, **given)


def replayed(
    folder: Path,
    models: Sequence[str],
    instances: Iterable[Listed],
    attempts: Iterable[Attempt],
    unfit: Mapping[str, str] = {},
    skipped: Mapping[str, str] = {},
    record: Sequence[Mapping[str, object]] = (),
) -> Replay:
    """A run's folder; every attempt has the same record."""
    store = Store(folder)
    plan = Plan(
        tasks="tasks.jsonl",
        models=tuple(models),
        attempts=1,
        environment="local",
        limits={"max_steps": 40.0},
        settings={"steering": "guided"},
        skipped=skipped,
        started="2026-01-02T03:04:05+00:00",
        program="1",
    )
    store.begin(plan, instances)
    for name, why in unfit.items():
        store.judge(Fitness(name, why))
    for attempt in attempts:
        draft = store.draft(attempt.model, attempt.instance, attempt.number)
        if record:
            (draft / "session").mkdir()
            lines = "".join(json.dumps(line) + "\n" for line in record)
            (draft / "session" / "record.jsonl").write_text(lines)
        store.keep(attempt, draft)
    return store.read()


RECORD: Sequence[Mapping[str, object]] = (
    {"event": "said", "message": {"role": "system", "text": "You are an agent."}},
    {"event": "said", "message": {"role": "user", "text": "Mend it."}},
    {
        "event": "said",
        "message": {
            "role": "assistant",
            "text": "I look first.",
            "reasoning": "Where may it be?",
            "calls": [{"id": "1", "name": "read_file", "arguments": {"path": "a.py"}}],
            "malformed": [],
        },
    },
    {
        "event": "tool_finished",
        "origin": "model",
        "call": {"id": "1", "name": "read_file", "arguments": {"path": "a.py"}},
        "result": {"ok": True, "display": "read a.py (1 line)", "output": "a = 1"},
    },
    {
        "event": "tool_finished",
        "origin": "harness",
        "call": {"id": "2", "name": "run_tests", "arguments": {}},
        "result": {"ok": False, "display": "tests: 1 failed", "output": "assert 1 == 2"},
    },
    {"event": "rewound", "messages": 2, "reason": "no better"},
    {"event": "turn_finished", "status": "verified", "summary": "1 test fixed"},
)
