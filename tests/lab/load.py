"""The client: short requests at a steady rate, and some long downloads at a time, all verified.

Run with `python -m` in the client's namespace. Writes one JSON object a line: twice a second a
report (all numbers since the start), and one for each download that ended. SIGTERM: start nothing
new, wait for what is in flight, write the last report.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import time
import zlib
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.lab import content

REPORT_S = 0.5
# Three lost SYNs in a row take 7 s; what takes longer than this is broken.
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20)
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=20)
MAX_IN_FLIGHT = 400


class BrokenError(Exception):
    """An answer that is not what was asked for."""


class Load:
    """What was asked, and what came of it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.stopping = asyncio.Event()
        self.requests = 0
        self.downloads = 0
        self.skipped = 0
        self.bytes = 0
        self.failures: Counter[str] = Counter()
        self.backends: Counter[str] = Counter()
        self.latencies_ms: deque[float] = deque(maxlen=2000)
        self.open: dict[int, float] = {}
        self.downloading = 0
        self._number = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """One request over a connection of its own; a failure is counted by its reason."""
        self._number += 1
        number = self._number
        self.open[number] = time.time()
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, BrokenError) as error:
            self.failures[f"{type(error).__name__}: {error}"[:120]] += 1
        finally:
            del self.open[number]

    async def request(self, number: int) -> None:
        """Ask for a short page and read it as a whole."""
        start = time.monotonic()
        async with (
            self.connection(),
            self.session.get(f"{self.url}/?n={number}", timeout=REQUEST_TIMEOUT) as answer,
        ):
            backend = answer.headers.get("X-Backend", "?")
            text = await answer.text()
            if answer.status != 200 or text != content.page(backend, number):
                raise BrokenError(f"status {answer.status}, {len(text)} characters of a page")
            self.backends[backend] += 1
            self.bytes += len(text)
            self.latencies_ms.append((time.monotonic() - start) * 1e3)
        self.requests += 1

    async def download(self, seed: int, size: int, rate: int) -> None:
        """Ask for a long body and verify its length and checksum."""
        started, got, backend, whole = time.time(), 0, "?", False
        query = f"seed={seed}&bytes={size}&rate={rate}"
        self.downloading += 1
        async with (
            self.connection(),
            self.session.get(f"{self.url}/download?{query}", timeout=DOWNLOAD_TIMEOUT) as answer,
        ):
            backend, crc = answer.headers.get("X-Backend", "?"), 0
            async for chunk in answer.content.iter_any():
                got += len(chunk)
                self.bytes += len(chunk)
                crc = zlib.crc32(chunk, crc)
            if got != size or crc != content.checksum(seed, size):
                raise BrokenError(f"{got} of {size} bytes of a download, or others than sent")
            self.backends[backend] += 1
            whole = True
        self.downloading -= 1
        self.downloads += 1
        event = {"seed": seed, "backend": backend, "bytes": got, "whole": whole}
        write({"download": {**event, "started": started, "ended": time.time()}})

    def report(self, final: bool = False) -> None:
        """Write all numbers; `oldest_open`: when the oldest open connection was opened."""
        latencies = sorted(self.latencies_ms) or [0.0]
        write(
            {
                "time": time.time(),
                "requests": self.requests,
                "downloads": self.downloads,
                "downloading": self.downloading,
                "failures": self.failures.total(),
                "reasons": dict(self.failures),
                "skipped": self.skipped,
                "bytes": self.bytes,
                "backends": dict(self.backends),
                "open": len(self.open),
                "oldest_open": min(self.open.values(), default=time.time()),
                "latency_ms_p50": round(latencies[len(latencies) // 2], 2),
                "latency_ms_p95": round(latencies[int(len(latencies) * 0.95)], 2),
                "final": final,
            }
        )


def write(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


async def request_steadily(load: Load, rate: float) -> None:
    """Start `rate` requests a second, whatever became of the ones before."""
    start, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as tasks:
        while not load.stopping.is_set():
            number += 1
            if len(load.open) < MAX_IN_FLIGHT:
                tasks.create_task(load.request(number))
            else:
                load.skipped += 1
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))


async def download_steadily(load: Load, size: int, rate: int, first_after_s: float) -> None:
    """One download after the other; their lengths differ, so that they end at different times."""
    await asyncio.sleep(first_after_s)
    while not load.stopping.is_set():
        before = load.failures.total()
        await load.download(random.getrandbits(32), int(size * random.uniform(0.7, 1.0)), rate)
        if load.failures.total() > before:
            await asyncio.sleep(0.5)


async def report_steadily(load: Load) -> None:
    while True:
        load.report()
        await asyncio.sleep(REPORT_S)


async def run(arguments: argparse.Namespace) -> None:
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        load = Load(arguments.url, session)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, load.stopping.set)
        reports = asyncio.create_task(report_steadily(load))
        async with asyncio.TaskGroup() as tasks:
            if arguments.rate > 0:
                tasks.create_task(request_steadily(load, arguments.rate))
            for i in range(arguments.downloads):
                tasks.create_task(download_steadily(load, arguments.size, arguments.speed, i * 0.7))
        reports.cancel()
        load.report(final=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=100.0, help="short requests a second")
    parser.add_argument("--downloads", type=int, default=4, help="long downloads at a time")
    parser.add_argument("--size", type=int, default=8_000_000, help="bytes of the longest download")
    parser.add_argument("--speed", type=int, default=1_000_000, help="bytes a second of each")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
