"""A pipeline for tests: stores frames in memory, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pyarrow as pa
from aiohttp import web

from exporters import frames
from exporters.frames import Frame

Answer = web.Response | None
Behaviour = Callable[[list[bytes]], Answer]


class FakePipeline:
    """Answers /v1/frames as the contract says. `before` may answer instead of storing a batch,
    `after` instead of acknowledging it."""

    def __init__(self) -> None:
        self.stored: dict[tuple[int, int], bytes] = {}
        self.batches: list[list[int]] = []
        self.tokens: list[str] = []
        self.conflicts: list[tuple[int, int]] = []
        self.before: Behaviour = lambda batch: None
        self.after: Behaviour = lambda batch: None
        self.arrived = asyncio.Event()
        self.url = ""

    def frames(self) -> list[Frame]:
        """What is stored, in the order of the numbers."""
        return [frames.decode(self.stored[key]) for key in sorted(self.stored)]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "zstd":
            body = pa.input_stream(pa.BufferReader(body), compression="zstd").read()
        batch = [bytes(f) for f in frames.split(body)]
        headers = [frames.decode_header(f) for f in batch]
        self.batches.append([h.seq for h in headers])
        self.tokens.append(request.headers.get("Authorization", ""))
        if answer := self.before(batch):
            return answer
        ranges: dict[str, list[list[int]]] = defaultdict(list)
        for header, data in zip(headers, batch, strict=True):
            key = (header.stream, header.seq)
            if self.stored.setdefault(key, data) != data:
                self.conflicts.append(key)
            ranges[f"{header.stream:016x}"].append([header.seq, header.seq])
        self.arrived.set()
        if answer := self.after(batch):
            return answer
        return web.json_response(
            {"stored": [{"stream": s, "ranges": r} for s, r in ranges.items()]}
        )


@asynccontextmanager
async def pipeline() -> AsyncIterator[FakePipeline]:
    """One that listens on a free port."""
    fake = FakePipeline()

    @web.middleware
    async def undecoded(request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        return await fake.handle(request)

    application = web.Application(client_max_size=1 << 28, middlewares=[undecoded])
    runner = web.AppRunner(application, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
