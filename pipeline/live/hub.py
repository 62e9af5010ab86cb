"""Pushes what was stored last to every open page: one round of queries a second for each view."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from pipeline.errors import StoreError
from pipeline.live.collect import Json, View, affordable, parts, span
from pipeline.live.options import LiveOptions
from pipeline.live.roster import Roster
from pipeline.store import Store

PERIOD = 1.0
MAX_PERIOD = 15.0
SHARED = 2.0
TICK_SECONDS = 10  # a push repeats the last buckets: frames of one second come one after the other
_LOG = logging.getLogger(__name__)


class Crowded(Exception):
    """As many pages, or selections of nodes, are open as may be."""


class Page:
    """One open page: it gets the latest push, however many it was too slow for."""

    def __init__(self) -> None:
        self._latest = b""
        self._ready = asyncio.Event()
        self._ended = False

    def put(self, data: bytes) -> None:
        self._latest = data
        self._ready.set()

    def end(self) -> None:
        self._ended = True
        self._ready.set()

    async def get(self) -> bytes:
        """The latest push that this page has not had; empty when the server ends."""
        await self._ready.wait()
        self._ready.clear()
        return b"" if self._ended else self._latest


class Hub:
    """The views that are being looked at, and their pages. Queries run in a thread of its own."""

    def __init__(self, store: Store, options: LiveOptions) -> None:
        self._store = store
        self._options = options
        self._roster = Roster(store, options)
        self._pages: dict[View, set[Page]] = {}
        self._tickers: dict[View, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="live")
        self._roster_lock = asyncio.Lock()
        self._histories: dict[tuple[View, int], tuple[float, asyncio.Task[Json]]] = {}
        registry = options.registry or CollectorRegistry()
        self._failures = Counter(
            "popscope_pipeline_live_failures",
            "Rounds of queries for the live page that failed.",
            registry=registry,
        )
        pages = Gauge(
            "popscope_pipeline_live_pages", "Live pages that are open.", registry=registry
        )
        pages.set_function(lambda: sum(map(len, self._pages.values())))

    async def history(self, view: View, seconds: int) -> Json:
        """The last seconds, as many as the budget allows. Raises StoreError.

        Pages that ask for the same within SHARED seconds get the same.
        """
        now = time.time()
        for key in [key for key, (made, _) in self._histories.items() if now - made > SHARED]:
            del self._histories[key]
        if (view, seconds) not in self._histories:
            reading = asyncio.create_task(self._read(view, now, seconds))
            self._histories[view, seconds] = (now, reading)
        # One page that leaves does not end what others wait for.
        return await asyncio.shield(self._histories[view, seconds][1])

    async def _read(self, view: View, now: float, seconds: int) -> Json:
        run = asyncio.get_running_loop().run_in_executor
        seconds = await run(self._pool, affordable, self._store, view, now, seconds, self._options)
        return await self._answer(view, now, seconds)

    def enter(self, view: View) -> Page:
        """A page begins to look at a view. Raises Crowded."""
        if sum(map(len, self._pages.values())) >= self._options.clients:
            raise Crowded(f"{self._options.clients} live pages are open, and no more may be")
        if view not in self._pages and len(self._pages) >= self._options.views:
            raise Crowded(f"pages look at {self._options.views} different nodes, no more may be")
        page = Page()
        self._pages.setdefault(view, set()).add(page)
        if view not in self._tickers:
            self._tickers[view] = asyncio.create_task(self._tick(view))
        return page

    def leave(self, view: View, page: Page) -> None:
        """The page is gone; a view that nobody looks at costs nothing."""
        pages = self._pages[view]
        pages.discard(page)
        if not pages:
            del self._pages[view]
            self._tickers.pop(view).cancel()

    async def stop(self) -> None:
        """Let every open page go, so that the server can end."""
        for pages in self._pages.values():
            for page in pages:
                page.end()

    async def close(self) -> None:
        """End the tickers and the threads."""
        tasks: list[asyncio.Task[Any]] = list(self._tickers.values())
        tasks += [reading for _, reading in self._histories.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    async def _tick(self, view: View) -> None:
        clock = asyncio.get_running_loop().time
        due, turn, every = clock(), 0, PERIOD
        while True:
            turn, began = turn + 1, clock()
            data = await self._push(view, every, tables=turn % 2 == 0)
            for page in tuple(self._pages.get(view, ())):
                page.put(data)
            # A large fleet's queries are slow: they may keep a core busy for a fifth of the time.
            every = min(max(PERIOD, 5 * (clock() - began)), MAX_PERIOD)
            due = max(due + every, clock())
            await asyncio.sleep(due - clock())

    async def _push(self, view: View, every: float, tables: bool) -> bytes:
        try:
            # The buckets since the push before this one, and those that may have grown since.
            seconds = TICK_SECONDS + (2 * math.ceil(every) if every > PERIOD else 0)
            answer = await self._answer(view, time.time(), seconds, tables)
            answer["every"] = every
            return b"event: tick\ndata: " + dump(answer) + b"\n\n"
        except StoreError as error:
            self._failures.inc()
            _LOG.warning("live page: %s", error)
            return b"event: problem\ndata: " + dump({"error": str(error)}) + b"\n\n"

    async def _answer(self, view: View, now: float, seconds: int, tables: bool = True) -> Json:
        run = asyncio.get_running_loop().run_in_executor
        now_ms = int(now * 1000)
        over = span(now, seconds)
        asked = [
            run(self._pool, part, self._store, view, over, self._options) for part in parts(tables)
        ]
        answer: Json = {"now_ms": now_ms}
        for found in await asyncio.gather(*asked, self._fleet(now_ms, view)):
            answer |= found
        return answer

    async def _fleet(self, now_ms: int, view: View) -> Json:
        run = asyncio.get_running_loop().run_in_executor
        async with self._roster_lock:
            await run(self._pool, self._roster.refresh, now_ms)
        return {"fleet": self._roster.report(now_ms, view)}


def dump(answer: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
