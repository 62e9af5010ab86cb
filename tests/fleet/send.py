"""Sends the frames of a fleet to an ingest, as its exporters would."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
import pyarrow as pa

from exporters.frames import Frame, encode
from tests.fleet.frames import frames
from tests.fleet.shape import Fleet

BUSY = (429, 503)
_PAUSE = 0.2


class SendError(Exception):
    """The ingest refused what it was sent; the text says what it answered."""


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds` of frames of 1 s from `start` on, `batch` a post, `clients` posts at a time.

    `paced`: a frame is sent when its second is over, by the clock, not as fast as it goes.
    """

    start: int
    seconds: int
    batch: int = 15
    clients: int = 32
    paced: bool = False
    token: str = ""


@dataclass(slots=True)
class Sent:
    """What became of it. `post_seconds`: how long each post took, retries included."""

    frames: int = 0
    bytes: int = 0
    retries: int = 0
    post_seconds: list[float] = field(default_factory=list)


def batches(fleet: Fleet, load: Load) -> Iterator[list[list[Frame]]]:
    """The posts of all nodes, every `batch` seconds."""
    size = 1 if load.paced else load.batch
    waiting: list[list[Frame]] = []
    for tick in frames(fleet, load.start, load.seconds):
        waiting.append(tick)
        if len(waiting) == size:
            yield [list(column) for column in zip(*waiting, strict=True)]
            waiting = []
    if waiting:
        yield [list(column) for column in zip(*waiting, strict=True)]


async def send(
    fleet: Fleet, url: str, load: Load, report: Callable[[int], None] = lambda frames: None
) -> Sent:
    """Send all of it, each post again until it is acknowledged. Raises SendError when refused."""
    sent, gate = Sent(), asyncio.Semaphore(load.clients)
    headers = {"Content-Encoding": "zstd"}
    if load.token:
        headers["Authorization"] = f"Bearer {load.token}"
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        for posts in batches(fleet, load):
            if load.paced:
                await asyncio.sleep(max(0.0, posts[0][-1].header.ts_ms / 1000 - time.time()))
            async with asyncio.TaskGroup() as group:
                for post in posts:
                    group.create_task(_post(session, url, post, gate, sent))
            report(sent.frames)
    return sent


async def _post(
    session: aiohttp.ClientSession,
    url: str,
    post: list[Frame],
    gate: asyncio.Semaphore,
    sent: Sent,
) -> None:
    plain = b"".join(encode(frame) for frame in post)
    data = pa.Codec("zstd", compression_level=1).compress(plain, asbytes=True)
    started = time.perf_counter()
    async with gate:
        while True:
            async with session.post(f"{url.rstrip('/')}/v1/frames", data=BytesIO(data)) as answer:
                text = await answer.text()
                if answer.status == 200:
                    break
                if answer.status not in BUSY:
                    raise SendError(f"{url} answered {answer.status}: {_shortly(text)}")
                pause = float(answer.headers.get("Retry-After", _PAUSE))
            sent.retries += 1
            await asyncio.sleep(pause)
    sent.post_seconds.append(time.perf_counter() - started)
    sent.frames += len(post)
    sent.bytes += len(data)


def _shortly(text: str) -> str:
    try:
        return str(json.loads(text)["error"])[:300]
    except (ValueError, KeyError, TypeError):
        return text[:300]
