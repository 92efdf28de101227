"""What the text may mean: the choices that are offered for it, the words about it.

Owns the reading of an unfinished text. Must not know the widgets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from tools.text import shown
from tools.text_filter import clip_line
from tui import commands
from tui.commands import CommandRefused
from tui.completion import Place
from tui.fuzzy import Haystack
from tui.prompt_history import Draft
from tui.widgets.prompt.menu import Choice
from tui.widgets.prompt.sending import is_command

OFFERED = 30
"""Choices of a list at most."""
SEARCH_HINT = "Enter takes it · Esc goes back"
_LINE = 200
"""Characters of a prompt where it is shown as one line."""
_NAMING = re.compile(r"""(?:^|(?<=[\s("'`\[]))@([^\s"@]*)$""")


def naming(before: str) -> str | None:
    """What stands behind the `@` that is being written; None if none is.

    Args:
        before: The line up to the cursor.
    """
    found = _NAMING.search(before)
    return found[1] if found else None


def one_line(draft: Draft) -> str:
    """A prompt as it stands in a list."""
    return clip_line(shown(draft.text.strip()), _LINE)


def named(query: str) -> Iterator[Choice]:
    """Commands."""
    for command, hit in commands.search(query):
        label = f"/{command.name} {command.arguments}".strip()
        yield Choice(command, label, command.help, tuple(place + 1 for place in hit.marks))


def placed(places: Sequence[Place]) -> list[Choice]:
    """Files and symbols."""
    return [Choice(each, each.label, each.path if each.symbol else "", each.marks)
            for each in places]  # fmt: skip


def sent_before(drafts: Sequence[Draft], query: str) -> Iterator[Choice]:
    """Earlier prompts, each once, the last ones first.

    Args:
        drafts: The oldest first.
    """
    newest = drafts[::-1]
    lines = [one_line(draft) for draft in newest]
    seen: set[str] = set()
    for hit in Haystack(lines, ordered=True).search(query, len(lines)):
        if lines[hit.index] not in seen and len(seen) < OFFERED:
            seen.add(lines[hit.index])
            yield Choice(newest[hit.index], lines[hit.index], "", hit.marks)


def hint(text: str, *, at_work: bool, queued: bool, focused: bool) -> str:
    """One line on what the text will be, or what can be done.

    Args:
        focused: Whether the keys are the prompt's: while a question has them, Enter queues nothing.
    """
    if text.startswith("!!"):
        return "a shell line in the sandbox; the model is not told"
    if text.startswith("!"):
        return "a shell line in the sandbox; !! keeps it from the model"
    if is_command(text):
        with suppress(CommandRefused):
            command, _ = commands.parse(text)
            return f"/{command.name} {command.arguments}".strip() + f": {command.help}"
    if at_work and not focused:
        return "Esc interrupts"
    if queued:
        return "↑ takes the last one back · ctrl+s sends now"
    if at_work:
        return ("Enter queues · ctrl+s sends now · " if text else "") + "Esc interrupts"
    return "" if text else "@ files · / commands · ! shell"


def placeholder(*, at_work: bool, searching: bool) -> str:
    """What stands where nothing is written yet."""
    if searching:
        return "Words of an earlier prompt"
    return "Type ahead: it is sent when the turn ends" if at_work else "What shall be done?"
