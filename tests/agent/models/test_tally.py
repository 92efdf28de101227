from __future__ import annotations

from pathlib import Path

from agent.messages import AssistantMessage, ToolCall
from agent.models.tally import Counts, Tally

CALL = ToolCall("1", "read_file", {})


def test_counts_are_kept_by_model_from_run_to_run(tmp_path: Path) -> None:
    for _ in range(2):
        tally = Tally(tmp_path)
        tally.count(AssistantMessage("", calls=(CALL, CALL), model="a"))
        tally.count(AssistantMessage("", calls=(CALL,), raw="<call>", model="a"))
        tally.count(AssistantMessage("", malformed=("one",), model="a"))
        tally.count(AssistantMessage("", calls=(CALL,), mended=("two",), model="a"))
        tally.count(AssistantMessage("", malformed=("three",), model="b"))
        tally.close()
        tally.close()
    counts = Tally(tmp_path).of("a")
    assert counts == Counts(native=6, text=2, malformed=4, mended=2)
    assert str(counts) == (
        "6 native, 2 in the text, 4 of 10 (40%) malformed, 2 mended by asking again"
    )
    assert Tally(tmp_path).of("b").malformed == 2
    assert Tally(tmp_path).of("c") == Counts()


def test_a_line_that_is_broken_hides_no_other(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.count(AssistantMessage("", calls=(CALL,), model="a"))
    tally.close()
    with (tmp_path / "calls.jsonl").open("a") as file:
        file.write('{"model": "a", "native"\n[1]\n{"model": "a", "other": 3}\n')
    assert Tally(tmp_path).of("a") == Counts(native=1)


def test_a_run_without_calls_leaves_nothing(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.count(AssistantMessage("Done.", model="a"))
    tally.close()
    assert list(tmp_path.iterdir()) == []
