from __future__ import annotations

import socket
import threading
import time
from email.utils import formatdate

import pytest

from agent.errors import Unreachable
from agent.models.server.address import Address, parse_address
from agent.models.server.wire import Exchange, Refused, Timeouts, get_json, reason_of
from tests.agent.models.server.servers import Reply, data, error, serving
from tools.errors import Cancelled


def test_cancelling_does_not_wait_for_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        cancel = threading.Event()
        threading.Timer(0.3, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            list(
                Exchange(Address(False, "127.0.0.1", port, ""), "/", None).lines(cancel, Timeouts())
            )
        assert time.monotonic() - started < 0.5
        for one in waiting:
            one.close()


def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(Unreachable, match=r"nowhere\.invalid cannot be reached"):
        get_json(parse_address("http://nowhere.invalid", {}), "/v1/models", "")


def test_the_answer_comes_whole_and_the_key_with_the_question() -> None:
    with serving({"/x": lambda body: data({"said": "é" * 100_000})}) as server:
        address = parse_address(server.url, {})
        assert get_json(address, "/x", "k", {"a": 1}) == {"said": "é" * 100_000}
        assert server.asked == [("/x", {"a": 1})]
        assert server.heads[0]["Authorization"] == "Bearer k"
        assert get_json(address, "/x", "") is not None
        assert "Authorization" not in server.heads[1]


def test_a_date_to_wait_for_is_seconds_to_wait() -> None:
    date = formatdate(time.time() + 30, usegmt=True)
    routes = {"/x": lambda body: error(429, "later", Retry_After=date)}
    with serving(routes) as server, pytest.raises(Refused) as raised:
        get_json(parse_address(server.url, {}), "/x", "")
    assert raised.value.retry_after == pytest.approx(30, abs=3)


def test_a_page_is_no_answer() -> None:
    page = Reply([b"<html>\n", b"hello</html>"], kind="text/html")
    with serving({"/x": lambda body: page}) as server:
        assert get_json(parse_address(server.url, {}), "/x", "") is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error": {"message": "no\\n such", "code": "gone"}}', "no such (gone)"),
        (b'{"error": {"message": "no", "code": 400, "type": "bad"}}', "no (bad)"),
        (b'{"error": "no"}', "no"),
        (b'{"detail": [{"msg": "no"}]}', "no"),
        (b'[{"error": {"message": "no"}}]', "no"),
        (b"<h1>Bad\ngateway</h1>", "<h1>Bad gateway</h1>"),
        (b"", ""),
    ],
)
def test_the_reason_is_found_in_any_body(body: bytes, told: str) -> None:
    assert reason_of(body) == told
