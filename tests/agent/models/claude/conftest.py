"""The server, and a model that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.models.claude.access import Access
from agent.models.claude.model import ClaudeModel
from agent.models.claude.wire import Wire
from tests.agent.models.claude.messages_server import KEY, MessagesServer, serve

SONNET = "claude-sonnet-5-5"


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with serve(MessagesServer()) as serving:
        yield serving


@pytest.fixture
def claude(server: MessagesServer) -> Iterator[ClaudeModel]:
    model = ClaudeModel(SONNET, Wire(Access(KEY), server.address))
    yield model
    model.close()
