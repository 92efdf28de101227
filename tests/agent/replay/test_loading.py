"""From files of every format to instances; what cannot be used is named and left out."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.replay.instance import RepositoryTask
from agent.replay.sources.loading import Loaded, load
from agent.replay.sources.rows import Row, Skipped
from agent.replay.sources.swebench import reverse
from tests.agent.replay.rows import ENV, HUMANEVAL, MBPP, QUIXBUGS, SWEBENCH, written

ROOT = Path(__file__).resolve().parents[3]


def task(loaded: Loaded) -> RepositoryTask:
    (instance,) = loaded.instances
    assert isinstance(instance.task, RepositoryTask)
    return instance.task


def test_a_row_of_swebench(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, SWEBENCH))
    (instance,) = loaded.instances
    assert (instance.id, instance.problem, instance.hints) == (
        "owner__name-1",
        "It fails.",
        "Look there.",
    )
    assert task(loaded).fail_to_pass == ("test_a.py::test_b",)
    assert task(loaded).pass_to_pass == ("test_a.py::test_c", "test_a.py::test_d")
    assert task(loaded).recipes == ()


def test_recipes_and_excluded_tests(tmp_path: Path) -> None:
    other = {**ENV, "name": "name-py39", "python": "3.9", "name_normalise": "drop_method"}
    row = {**SWEBENCH, "env": ENV, "env_alt": [other], "p2p_excluded": ["test_a.py::test_d"]}
    found = task(load(written(tmp_path, row)))
    assert [recipe.python for recipe in found.recipes] == ["3.11", "3.9"]
    assert [recipe.normalise for recipe in found.recipes] == ["", "drop_method"]
    assert found.recipes[0].variables == {"A": "1"}
    assert found.pass_to_pass == ("test_a.py::test_c",)
    assert found.log_parser == "parse_log_pytest"


def test_what_newer_sets_add(tmp_path: Path) -> None:
    row = {
        **SWEBENCH,
        "FAIL_TO_PASS": ["a b"],
        "image": "registry/x:1",
        "eval_script": "run",
        "log_parser": "parse_log_go",
        "eval_type": "fail_only",
        "difficulty": "<15 min fix",
    }
    loaded = load(written(tmp_path, row))
    found = task(loaded)
    assert (found.image, found.eval_script, found.log_parser) == (
        "registry/x:1",
        "run",
        "parse_log_go",
    )
    assert found.fail_only
    assert found.fail_to_pass == ("a b",)
    assert loaded.instances[0].difficulty == "<15 min fix"


FAULT = """\
diff --git a/calc.py b/calc.py
index 1..2 100644
--- a/calc.py
+++ b/calc.py
@@ -1,3 +1,4 @@
 def add(a, b):
-    return a + b
+    c = a - b
+    return c
 # end
