from pathlib import Path

from tui.prompt_history import KEPT, LONGEST, Draft, PromptHistory


def opened(place: Path) -> PromptHistory:
    history = PromptHistory(place)
    history.redacted_by(lambda text: text.replace("hunter2hunter2", "[redacted]"))
    return history


def test_prompts_are_there_the_next_time_without_secrets_and_for_the_owner_alone(
    tmp_path: Path,
) -> None:
    place = tmp_path / "state" / "prompts" / "one.jsonl"
    history = PromptHistory(place)
    history.add(Draft("before it is open: hunter2hunter2"))
    assert not place.exists()  # what must not be kept is not known yet
    history.redacted_by(lambda text: text.replace("hunter2hunter2", "[redacted]"))
    history.add(Draft("see [pasted 4 lines #1]", {1: "a\nhunter2hunter2\nc\nd"}))
    again = opened(place).drafts
    assert [draft.text for draft in again] == [
        "before it is open: [redacted]",
        "see [pasted 4 lines #1]",
    ]
    assert again[1].pastes == {1: "a\n[redacted]\nc\nd"}
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert b"hunter2" not in place.read_bytes()


def test_the_same_prompt_again_is_kept_once(tmp_path: Path) -> None:
    history = opened(tmp_path / "h")
    for text in ("a", "a", "b", "a"):
        history.add(Draft(text))
    assert [draft.text for draft in opened(tmp_path / "h").drafts] == ["a", "b", "a"]


def test_two_instances_lose_nothing_of_each_other(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "h"), opened(tmp_path / "h")
    one.add(Draft("one"))
    other.add(Draft("other"))
    one.add(Draft("one more"))
    texts = [draft.text for draft in opened(tmp_path / "h").drafts]
    assert texts == ["one", "other", "one more"]


def test_it_is_bounded(tmp_path: Path) -> None:
    history = opened(tmp_path / "h")
    for number in range(2 * KEPT + 1):
        history.add(Draft(f"prompt {number}"))
    history.add(Draft("x" * (LONGEST + 1)))
    drafts = opened(tmp_path / "h").drafts
    assert len(drafts) == KEPT
    assert drafts[-1].text == f"prompt {2 * KEPT}"
    assert (tmp_path / "h").read_bytes().count(b"\n") == KEPT


def test_damage_is_passed_over(tmp_path: Path) -> None:
    opened(tmp_path / "h").add(Draft("good"))
    with (tmp_path / "h").open("ab") as out:
        out.write(b'\xff\xfe\n{"text": 3}\n[]\n{"text": "torn')
    assert [draft.text for draft in opened(tmp_path / "h").drafts] == ["good"]


def test_it_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "h").symlink_to(tmp_path / "elsewhere")
    opened(tmp_path / "h").add(Draft("secret plans"))
    assert (tmp_path / "elsewhere").read_text() == ""
