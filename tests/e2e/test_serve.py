"""`agent serve`: who may connect, and the screen in a real browser."""

from __future__ import annotations

import asyncio
import http.client
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.browser import browsing, find_browser
from tests.e2e.command import Agent, Running, alive, children_of, wait_for
from tests.e2e.terminal import SHORT

pytest.importorskip("textual_serve")

HELLO = 'steering = "free"\n[[step]]\ntext = "Hello from the scripted model."\n'


def served(agent: Agent, cwd: Path) -> tuple[Running, str]:
    """The server at work, and the address it prints."""
    running = agent.start("serve", "--model", agent.script(HELLO), cwd=cwd)
    running.until("http://")
    wait_for(lambda: b"\n" in b"".join(running.out))
    found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{43}/", b"".join(running.out).decode())
    assert found is not None
    return running, found[0]


def status(url: str, path: str, headers: Mapping[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=10)
    try:
        connection.putrequest("GET", path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_who_may_connect(agent: Agent, plain: Path) -> None:
    running, url = served(agent, plain)
    parts = urlsplit(url)
    own, token = {"Origin": f"http://{parts.netloc}"}, parts.path
    assert status(url, token, {}) == 200
    assert status(url, f"{token}static/js/textual.js", {}) == 200
    assert status(url, f"{token}ws", {**UPGRADE, **own}) == 101
    refused = [
        ("/", {}),
        ("/x/", {}),
        ("/static/js/textual.js", {}),
        (f"{token[:-2]}/", {}),
        (f"{token[:-2]}/ws", {**UPGRADE, **own}),
        (token, {"Host": "evil.example"}),  # a name of its own that points here
        (token, {"Host": f"evil.example:{parts.port}"}),
        (token, {"Origin": "http://evil.example"}),
        (f"{token}ws", {**UPGRADE, "Origin": "http://evil.example"}),
        (f"{token}ws", {**UPGRADE, "Origin": "null"}),
        (f"{token}ws", UPGRADE),  # every browser sends an origin
    ]
    for path, headers in refused:
        assert status(url, path, headers) == 403, (path, headers)
    assert status(url, f"{token}static/../server.py", {}) == 404
    running.process.send_signal(signal.SIGINT)
    assert running.end().code == 0


def test_it_listens_on_the_loopback_alone(agent: Agent, plain: Path) -> None:
    _, url = served(agent, plain)
    port = urlsplit(url).port or 0
    listening = [
        line.split()[1]
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        if table.exists()
        for line in table.read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    ]
    if not listening:
        pytest.skip("needs /proc/net")
    assert listening == [f"0100007F:{port:04X}"]


def test_escapes_in_what_a_page_pastes_are_text(agent: Agent, plain: Path) -> None:
    _, url = served(agent, plain)
    parts = urlsplit(url)
    sessions = agent.home / "state" / "sessions"
    dangerous = "look\x1b[31m\r!touch pasted\r"

    async def work() -> None:
        import aiohttp  # comes with the server

        origin = f"http://{parts.netloc}"
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(f"{url}ws", headers={"Origin": origin}) as page,
        ):
            received = ""

            async def until(text: str) -> None:
                nonlocal received
                while text not in received:
                    received += (await page.receive(SHORT)).data.decode("utf-8", "replace")

            await until("scripted:")
            await page.send_json(["stdin", f"\x1b[200~{dangerous}\x1b[201~"])
            await page.send_json(["stdin", " at this"])
            await until("at this")
            (record,) = sessions.glob("*/record.jsonl")
            assert "turn_started" not in record.read_text()  # nor is it sent by what was pasted
            await page.send_json(["stdin", "\r"])
            await until("Hello from the scripted model.")

    asyncio.run(work())
    assert not (plain / "pasted").exists()
    (record,) = sessions.glob("*/record.jsonl")
    assert record.read_text().count('"turn_started"') == 1
    assert "!touch pasted" in record.read_text()


def test_a_prompt_typed_in_a_browser_is_answered(agent: Agent, plain: Path, tmp_path: Path) -> None:
    find_browser()
    running, url = served(agent, plain)

    async def work() -> None:
        async with browsing(tmp_path / "profile") as page:
            await page.open(url)
            await page.until("scripted:")
            before = await page.picture()
            await page.type("good morning\n")
            await page.until("Hello from the scripted model.")
            assert await page.picture() != before
            canvases = await page.evaluate("document.querySelectorAll('.xterm').length")
            assert canvases == 1
            here = f"http://{urlsplit(url).netloc}/"
            foreign = [seen for seen in page.requested if not seen.startswith((here, "data:"))]
            assert not foreign
            (shown,) = children_of(running.process.pid)
            begun = time.monotonic()
            await page.call("Page.navigate", url="about:blank")
            await page.wait(lambda: not alive(shown), "the end of a page that was left")
            assert time.monotonic() - begun < 5

    asyncio.run(work())


def test_the_end_of_the_server_ends_its_pages(agent: Agent, plain: Path, tmp_path: Path) -> None:
    find_browser()
    running, url = served(agent, plain)

    async def work() -> None:
        async with browsing(tmp_path / "profile") as page:
            await page.open(url)
            await page.until("scripted:")
            (shown,) = children_of(running.process.pid)
            running.process.kill()
            await page.wait(lambda: not alive(shown), "the end of the application")

    asyncio.run(work())
