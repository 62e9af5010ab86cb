"""A network between exporters and the ingest that cuts, repeats, delays and replays requests."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

HOWS = ("pass", "cut", "lose-answer", "twice", "late", "replay")


@dataclass
class Proxy:
    """Forwards to `target`. Each request meets a fate of the seed's; `calm` lets all of them pass.

    cut: never forwarded. lose-answer: forwarded, the answer is lost. twice: forwarded twice at
    once. late: forwarded after the sender gave up. replay: an older request goes first.
    """

    seed: int
    target: str = ""
    calm: bool = False
    url: str = ""
    fates: Counter[str] = field(default_factory=Counter)
    _old: list[bytes] = field(default_factory=list)

    async def start(self) -> None:
        self._chance = random.Random(self.seed)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        self._behind = set[asyncio.Task[object]]()
        app = web.Application(client_max_size=1 << 28)
        app.router.add_post("/v1/frames", self._meet)
        self._runner = web.AppRunner(app, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await asyncio.gather(*self._behind, return_exceptions=True)
        await self._runner.cleanup()
        await self._session.close()

    async def _meet(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fate = "pass" if self.calm else self._chance.choice(HOWS)
        self.fates[fate] += 1
        old = self._chance.choice(self._old) if self._old else body
        self._old = [*self._old[-19:], body]
        if fate == "late":
            self._later(body)
        if fate in ("cut", "late"):
            return self._cut(request)
        if fate == "replay":
            await self._forward(old)
        if fate == "twice":
            self._later(body, 0.0)
        answer = await self._forward(body)
        if fate == "lose-answer" or answer is None:
            return self._cut(request)
        status, text = answer
        return web.Response(status=status, text=text, content_type="application/json")

    async def _forward(self, body: bytes) -> tuple[int, str] | None:
        """What the ingest says; None when it is not there."""
        headers = {"Content-Encoding": "zstd"}
        try:
            async with self._session.post(
                f"{self.target}/v1/frames", data=body, headers=headers
            ) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _later(self, body: bytes, seconds: float = 0.7) -> None:
        async def forward() -> None:
            await asyncio.sleep(seconds)
            await self._forward(body)

        task = asyncio.create_task(forward())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    def _cut(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)
