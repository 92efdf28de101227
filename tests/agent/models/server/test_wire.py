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


@pytest.mark.parametrize("chunked", [False, True])
def test_lines_are_whole_and_in_order_however_they_come(chunked: bool) -> None:
    said = b"".join(b"data: %d\r\n\r\n" % number for number in range(300))
    pieces = [said[at : at + 7] for at in range(0, len(said), 7)]
    headers: tuple[tuple[str, str], ...] = ()
    if chunked:
        pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]
        headers = (("Transfer-Encoding", "chunked"),)
    reply = Reply(pieces, headers=headers, pause=0.0005)
    with serving({"/x": lambda body: reply}) as server:
        exchange = Exchange(parse_address(server.url, {}), "/x", None)
        came = list(exchange.lines(threading.Event(), Timeouts()))
    assert [line for lines in came for line in lines] == [b"data: %d" % n for n in range(300)]
    assert 1 < len(came) < 200  # what comes fast comes together


def test_half_an_event_is_none() -> None:
    with serving({"/x": lambda body: Reply([b"data: 1\n\nda", b"ta: 2"])}) as server:
        exchange = Exchange(parse_address(server.url, {}), "/x", None)
        assert list(exchange.lines(threading.Event(), Timeouts())) == [[b"data: 1"]]


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
