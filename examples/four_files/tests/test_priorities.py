import pytest

from taskbook.commands import BadCommand, run
from taskbook.store import BrokenFile, load, save


@pytest.fixture
def tasks():
    made = []
    for line in ("add Tidy up !low", "add Call Ann", "add Pay the rent !high", "add Bake !normal"):
        run(line, made)
    return made


def test_the_priority_is_no_part_of_the_title():
    assert run("add Pay the rent !high", []) == "Added 1: Pay the rent"


def test_urgent_tasks_are_listed_first_and_marked(tasks):
    assert run("list", tasks).splitlines() == [
        "[ ]  3 ! Pay the rent",
        "[ ]  2 Call Ann",
        "[ ]  4 Bake",
        "[ ]  1 (Tidy up)",
    ]


def test_done_tasks_stay_behind_open_ones(tasks):
    run("done 3", tasks)
    rows = run("list", tasks).splitlines()
    assert rows[-1] == "[x]  3 ! Pay the rent"
    assert rows[0] == "[ ]  2 Call Ann"


def test_priorities_survive(tasks, tmp_path):
    save(tasks, tmp_path / "tasks.jsonl")
    assert run("list", load(tmp_path / "tasks.jsonl")) == run("list", tasks)


def test_older_files_still_open(tmp_path):
    old = tmp_path / "tasks.jsonl"
    old.write_text('{"number": 1, "title": "Call Ann", "done": false}\n')
    tasks = load(old)
    run("add Pay the rent !high", tasks)
    assert run("list", tasks) == "[ ]  2 ! Pay the rent\n[ ]  1 Call Ann"


def test_an_unknown_priority_in_a_file_is_named(tasks, tmp_path):
    save(tasks, tmp_path / "tasks.jsonl")
    text = (tmp_path / "tasks.jsonl").read_text()
    (tmp_path / "tasks.jsonl").write_text(text.replace("high", "soon"))
    with pytest.raises(BrokenFile, match="line 3"):
        load(tmp_path / "tasks.jsonl")


def test_an_unknown_priority_is_refused():
    tasks = []
    with pytest.raises(BadCommand, match="high, normal, low"):
        run("add Pay the rent !soon", tasks)
    assert tasks == []


def test_an_exclamation_mark_within_a_title():
    tasks = []
    assert run("add Say hi! to Ann", tasks) == "Added 1: Say hi! to Ann"
    run("add Shout !high at noon", tasks)
    assert tasks[1].title == "Shout !high at noon"


def test_a_priority_alone_is_no_title():
    with pytest.raises(BadCommand, match="title"):
        run("add !high", [])


def test_next(tasks):
    assert run("next", tasks) == "[ ]  3 ! Pay the rent"
    for number in (1, 2, 3, 4):
        run(f"done {number}", tasks)
    assert run("next", tasks) == "Nothing to do."