\\ No newline at end of file
"""


def test_a_row_of_swe_smith_is_turned_round(tmp_path: Path) -> None:
    row = {
        key: value for key, value in SWEBENCH.items() if key not in ("base_commit", "test_patch")
    }
    found = task(load(written(tmp_path, {**row, "image_name": "x", "patch": FAULT})))
    assert found.base_commit == "owner__name-1~1"
    (tmp_path / "calc.py").write_text("def add(a, b):\n    c = a - b\n    return c\n# end")
    subprocess.run(["git", "apply"], input=found.patch.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "calc.py").read_text() == "def add(a, b):\n    return a + b\n# end"


def test_files_that_came_and_went_are_turned_round(tmp_path: Path) -> None:
    came = "diff --git a/n.py b/n.py\nnew file mode 100644\n--- /dev/null\n+++ b/n.py\n"
    came += "@@ -0,0 +1,1 @@\n+one = 1\n"
    (tmp_path / "n.py").write_text("one = 1\n")
    subprocess.run(["git", "apply"], input=reverse(came).encode(), cwd=tmp_path, check=True)
    assert not (tmp_path / "n.py").exists()
    again = reverse(reverse(came)).encode()
    subprocess.run(["git", "apply"], input=again, cwd=tmp_path, check=True)
    assert (tmp_path / "n.py").read_text() == "one = 1\n"


def without(row: Mapping[str, object], *names: str) -> Mapping[str, object]:
    return {key: value for key, value in row.items() if key not in names}


@pytest.mark.parametrize(
    ("row", "name", "reason"),
    [
        (without(SWEBENCH, "base_commit"), "owner__name-1", "there is no column base_commit"),
        (without(SWEBENCH, "patch"), "owner__name-1", "there is no column patch"),
        (without(SWEBENCH, "FAIL_TO_PASS"), "owner__name-1", "there is no column FAIL_TO_PASS"),
        (without(SWEBENCH, "PASS_TO_PASS"), "owner__name-1", "there is no column PASS_TO_PASS"),
        ({**SWEBENCH, "base_commit": "--upload-pack=x"}, "owner__name-1", "no commit"),
        ({**SWEBENCH, "repo": "-x/y"}, "owner__name-1", "neither owner/name"),
        ({**SWEBENCH, "instance_id": "../../x"}, "line 2", "cannot be a file name"),
        ({**SWEBENCH, "instance_id": 3}, "line 2", "instance_id is not text"),
        ({**SWEBENCH, "FAIL_TO_PASS": "[]"}, "owner__name-1", "names no test"),
        ({**SWEBENCH, "FAIL_TO_PASS": "[1]"}, "owner__name-1", "not a list of texts"),
        ({**SWEBENCH, "PASS_TO_PASS": "{"}, "owner__name-1", "PASS_TO_PASS is not JSON"),
        ({**SWEBENCH, "env": without(ENV, "python")}, "owner__name-1", "env: there is no column"),
        ({**SWEBENCH, "instance_id": "good"}, "good", "there twice"),
        ("{", "line 2", "is not JSON"),
        ("[" * 100_000, "line 2", "is not JSON"),
        ("[]", "line 2", "is not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_used_is_one_line_and_the_rest_goes_on(
    tmp_path: Path, row: Mapping[str, object] | str, name: str, reason: str
) -> None:
    good, last = {**SWEBENCH, "instance_id": "good"}, {**SWEBENCH, "instance_id": "last"}
    loaded = load(written(tmp_path, good, row, last))
    assert [instance.id for instance in loaded.instances] == ["good", "last"]
    (skipped,) = loaded.skipped
    assert name in skipped.row
    assert reason in skipped.reason
    assert "\n" not in skipped.reason


def test_every_container_of_rows(tmp_path: Path) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    line = json.dumps(SWEBENCH)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    (tmp_path / "b.json").write_text(f"[{line}]")
    (tmp_path / "c.json").write_text(f'{{"x": {line}}}')
    lists = {**SWEBENCH, "FAIL_TO_PASS": ["test_a.py::test_b"]}
    pq.write_table(pa.Table.from_pylist([lists]), tmp_path / "d.parquet")
    names = ("a.jsonl.gz", "b.json", "c.json", "d.parquet")
    found = [load(str(tmp_path / name)).instances for name in names]
    assert [len(instances) for instances in found] == [1, 1, 1, 1]
    assert found[1:] == found[:-1]


def test_a_file_that_is_cut_off_keeps_what_came_before(tmp_path: Path) -> None:
    whole = gzip.compress(
        b"".join(
            json.dumps(
                {**SWEBENCH, "instance_id": f"n-{n}", "patch": os.urandom(5000).hex()}
            ).encode()
            + b"\n"
            for n in range(30)
        )
    )
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    loaded = load(str(tmp_path / "cut.jsonl.gz"))
    assert 5 < len(loaded.instances) < 25
    assert loaded.skipped[-1].reason == "the file is cut off or damaged here"


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("a.jsonl", b"", "There are no tasks"),
        ("a.jsonl", b"\xff\xfe{}\n", "There are no tasks in .*: line 1 is not UTF-8"),
        ("a.jsonl", b'{"a": 1}\n', "in no known format; their columns: a"),
        ("a.json", b"{", "cannot be read as JSON"),
        ("a.json", b"3", "holds no list"),
        ("a.jsonl.gz", b"no gzip", "is no gzip file"),
        ("a.parquet", b"no parquet", "is no parquet file"),
        ("a.csv", b"x", "is none of .jsonl"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, name: str, data: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=complaint) as caught:
        load(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.jsonl", "/nothing/at/all", "nothing"])
def test_a_set_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError, match="There is no file"):
        load(name)


def test_the_format_is_told_by_the_columns_even_where_some_are_missing(tmp_path: Path) -> None:
    for row, count in ((HUMANEVAL, 1), (MBPP, 1), (QUIXBUGS, 1)):
        broken = without(row, list(row)[-1])
        loaded = load(written(tmp_path, row, broken))
        assert len(loaded.instances) == count
        assert "there is no column" in loaded.skipped[0].reason


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lite", ("princeton-nlp/SWE-bench_Lite", "test")),
        ("verified:dev", ("princeton-nlp/SWE-bench_Verified", "dev")),
        ("owner/name:train", ("owner/name", "train")),
    ],
)
def test_names_of_sets_on_the_hub(name: str, expected: tuple[str, str]) -> None:
    asked: list[tuple[str, str]] = []

    def hub(name: str, split: str) -> Iterator[Row | Skipped]:
        asked.append((name, split))
        yield Row("row 1", SWEBENCH)

    loaded = load(name, hub)
    assert asked == [expected]
    assert loaded.instances[0].source == expected[0].partition("/")[2]


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from agent.errors import InputError\nfrom agent.replay.sources.loading import load\n"
        "try:\n    load('lite')\nexcept InputError as error:\n    print(error)\n"
    )
    environ = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    environ |= {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environ, capture_output=True, text=True, timeout=90
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith("The set princeton-nlp/SWE-bench_Lite:test cannot be had: "), done.stderr


@pytest.mark.skipif(
    not os.environ.get("PARITY_TASKS"), reason="PARITY_TASKS names no folder of sets"
)
def test_the_tasks_of_swebench() -> None:
    loaded = load(str(Path(os.environ["PARITY_TASKS"]) / "swebench" / "tasks.jsonl"))
    assert len(loaded.instances) == 47
    assert loaded.skipped == ()
    assert all(
        isinstance(each.task, RepositoryTask) and each.task.recipes for each in loaded.instances
    )
