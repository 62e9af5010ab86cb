"""Headless Chromium, driven over its DevTools protocol: enough to look at a page and use it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
MISSING = "these tests need Chromium: `apt-get install chromium`, or `make setup-test` as root"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--window-size=1440,900",
)


class Browser:
    """One page of a running Chromium. `errors` has what its scripts threw or complained of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command of the protocol."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, 20)

    async def listen(self) -> None:
        """Take in what the browser says, until it ends."""
        async for message in self._socket:
            data = json.loads(message.data)
            if answer := self._answers.pop(data.get("id", 0), None):
                answer.set_result(data.get("result", data))
            elif data.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(data["params"]["exceptionDetails"])[:2000])
            elif data.get("method") == "Log.entryAdded":
                self._note(data["params"]["entry"])

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "error":
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")

    async def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        found = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def wait_for(self, script: str, seconds: float = 20) -> None:
        """Until the expression is true."""
        async with asyncio.timeout(seconds):
            while not await self.evaluate(script):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def text(self, selector: str) -> str:
        """What a person reads in the first element that the selector finds."""
        return str(await self.evaluate(f"document.querySelector({selector!r}).innerText"))

    async def key(self, name: str, code: int) -> None:
        """Press and let go of a key."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code
            )

    async def resize(self, width: int, height: int) -> None:
        """Look through a window of another size; a narrow one is a telephone."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 700,
        )  # fmt: skip

    async def screenshot(self, path: Path) -> None:
        """The page as a PNG file."""
        found = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(found["data"]))


@asynccontextmanager
async def browser(folder: Path, light: bool = False) -> AsyncIterator[Browser]:
    """A Chromium with a profile of its own in `folder`, gone afterwards whatever happens."""
    if not CHROMIUM:
        pytest.fail(MISSING, pytrace=False)
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *_FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as session:
            address = await _address(process, session)
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Browser(socket)
                listener = asyncio.create_task(page.listen())
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                scheme = "light" if light else "dark"
                await page.call(
                    "Emulation.setEmulatedMedia",
                    features=[{"name": "prefers-color-scheme", "value": scheme}],
                )
                await page.resize(1440, 900)
                try:
                    yield page
                finally:
                    listener.cancel()
    finally:
        await _end(process)


async def _address(process: asyncio.subprocess.Process, session: aiohttp.ClientSession) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(60):
        async for line in process.stderr:
            if line.startswith(b"DevTools listening on ws://"):
                host = line.split(b"ws://")[1].split(b"/")[0].decode()
                break
        else:
            raise AssertionError("Chromium did not start")
    async with session.get(f"http://{host}/json/list") as response:
        pages = await response.json()
    return str(next(p for p in pages if p["type"] == "page")["webSocketDebuggerUrl"])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.communicate(), 10)
        except TimeoutError:
            process.kill()
            await process.communicate()


async def _picture(url: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with browser(Path(folder)) as page:
            await page.call("Page.navigate", url=url)
            await page.wait_for("document.body?.dataset.state === 'live'")
            await asyncio.sleep(2)  # two pushes
            await page.screenshot(path)


if __name__ == "__main__":
    asyncio.run(_picture(sys.argv[1], Path(sys.argv[2])))
