"""`agent replay --engine ray` on a cluster of two nodes on the loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.command import ROOT, Agent
from tests.e2e.test_replay import causes, results, words, write_tasks

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs ray")

# In a process of its own: Ray's threads and warnings are not ours.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
size = {"num_cpus": 2, "object_store_memory": 80 << 20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=size)
size.pop("include_dashboard")
other = cluster.add_node(**size)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(other, allow_graceful=False)
print("lost", flush=True)
sys.stdin.readline()
cluster.shutdown()
"""
SLOW = '[[step]]\ntext = "There is nothing to do."\ndelay = 0.7\n' * 4


class Cluster:
    """Two nodes, one of which can be lost."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)},
        )
        self.address = self._answer()

    def lose_a_node(self) -> None:
        self._say()
        assert self._answer() == "lost"

    def close(self) -> None:
        self._process.communicate("\n\n", timeout=60)

    def _say(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    if not cluster.address:
        pytest.skip("Ray does not start here")
    yield cluster
    cluster.close()


def test_what_a_lost_node_was_at_is_taken_up(
    agent: Agent, cluster: Cluster, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", 8)
    agent = Agent(agent.home, {**agent.environ, "RAY_ADDRESS": cluster.address}, agent.started)
    argv = words(tasks, "gold", agent.script(SLOW), workers=4)
    running = agent.start(*argv, "--engine", "ray", cwd=tmp_path)
    running.until("no patch", 2)
    cluster.lose_a_node()
    done = running.end()
    assert done.code == 0, done.err
    assert done.out.startswith("gold: 8 of 8 resolved\n")
    assert "0 of 8 resolved (8 no patch)" in done.out
    assert sorted(causes(tmp_path / "run")) == [*["no patch"] * 8, *["resolved"] * 8]
    for place in results(tmp_path / "run"):
        assert (tmp_path / "run" / place / "session" / "record.jsonl").is_file()


def test_without_a_cluster_one_line_says_what_to_do(agent: Agent, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", 1)
    done = agent.run(*words(tasks, "gold"), "--engine", "ray", cwd=tmp_path)
    assert done.code == 2
    assert "There is no Ray cluster: begin one with `ray start --head`" in done.complaint
