"""Conversations with a scripted model, in a process of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.approval import AllowAll
from agent.conversation import Conversation
from agent.events import Event
from agent.session import SessionInfo
from agent.wanted import Wanted


def writes(path: str, content: str) -> str:
    """A step that writes a file, after reading it."""
    return (
        f'[[step]]\ntext = "I write {path}."\n[[step.call]]\ntool = "read_file"\npath = "{path}"\n'
        f'[[step.call]]\ntool = "write_file"\npath = "{path}"\ncontent = """\n{content}"""\n'
        '[[step]]\ntext = "Done."\n'
    )


@dataclass(slots=True)
class Place:
    """A repository, and folders for what the agent keeps."""

    home: Path
    root: Path

    @contextmanager
    def opened(
        self, script: str, resume: SessionInfo | None = None, *, on_copy: bool = False
    ) -> Iterator[Conversation]:
        """A conversation with a model that plays a script."""
        conversation = Conversation(
            Wanted(self.root, {"model": self.script(script)}, resume=resume, on_copy=on_copy),
            AllowAll(),
        )
        try:
            yield conversation
        finally:
            conversation.close()

    def script(self, text: str) -> str:
        path = self.home / f"script_{len(list(self.home.iterdir()))}.toml"
        path.write_text(text)
        return f"scripted:{path}"


def say(conversation: Conversation, task: str) -> list[Event]:
    """One turn."""
    return list(conversation.run(task, threading.Event()))
