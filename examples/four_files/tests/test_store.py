import pytest

from taskbook.store import BrokenFile, load, save
from taskbook.task import Task


def test_tasks_survive(tmp_path):
    tasks = [Task(1, "Water the plants"), Task(2, "Call Ann", done=True)]
    save(tasks, tmp_path / "tasks.jsonl")
    assert load(tmp_path / "tasks.jsonl") == tasks


def test_no_file_is_no_tasks(tmp_path):
    assert load(tmp_path / "tasks.jsonl") == []


@pytest.mark.parametrize("line", ["no json", '{"number": 1}', "[]"])
def test_a_broken_line_is_named(tmp_path, line):
    (tmp_path / "tasks.jsonl").write_text(
        '{"number": 1, "title": "a", "done": false}\n' + line + "\n"
    )
    with pytest.raises(BrokenFile, match="line 2"):
        load(tmp_path / "tasks.jsonl")
