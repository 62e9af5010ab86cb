"""The group commit: frames of many exporters, one insert a table, acknowledged afterwards."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from exporters.frames import Header
from exporters.intervals import Intervals
from pipeline.admission import Admission, Verdict, Waiter
from pipeline.errors import Overloaded, StoreError
from pipeline.frames import Received
from pipeline.group import DAY_MS, Group, inserts
from pipeline.metrics import Metrics
from pipeline.recover import Memory, recover
from pipeline.room import Room
from pipeline.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommitOptions:
    """How long the first frame of a group waits for others to join: `linger_seconds` at least.

    Twice as long as the last commit took, `longest_linger_seconds` at most: a commit costs about
    the same however many rows it has, and so takes a third of the time at most.
    """

    queue_bytes: int = 256 << 20
    group_bytes: int = 128 << 20
    group_rows: int = 1_000_000
    linger_seconds: float = 0.2
    longest_linger_seconds: float = 0.5


class Committer:
    """Takes frames in an event loop, commits them in a thread, one group after the other.

    `committed` is told times (unix ms) and number of each commit. `fault` is called after each
    insert with the name of its table: tests crash there.
    """

    def __init__(
        self,
        store: Store,
        options: CommitOptions,
        metrics: Metrics,
        committed: Callable[[Iterable[int], int], None] = lambda times, commit: None,
        fault: Callable[[str], None] | None = None,
    ) -> None:
        self._store, self._options, self._metrics = store, options, metrics
        self._committed, self._fault = committed, fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._queue: deque[Received] = deque()
        self._queued = 0
        self._more = asyncio.Event()
        self._stopping = False
        self._ready = False
        self._suspects: set[int] = set()
        self._linger = options.linger_seconds
        self._memory = Memory()
        self._admission = Admission()
        self._room = Room(options.queue_bytes, metrics.queue_bytes, metrics.queue_limit)

    @property
    def ready(self) -> bool:
        """Whether frames are taken: the store's memory is read, and no stop was asked for."""
        return self._ready and not self._stopping

    def gaps(self) -> dict[int, list[tuple[int, int]]]:
        """The stored numbers of the streams of which some lack, as ranges."""
        stored = self._admission.stored.items()
        return {stream: pieces for stream, known in stored if len(pieces := list(known)) > 1}

    def hold(self, size: int) -> None:
        """Reserve memory for what a request brings. Raises Overloaded when there is none left."""
        if not self.ready:
            raise Overloaded("the pipeline is starting, recovering or stopping", 2)
        self._room.hold(size)

    def release(self, size: int) -> None:
        """Give reserved memory back."""
        self._room.release(size)

    def offer(self, frame: Received) -> tuple[Verdict, Waiter | None]:
        """Queue a frame unless it is known; the future is done when the frame is committed.

        Raises Overloaded when nobody would commit it, or what is stored is not known just now.
        """
        if not self.ready:
            raise Overloaded("the pipeline is starting, recovering or stopping", 2)
        verdict, waiter = self._admission.judge(frame.header)
        if verdict is Verdict.NEW:
            waiter = self._admission.enter(frame.header)
            self._queue.append(frame)
            self._queued += frame.size
            self._more.set()
        return verdict, waiter

    async def start(self) -> None:
        """Read the memory from the store. Raises StoreError."""
        loop = asyncio.get_running_loop()
        self._memory = await loop.run_in_executor(self._thread, recover, self._store)
        torn: dict[int, Intervals] = {}
        for frames in self._memory.orphans.values():
            for stream, seq in frames:
                torn.setdefault(stream, Intervals()).add(seq, seq)
        self._admission.stored, self._admission.torn = self._memory.stored, torn
        self._metrics.orphans.set(sum(s.count(0, 1 << 64) for s in torn.values()))
        self._ready = True

    async def run(self) -> None:
        """Commit until `stop`, and then what is still queued."""
        while self._queue or not self._stopping:
            await self._more.wait()
            if self._queued < self._options.group_bytes and not self._stopping:
                await asyncio.sleep(self._linger)
            group = self._take()
            if not self._queue and not self._stopping:
                self._more.clear()
            if group is not None:
                await self._commit(group)
        self._thread.shutdown()

    def stop(self) -> None:
        """Take no more frames; `run` ends when the queue is empty."""
        self._stopping = True
        self._more.set()

    def _take(self) -> Group | None:
        """The next group: of one day, in the order of arrival, bounded in rows and bytes."""
        if not self._queue:
            return None
        head = self._queue[0].header
        group = Group(head.ts_ms // DAY_MS)
        later: deque[Received] = deque()
        for frame in self._queue:
            fits = group.size < self._options.group_bytes and self._may_meet(head, frame.header)
            if fits and (not group.frames or group.has_room(frame, self._options.group_rows)):
                group.add(frame)
            else:
                later.append(frame)
        self._queue = later
        self._queued -= group.size
        return group

    def _may_meet(self, head: Header, other: Header) -> bool:
        """A stream whose last group failed is alone, so that it fails alone if it is the cause."""
        suspects = self._suspects
        return head.stream == other.stream or not suspects & {head.stream, other.stream}

    async def _commit(self, group: Group) -> None:
        loop, started = asyncio.get_running_loop(), time.monotonic()
        headers = [frame.header for frame in group.frames]
        try:
            await loop.run_in_executor(self._thread, self._write, group)
        except Exception as problem:  # whatever it is, it must not hold up the others
            error = StoreError(f"not committed: {problem}")
            log.exception("a group of %d frames was not committed", len(headers))
            self._metrics.commits.labels("failed").inc()
            self._metrics.frames.labels("failed").inc(len(headers))
            self._suspects |= {header.stream for header in headers}
            self._ready = False
            self._admission.leave(headers, error)
            await self._recover()
            return
        seconds = time.monotonic() - started
        self._room.committed(group.size, seconds)
        options = self._options
        self._linger = min(max(2 * seconds, options.linger_seconds), options.longest_linger_seconds)
        self._suspects -= {header.stream for header in headers}
        self._admission.leave(headers, None)
        self._metrics.committed(group.frames, time.time_ns() // 1_000_000, seconds)
        self._committed([h.ts_ms for h in headers], self._memory.commit)
        self._forget_orphans(group)

    def _write(self, group: Group) -> None:
        self._memory.commit += 1
        now = time.time_ns() // 1_000_000
        for insert in inserts(group.frames, self._memory.commit, now, self._memory.orphans):
            self._store.insert(insert.table, insert.rows)
            if self._fault is not None:
                self._fault(insert.table)

    def _forget_orphans(self, group: Group) -> None:
        """Frames that came again are whole now."""
        if not self._memory.orphans:
            return
        whole = {(f.header.stream, f.header.seq) for f in group.frames}
        left = {place: frames - whole for place, frames in self._memory.orphans.items()}
        self._memory.orphans = {place: frames for place, frames in left.items() if frames}
        self._metrics.orphans.set(len(set().union(*self._memory.orphans.values())))

    async def _recover(self) -> None:
        """What the failed group left in the store is found as after a crash. Frames wait."""
        pause = 1.0
        while not self._stopping:
            try:
                await self.start()
                return
            except StoreError:
                log.exception("the store's memory cannot be read, trying again in %g s", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 10.0)
