"""The connection to the controller: states come in, reports go out; made anew for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from lb.control.agent.cache import Kept
from lb.control.agent.settings import Settings
from lb.control.desired import Change, changed, digest
from lb.control.errors import StateError
from lb.control.waiting import wait

log = logging.getLogger(__name__)
PROTOCOL = 1
_HEARTBEAT_S = 10.0
_MESSAGE_MAX = 64 << 20
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 15.0


class Link:
    """`kept` gives what the agent has, `take` is given what is new; `report` is sent when due.

    `connected` and `complaint` tell how it goes.
    """

    def __init__(
        self,
        settings: Settings,
        version: str,
        kept: Callable[[], Kept | None],
        take: Callable[[Kept], Awaitable[None]],
        report: Callable[[], dict[str, Any]],
    ) -> None:
        self.connected = False
        self.complaint = "not connected yet"
        self._settings = settings
        self._version = version
        self._kept = kept
        self._take = take
        self._report = report
        self._due = asyncio.Event()
        self._again = asyncio.Event()

    def report_soon(self) -> None:
        """There is something new to report."""
        self._due.set()

    def retry(self) -> None:
        """Connect now, if it is not connected."""
        self._again.set()

    async def run(self) -> None:
        """Connect, again and again."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._session()
                pause = _FIRST_PAUSE_S
            except (aiohttp.ClientError, OSError, TimeoutError, StateError, ValueError) as error:
                self.complaint = f"{type(error).__name__}: {error}"
                log.warning("controller: %s", self.complaint)
            if self.connected:
                pause = _FIRST_PAUSE_S
            self.connected = False
            await wait(self._again, pause * random.uniform(0.5, 1))
            self._again.clear()
            pause = min(2 * pause, _LAST_PAUSE_S)

    async def _session(self) -> None:
        url = self._settings.controller.rstrip("/") + "/v1/connect"
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(
                url,
                headers=self._headers(),
                heartbeat=_HEARTBEAT_S,
                max_msg_size=_MESSAGE_MAX,
                ssl=_tls(self._settings),
            ) as socket,
        ):
            kept = self._kept()
            await socket.send_json(
                {
                    "type": "hello",
                    "protocol": PROTOCOL,
                    "version": self._version,
                    "digest": kept.digest if kept else None,
                }
            )
            reporter = asyncio.create_task(self._reports(socket))
            try:
                await self._listen(socket)
            finally:
                reporter.cancel()
                await asyncio.gather(reporter, return_exceptions=True)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._receive(json.loads(message.data))
                self.connected, self.complaint = True, ""
        self.complaint = "the controller closed the connection"

    async def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "refused":
            raise StateError(f"the controller refuses this agent: {message.get('message')}")
        kept = self._kept()
        if kind == "current" and kept is not None:
            new = Kept(message["fleet"], message["revision"], kept.state)
        elif kind == "full":
            new = Kept(message["fleet"], message["revision"], message["state"])
        elif kind == "change" and kept is not None and kept.digest == message["base"]:
            change = Change(message["put"], tuple(message["remove"]))
            new = Kept(kept.fleet, message["revision"], changed(kept.state, change))
        else:
            raise StateError(f"a {kind!r} that does not follow from what is here: asking for all")
        if digest(new.state) != message["digest"]:
            raise StateError("the state that came is not the one that was meant: asking for all")
        await self._take(new)
        self.report_soon()

    async def _reports(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            self._due.clear()
            await socket.send_json({"type": "report", **self._report()})
            await asyncio.sleep(0.1)  # many changes at once are one report
            await wait(self._due, _HEARTBEAT_S)

    def _headers(self) -> dict[str, str]:
        file = self._settings.token_file
        token = file.read_text().strip() if file is not None else ""
        return {"Authorization": f"Bearer {token}"}


def _tls(settings: Settings) -> ssl.SSLContext | bool:
    if not settings.controller.startswith("https"):
        return True
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.certificate is not None:
        context.load_cert_chain(settings.certificate, settings.private_key)
    return context
