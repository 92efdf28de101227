"""The model that plays a file."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from agent.errors import InputError, ModelError
from agent.messages import UserMessage
from agent.models.base import (
    Answer,
    EditFormat,
    ReasoningDelta,
    Request,
    Steering,
    StopReason,
    Tariff,
    TextDelta,
)
from agent.models.scripted import ScriptedModel

SCRIPT = """
steering = "guided"
edit_format = "search_replace"

[[step]]
reasoning = "Hm."
text = "The divisor is wrong."

[[step.call]]
tool = "edit"
path = "a.py"
old = "x"
new = '''
y'''

[[step]]
text = "Done."
"""

ASKED = Request(messages=(UserMessage("Go."),))


def load(tmp_path: Path, text: str) -> ScriptedModel:
    path = tmp_path / "steps.toml"
    path.write_text(text)
    return ScriptedModel.load(path)


def test_plays_its_steps_in_order(tmp_path: Path) -> None:
    model = load(tmp_path, SCRIPT)
    first = list(model.stream(ASKED, threading.Event()))
    assert first[:2] == [ReasoningDelta("Hm."), TextDelta("The divisor is wrong.")]
    answer = first[-1]
    assert isinstance(answer, Answer)
    (call,) = answer.message.calls
    assert (call.name, dict(call.arguments)) == ("edit", {"path": "a.py", "old": "x", "new": "y"})
    second = list(model.stream(ASKED, threading.Event()))[-1]
    assert isinstance(second, Answer)
    assert second.message.text == "Done."
    with pytest.raises(ModelError, match="no step 3"):
        list(model.stream(ASKED, threading.Event()))


def test_says_how_it_wants_to_be_used(tmp_path: Path) -> None:
    spec = load(tmp_path, SCRIPT).spec
    assert (spec.steering, spec.edit_format) == (Steering.GUIDED, EditFormat.SEARCH_REPLACE)
    assert spec.name == "scripted:steps.toml"


def test_may_be_priced_like_another_model(tmp_path: Path) -> None:
    assert load(tmp_path, SCRIPT).spec.tariff is None
    priced = load(tmp_path, 'price_as = "claude-sonnet-5-5"' + SCRIPT)
    assert priced.spec.tariff == Tariff("claude-sonnet-5-5")


def test_counts_only_what_is_new(tmp_path: Path) -> None:
    model = load(tmp_path, SCRIPT)
    answers = [list(model.stream(ASKED, threading.Event()))[-1] for _ in range(2)]
    usages = [answer.usage for answer in answers if isinstance(answer, Answer)]
    assert usages[0].evaluated == usages[0].prompt
    assert usages[1].evaluated == 0


def test_a_delay_is_cut_short_by_cancelling(tmp_path: Path) -> None:
    model = load(tmp_path, "[[step]]\ndelay = 30.0\ntext = 'late'\n")
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    started = time.monotonic()
    last = list(model.stream(ASKED, cancel))[-1]
    assert time.monotonic() - started < 5
    assert isinstance(last, Answer)
    assert last.stop is StopReason.CANCELLED


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[step]", "cannot be read"),
        ("steering = 'wild'", "steering"),
        ("[[step]]\nwords = 'x'", "words"),
        ("[[step]]\n[[step.call]]\npath = 'x'", "tool"),
    ],
)
def test_a_wrong_script_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        ScriptedModel.load(tmp_path / "none.toml")
