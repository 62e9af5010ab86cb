"""Rollups of 1 min and 1 h: whole windows are computed anew whenever frames of them came in.

Behind the hours of lcores come those of nodes and PoPs (`hours`), in the same way.

A rollup's `version` is the last commit that it saw. So a window is due when `frames` has a later
commit for it: a restart, or late data, needs nothing but the tables.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from lb import catalogue as lb_catalogue
from lb.catalogue import SCOPES, Catalogue
from pipeline import hours, rollup_fleet, schema
from pipeline.errors import StoreError
from pipeline.metrics import Metrics
from pipeline.rollup_sql import SECONDS, insert, window_of
from pipeline.schema import HOUR, MINUTE
from pipeline.store import DATABASE, Store

log = logging.getLogger(__name__)
LEVELS = (MINUTE, HOUR)
WHOLE = "hours"  # of nodes, PoPs and streams
_SECONDS = SECONDS | {WHOLE: SECONDS[HOUR]}
# Raw rows live 7 days: a window is not computed anew once some of them may be gone.
HORIZON_SECONDS = 6 * 86400
_BATCH = 240


@dataclass(frozen=True, slots=True)
class RollupOptions:
    """A window is computed `grace_seconds` after its end, and again when late data comes."""

    every_seconds: float = 5.0
    grace_seconds: float = 5.0


class Rollup:
    """The windows that are due, and their computation. `note` may be called from another thread."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store, self._catalogue = store, catalogue
        self._due: dict[str, set[int]] = {level: set() for level in (*LEVELS, WHOLE)}
        self._lock = threading.Lock()
        self.commit = 0

    def note(self, times_ms: Iterable[int], commit: int) -> None:
        """Frames of these times were committed."""
        seconds = [t // 1000 for t in times_ms]
        with self._lock:
            for level, due in self._due.items():
                due.update(s - s % _SECONDS[level] for s in seconds)
            self.commit = commit

    def recover(self, now: float) -> None:
        """Find the due windows from the tables alone. Raises QueryError."""
        newest = self._store.query_arrow(f"SELECT max(commit) FROM {DATABASE}.frames")
        self.commit = int(newest.column(0)[0].as_py())
        since = int(now) - HORIZON_SECONDS
        for level in LEVELS:
            for scope in SCOPES:
                table = schema.table_name(scope, level)
                self._due[level].update(self._behind(scope, table, level, since))
            table = rollup_fleet.table_name(level)
            self._due[level].update(self._behind("lcore", table, level, since))
        behind = self._store.query_arrow(hours.BEHIND)
        self._due[WHOLE].update(self._due[HOUR], map(int, behind.column(0).to_pylist()))

    def _behind(self, scope: str, table: str, level: str, since: int) -> list[int]:
        """Windows with frames of the scope that a table of rollups has not seen."""
        seen = (
            f"SELECT ts AS w, max(version) AS v FROM {DATABASE}.{table} "
            f"WHERE ts >= toDateTime({since - SECONDS[level]}, 'UTC') GROUP BY w"
        )
        came = (
            f"SELECT {window_of(level)} AS w, max(commit) AS c FROM {DATABASE}.frames "
            f"WHERE ts >= toDateTime({since}, 'UTC') AND has(tables, '{scope}') GROUP BY w"
        )
        found = self._store.query_arrow(
            f"SELECT toUnixTimestamp(w) FROM ({came}) AS f LEFT JOIN ({seen}) AS r USING (w) "
            "WHERE c > v"
        )
        return [int(w) for w in found.column(0).to_pylist()]

    def run(self, now: float, count: Callable[[str, int], None] = lambda t, n: None) -> int:
        """Compute the windows that ended before `now` (seconds since the epoch); returns how many.

        Minutes before hours, which are computed from them, and those of nodes and PoPs, which are
        not counted, last. Raises QueryError; nothing is lost then.
        """
        commit, due = self._take(now, count)
        done = 0
        try:
            for level in LEVELS:
                for scope in SCOPES:
                    self._compute(scope, level, due[level], commit)
                    count(schema.table_name(scope, level), len(due[level]))
                self._compute_fleet(level, due[level], commit)
                count(rollup_fleet.table_name(level), len(due[level]))
                done += len(due.pop(level))
            self._compute_whole(due[WHOLE], commit)
        except StoreError:
            with self._lock:
                for level, windows in due.items():
                    self._due[level].update(windows)
            raise
        return done

    def _take(
        self, now: float, count: Callable[[str, int], None]
    ) -> tuple[int, dict[str, list[int]]]:
        """The last commit, and the due windows that ended; they are no longer due.

        Of all levels at once: an hour must not claim a commit that its minutes have not seen.
        """
        taken = {}
        with self._lock:
            for level, due in self._due.items():
                ready = sorted(w for w in due if w + _SECONDS[level] <= now)
                due.difference_update(ready)
                kept = level == WHOLE  # what it is computed from lives for years
                taken[level] = [w for w in ready if kept or w >= now - HORIZON_SECONDS]
                if late := len(ready) - len(taken[level]):
                    log.warning("%d windows of %s are older than the raw rows' life", late, level)
                    count(f"too_late_{level}", late)
            return self.commit, taken

    def _compute(self, scope: str, level: str, windows: list[int], commit: int) -> None:
        for batch in _batches(windows, level):
            self._store.query(insert(self._catalogue, scope, level, batch, commit), "Null")

    def _compute_fleet(self, level: str, windows: list[int], commit: int) -> None:
        for batch in _batches(windows, level):
            statement = rollup_fleet.insert(self._catalogue, level, batch, commit)
            self._store.query(statement, "Null")

    def _compute_whole(self, windows: list[int], commit: int) -> None:
        for batch in _batches(windows, HOUR):
            for table in hours.TABLES:
                self._store.query(hours.insert(self._catalogue, table, batch, commit), "Null")


def _batches(windows: list[int], level: str) -> Iterator[list[int]]:
    """Neither too many windows at once, nor windows of two partitions."""
    batch: list[int] = []
    for window in windows:
        if batch and (
            len(batch) == _BATCH or _partition(window, level) != _partition(batch[0], level)
        ):
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _partition(window: int, level: str) -> tuple[int, int]:
    day = datetime.fromtimestamp(window, UTC)
    if level == MINUTE:
        iso = day.isocalendar()
        return iso.year, iso.week
    return day.year, day.month


def once(store: Store, now: float | None = None, include_open: bool = False) -> int:
    """Compute everything that is due, found from the tables; returns the number of windows."""
    rollup = Rollup(store, schema.in_store(store, lb_catalogue.load()))
    now = time.time() if now is None else now
    rollup.recover(now)
    return rollup.run(now + SECONDS[HOUR] if include_open else now)


async def serve(rollup: Rollup, options: RollupOptions, metrics: Metrics) -> None:
    """Compute what is due again and again, until cancelled. A pass that fails is repeated."""
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="rollup")
    recovered = False
    succeeded = time.monotonic()

    def count(table: str, windows: int) -> None:
        loop.call_soon_threadsafe(metrics.rollup_windows.labels(table).inc, windows)

    try:
        while True:
            started = time.monotonic()
            try:
                if not recovered:
                    await loop.run_in_executor(thread, rollup.recover, time.time())
                    recovered = True
                now = time.time() - options.grace_seconds
                await loop.run_in_executor(thread, rollup.run, now, count)
                succeeded = time.monotonic()
            except StoreError:
                log.exception("a pass of rollups failed")
                metrics.rollup_failures.inc()
            metrics.rollup_seconds.observe(time.monotonic() - started)
            metrics.rollup_lag.set(time.monotonic() - succeeded)
            await asyncio.sleep(options.every_seconds)
    finally:
        thread.shutdown(wait=True)
