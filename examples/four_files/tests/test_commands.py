import pytest

from taskbook.commands import BadCommand, run


def test_tasks_are_added_and_listed():
    tasks = []
    assert run("add Water the plants", tasks) == "Added 1: Water the plants"
    run("add Call Ann", tasks)
    assert run("list", tasks) == "[ ]  1 Water the plants\n[ ]  2 Call Ann"


def test_done_tasks_go_to_the_end():
    tasks = []
    run("add First", tasks)
    run("add Second", tasks)
    assert run("done 1", tasks) == "Done: First"
    assert run("list", tasks) == "[ ]  2 Second\n[x]  1 First"


def test_an_empty_list():
    assert run("list", []) == "Nothing to do."


@pytest.mark.parametrize("line", ["", "dance", "add", "done 7"])
def test_what_cannot_be_understood(line):
    with pytest.raises(BadCommand):
        run(line, [])
