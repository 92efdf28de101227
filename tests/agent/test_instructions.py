"""Instructions: what a conversation is told of them, when, and how much."""

from __future__ import annotations

from agent.instructions import Instructions, room
from agent.models.base import ModelSpec, Steering
from agent.trust import ProjectFile

ROOT = ProjectFile("AGENTS.md", b"Use tabs.\n")
FILES = (
    ROOT,
    ProjectFile("pkg/AGENTS.md", b"No prints.\n"),
    ProjectFile("pkg/deep/CLAUDE.md", b"Be brief.\n"),
    ProjectFile("web/AGENTS.md", b"No jQuery.\n"),
)


def test_the_roots_open_the_conversation_and_no_others() -> None:
    opening = Instructions(FILES, 1000).opening("You repair.")
    assert opening.startswith("You repair.\n\n")
    assert "Use tabs." in opening
    assert "No prints." not in opening
    assert Instructions().opening("You repair.") == "You repair."


def test_a_folders_are_told_once_when_a_file_of_it_is_used() -> None:
    instructions = Instructions(FILES, 1000)
    assert instructions.for_paths(["app.py", "package/x.py", "."]) == ""
    told = instructions.for_paths(["pkg/deep/a.py"])
    assert told.index("No prints.") < told.index("Be brief.")
    assert "the folder pkg/deep" in told
    assert "jQuery" not in told
    assert instructions.for_paths(["pkg/b.py", "pkg/deep/a.py"]) == ""
    assert "jQuery" in instructions.for_paths(["web"])
    instructions.forget()
    assert "No prints." in instructions.for_paths(["pkg/b.py"])


def test_long_ones_are_cut_and_that_is_said() -> None:
    long = ProjectFile("AGENTS.md", b"begin " + b"x" * 5000 + b" end")
    instructions = Instructions((long,), 300)
    assert len(instructions.opening("")) < 400
    assert "begin" in instructions.opening("")
    assert instructions.notices() == (
        "AGENTS.md has 5,010 characters; the model is told 300 of them.",
    )
    assert Instructions((ROOT,), 300).notices() == ()


def test_a_small_window_and_a_weak_model_get_less() -> None:
    small, large = ModelSpec("s", context=4096), ModelSpec("l", context=1_000_000)
    assert room(small, Steering.GUIDED) < room(small, Steering.FREE) < 4096
    assert room(large, Steering.GUIDED) <= 1500


def test_nothing_in_them_hides_and_no_encoding_stops_them() -> None:
    text = "a\u202eb \x1b[2Jc $name ${x}\n".encode()
    opening = Instructions((ProjectFile("AGENTS.md", text),), 1000).opening("")
    assert "a\\u202eb c $name ${x}" in opening
    latin = ProjectFile("AGENTS.md", "Größe in Bögen\n".encode("latin-1"))
    assert "Größe" in Instructions((latin,), 1000).opening("")
