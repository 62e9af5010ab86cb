"""The group commit of foreign metrics: requests of many senders, one insert a table and day."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from pipeline.errors import Overloaded, StoreError
from pipeline.foreign import rows
from pipeline.foreign.decoder import Decoder
from pipeline.foreign.families import Families
from pipeline.foreign.metrics import ForeignMetrics
from pipeline.foreign.native import Column
from pipeline.foreign.options import ForeignOptions
from pipeline.foreign.rows import Request
from pipeline.room import Room
from pipeline.store import Store

log = logging.getLogger(__name__)
_STEP = 0.005
# A group of so many samples does not wait for others; nor one of fewer when nobody is on the way.
_FULL, _ENOUGH = 200_000, 20_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    done: asyncio.Future[None]


class ForeignCommitter:
    """Takes decoded requests in an event loop, commits them in a thread, group after group.

    Series come before their samples, so that a stored sample always has a series. A crash between
    tables leaves rows that are stored again by the sender's retry: FINAL makes one of them.
    `fault` is called after each insert with the name of its table: tests crash there.
    """

    def __init__(
        self,
        store: Store,
        decoder: Decoder,
        options: ForeignOptions,
        metrics: ForeignMetrics,
        fault: Callable[[str], None] | None = None,
    ) -> None:
        self._store, self._decoder, self._options = store, decoder, options
        self._metrics, self._fault = metrics, fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="foreign-commit")
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._open = 0
        self._families = Families(options.tenant_series)
        self._linger = options.linger_seconds
        self._more = asyncio.Event()
        self._stopping = False
        self._room = Room(options.queue_bytes, metrics.queue_bytes, metrics.queue_limit)

    @property
    def stopping(self) -> bool:
        return self._stopping

    def hold(self, size: int) -> None:
        """Reserve memory for what a request brings. Raises Overloaded when there is none left."""
        if self._stopping:
            raise Overloaded("the pipeline is stopping", 2)
        self._room.hold(size)

    def release(self, size: int) -> None:
        """Give reserved memory back."""
        self._room.release(size)

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """A request is being read, decoded or committed: a group may wait for it."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def commit(self, request: Request) -> None:
        """Wait until the request is in the store. Raises StoreError: some of it may be then."""
        if self._stopping:
            raise Overloaded("the pipeline is stopping", 2)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_seen)
        self._queue.append(_Waiting(request, done))
        self._queued += request.decoded.samples
        self._more.set()
        await asyncio.shield(done)

    async def run(self) -> None:
        """Commit until `stop`, and then what is still queued."""
        while self._queue or not self._stopping:
            await self._more.wait()
            await self._wait()
            if group := self._take():
                await self._commit(group)
            if not self._queue and not self._stopping:
                self._more.clear()
        self._thread.shutdown()

    def stop(self) -> None:
        """Take no more requests; `run` ends when the queue is empty."""
        self._stopping = True
        self._more.set()

    async def _wait(self) -> None:
        """For others to join the group: a commit costs much the same however many rows it has."""
        until = time.monotonic() + self._linger
        while not self._stopping and time.monotonic() < until and self._queued < _FULL:
            if self._queued >= _ENOUGH and self._open <= len(self._queue):
                return
            await asyncio.sleep(_STEP)

    def _take(self) -> list[_Waiting]:
        group = list[_Waiting]()
        count = 0
        while self._queue:
            count += self._queue[0].request.decoded.samples
            if group and count > self._options.group_rows:
                break
            group.append(self._queue.popleft())
        self._queued -= sum(w.request.decoded.samples for w in group)
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        loop, started, now = asyncio.get_running_loop(), time.monotonic(), int(time.time())
        requests = [w.request for w in group]
        try:
            await loop.run_in_executor(self._thread, self._write, requests, now)
        except (StoreError, pa.ArrowException) as problem:
            log.exception("a group of %d foreign requests was not committed", len(group))
            self._metrics.commits.labels("failed").inc()
            self._families.doubt()
            await self._decoder.doubt()
            _finish(group, StoreError(f"not committed: {problem}"))
            return
        ids = [r.decoded.array(Column.SERIES_ID, "<u8") for r in requests]
        await self._decoder.saved([i for i in ids if len(i)], now)
        seconds = time.monotonic() - started
        options = self._options
        self._room.committed(sum(r.decoded.size for r in requests), seconds)
        self._linger = min(max(2 * seconds, options.linger_seconds), options.longest_linger_seconds)
        self._metrics.committed(requests, seconds)
        _finish(group, None)

    def _write(self, requests: list[Request], now: int) -> None:
        if (told := rows.series(requests, now)) is not None:
            self._insert("series", told)
        if fresh := self._families.fresh(rows.families(requests), now):
            self._insert("metrics", rows.metrics(fresh, now))
        for table, found in (
            ("histograms", rows.histograms(requests)),
            ("exemplars", rows.exemplars(requests)),
            ("samples", rows.samples(requests)),
        ):
            if found is not None:
                for day in rows.by_day(found):
                    self._insert(table, day)

    def _insert(self, table: str, data: pa.Table) -> None:
        self._store.insert(table, data)
        if self._fault is not None:
            self._fault(table)


def _finish(group: list[_Waiting], error: StoreError | None) -> None:
    for waiting in group:
        if waiting.done.done():
            continue
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)


def _seen(done: asyncio.Future[None]) -> None:
    """A client may be gone before its request failed; the failure is counted where it happened."""
    if not done.cancelled():
        done.exception()
