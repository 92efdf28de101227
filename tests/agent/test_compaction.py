"""What survives when a conversation is made shorter."""

from __future__ import annotations

import pytest

from agent.compaction import FILES, HEADING, TESTS, TODO, compact
from agent.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolOutput,
    UserMessage,
)

SYSTEM = "Mend it."
TASK = UserMessage("The mean of [1, 2] is wrong.")


def size(message: Message) -> int:
    return len(repr(message)) // 4


def total(messages: list[Message]) -> int:
    return sum(map(size, messages))


def step(number: int, tool: str, path: str, output: str, *, ok: bool = True) -> list[Message]:
    call = ToolCall(f"c{number}", tool, {"path": path})
    result = ToolOutput(call.id, tool, output, ok)
    return [AssistantMessage(f"Thought {number}.", calls=(call,)), ToolMessage((result,))]


def long(steps: int, output: str = "x = 1\n" * 200) -> list[Message]:
    history: list[Message] = [SystemMessage(SYSTEM), TASK]
    for number in range(steps):
        tool = "edit" if number % 5 == 3 else "read_file"
        history += step(number, tool, f"m{number}.py", output)
    return history


def paired(messages: list[Message]) -> bool:
    """Whether each call has its result right after it, and no result is without its call."""
    for before, message in zip([None, *messages], [*messages, None], strict=True):
        calls = [c.id for c in before.calls] if isinstance(before, AssistantMessage) else []
        told = [r.call_id for r in message.results] if isinstance(message, ToolMessage) else []
        if calls != told:
            return False
    return True


@pytest.mark.parametrize("room", [1000, 2000, 5000])
def test_the_task_comes_first_and_the_last_steps_as_they_were(room: int) -> None:
    history = long(30)
    shorter = compact(history, 1, room, size, SYSTEM)
    assert total(shorter) <= room * 1.05
    assert shorter[:2] == history[:2]
    assert shorter[-2:] == history[-2:]
    assert paired(shorter)


def test_what_was_done_is_listed() -> None:
    history = [*long(6), *step(8, "run_tests", ".", "1 failed", ok=False), *long(4)[2:]]
    (told,) = [
        message.text
        for message in compact(history, 1, 1200, size, SYSTEM, ["other.py"])
        if isinstance(message, UserMessage) and message.text.startswith(HEADING)
    ]
    assert "- you said: Thought 0." in told
    assert "- read_file path=m0.py: ok" in told
    assert "- edit path=m3.py: ok" in told
    assert "- run_tests path=.: failed: 1 failed" in told
    assert told.partition(f"{FILES}\n")[2].startswith("m3.py\nother.py\n")
    assert told.endswith(f"{TESTS}\n1 failed")


def test_a_list_is_carried_over_into_the_next() -> None:
    history = compact(long(30), 1, 1500, size, SYSTEM, tested="2 failed")
    again = compact([*history, *long(30)[2:]], 1, 1500, size, SYSTEM)
    told = [m for m in again if isinstance(m, UserMessage) and m.text.startswith(HEADING)]
    assert len(told) == 1
    assert "m3.py" in told[0].text
    assert told[0].text.endswith("2 failed")
    assert total(again) <= 1600


def test_changes_stay_in_a_list_that_has_no_room_for_what_was_read() -> None:
    told = str(compact(long(200), 1, 2500, size, SYSTEM))
    assert "edit path=m3.py" in told
    assert "read_file path=m0.py" not in told
    assert "lines are left out)" in told


def test_earlier_requests_of_the_user_are_told() -> None:
    history = [*long(10), AssistantMessage("Done."), UserMessage("Now the median."), *long(10)[2:]]
    shorter = compact(history, 23, 1500, size, SYSTEM)
    assert shorter[1] == UserMessage("Now the median.")
    assert "- told: The mean of [1, 2] is wrong." in str(shorter[2])


def test_one_result_that_is_too_long_is_clipped() -> None:
    history = [*long(3), *step(9, "run", ".", "begin" + "y" * 100_000 + "end")]
    shorter = compact(history, 1, 1000, size, SYSTEM)
    assert total(shorter) <= 1050
    assert paired(shorter)
    last = shorter[-1]
    assert isinstance(last, ToolMessage)
    assert last.results[0].output.startswith("begin")
    assert last.results[0].output.endswith("end")


def test_a_task_that_is_too_long_is_clipped() -> None:
    history: list[Message] = [SystemMessage(SYSTEM), UserMessage("begin" + "z" * 100_000 + "end")]
    shorter = compact(history, 1, 1000, size, SYSTEM)
    assert total(shorter) <= 1000
    assert "begin" in str(shorter[1])
    assert "end" in str(shorter[1])


def test_an_answer_that_is_too_long_leaves_its_results() -> None:
    call = ToolCall("w", "write_file", {"path": "big.py", "content": "z" * 100_000})
    results = ToolMessage((ToolOutput("w", "write_file", "It does not parse: line 7."),))
    history: list[Message] = [*long(3), AssistantMessage("", calls=(call,)), results]
    shorter = compact(history, 1, 1500, size, "")
    assert total(shorter) <= 1600
    assert paired(shorter)
    assert "It does not parse: line 7." in str(shorter[-1])
    assert "big.py" in str(shorter)


def todo_step(number: int, items: str) -> list[Message]:
    call = ToolCall(f"t{number}", "todo", {"items": items})
    return [
        AssistantMessage("", calls=(call,)),
        ToolMessage((ToolOutput(call.id, "todo", "1 of 2 done."),)),
    ]


def test_the_to_do_list_survives_whole_twice_over() -> None:
    listed = "[x] find it\n[>] mend it\n[ ] run the tests"
    history = [*long(3), *todo_step(1, "[ ] old"), *todo_step(2, listed), *long(30)[2:]]
    once = compact(history, 1, 2000, size, SYSTEM)
    assert f"{TODO}\n{listed}" in texts(once)
    assert "[ ] old" not in texts(once)
    again = compact([*once, *long(30)[2:]], 1, 2000, size, SYSTEM)
    assert f"{TODO}\n{listed}" in texts(again)


def test_a_list_that_is_still_there_is_not_told_twice() -> None:
    history = [*todo_step(1, "[ ] old"), *long(30)[2:], *todo_step(2, "[x] new")]
    shorter = compact([SystemMessage(SYSTEM), TASK, *history], 1, 2000, size, SYSTEM)
    assert TODO not in texts(shorter)


def texts(messages: list[Message]) -> str:
    return "\n".join(message.text for message in messages if isinstance(message, UserMessage))
