"""A real browser without a window, driven through its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 40.0
"""Seconds after which the browser has failed to do something."""


def find_browser() -> str:
    """The browser's program; without one the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("needs chromium")


class Page:
    """One page of the browser."""

    def __init__(self, socket: Any) -> None:  # noqa: ANN401  aiohttp is looked for by the tests
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.received = ""
        """What the page's websockets have received, as text."""
        self.requested: list[str] = []
        """The addresses that the page has asked for."""
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(self._answers[number], PATIENCE)

    async def open(self, url: str) -> None:
        await self.call("Network.enable")
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)

    async def until(self, text: str) -> None:
        """Wait until the page has received a text."""
        await self.wait(lambda: text in self.received, text)

    async def wait(self, condition: Callable[[], bool], what: str) -> None:
        for _ in range(int(PATIENCE / 0.05)):
            if condition():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"waited in vain for {what}: {self.received[-2000:]!r}")

    async def type(self, text: str) -> None:
        """Press the keys of a text; a newline is Enter."""
        for letter in text:
            enter = letter == "\n"
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13} if enter else {}
            shown = "\r" if enter else letter
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=shown, **key)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def evaluate(self, expression: str) -> object:
        done = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        value: object = done["result"].get("value")
        return value

    async def picture(self) -> bytes:
        """As PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told.get("result", {}))
            elif told["method"] == "Network.webSocketFrameReceived":
                frame = told["params"]["response"]
                data = frame["payloadData"]
                binary = base64.b64decode(data) if frame["opcode"] == 2 else data.encode()
                self.received += binary.decode("utf-8", "replace")
            elif told["method"] == "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """A browser with a profile of its own, and its first page."""
    aiohttp = pytest.importorskip("aiohttp")
    argv = [
        find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--remote-debugging-port=0", "--window-size=1000,640",
        f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = await _port(folder / "DevToolsActivePort")
            async with aiohttp.ClientSession() as client:
                async with client.get(f"http://127.0.0.1:{port}/json") as answer:
                    pages = [page for page in await answer.json() if page["type"] == "page"]
                address = pages[0]["webSocketDebuggerUrl"]
                async with client.ws_connect(address, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.terminate()
            process.wait(10)


async def _port(file: Path) -> int:
    for _ in range(int(PATIENCE / 0.1)):
        if file.is_file() and (text := file.read_text()).strip():
            return int(text.split()[0])
        await asyncio.sleep(0.1)
    raise AssertionError("the browser does not start")
