"""Writes rollups of a fleet straight into a store, as the pipeline would have computed them.

For planners' demonstrations and benchmarks of queries: months in minutes. Every level is generated
for its own intervals, so minutes and hours of the same fleet are alike, not equal to the packet;
what must agree is sent as frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from lb.catalogue import ROW_LABELS, load
from pipeline import rollup_fleet, schema
from pipeline.rollup_sql import SECONDS
from pipeline.store import Store
from tests.fleet.counts import Counts, count
from tests.fleet.frames import INSTANCE, boot_id, labels
from tests.fleet.shape import DAY, Fleet, Floats, Ints, unit

ROWS_AN_INSERT = 400_000
SCOPES = ("lcore", "port", "vip")
_VERSION = 0  # of no commit


@dataclass(frozen=True, slots=True)
class Span:
    """A level of rollups (1m, 1h) from `start` on and before `end`, Unix seconds."""

    level: str
    start: int
    end: int


def fill(
    store: Store,
    fleet: Fleet,
    span: Span,
    scopes: tuple[str, ...] = SCOPES,
    report: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write the windows of a span; returns the number of rows. Raises QueryError."""
    written = 0
    for windows, pops in _pieces(fleet, span, scopes):
        counts = count(fleet, windows, SECONDS[span.level], pops)
        for scope in scopes:
            rows = table(fleet, counts, scope, pops)
            store.insert(schema.table_name(scope, span.level), rows)
            written += rows.num_rows
            report(rows.num_rows)
    if "lcore" in scopes:
        _fill_nodes(store, fleet, span)
    return written


def _fill_nodes(store: Store, fleet: Fleet, span: Span) -> None:
    """The rollup of nodes, which is computed from the rows of lcores."""
    seconds = SECONDS[span.level]
    size = max(1, ROWS_AN_INSERT // (fleet.pops * fleet.nodes * fleet.lcores))
    for first, end in _partitions(span):
        for at in range(first, end, size * seconds):
            windows = list(range(at, min(at + size * seconds, end), seconds))
            store.query(rollup_fleet.insert(load(), span.level, windows, _VERSION), "Null")


def _pieces(fleet: Fleet, span: Span, scopes: tuple[str, ...]) -> Iterator[tuple[Ints, range]]:
    """Windows and PoPs that are inserted together: of one partition, and not too many rows."""
    rows = fleet.nodes * max(fleet.lcores, fleet.vips if "vip" in scopes else 1)
    for first, end in _partitions(span):
        all_windows = np.arange(first, end, SECONDS[span.level], dtype=np.int64)
        size = max(1, ROWS_AN_INSERT // rows)
        for at in range(0, len(all_windows), size):
            windows = all_windows[at : at + size]
            step = max(1, ROWS_AN_INSERT // (rows * len(windows)))
            for pop in range(0, fleet.pops, step):
                yield windows, range(pop, min(pop + step, fleet.pops))


def _partitions(span: Span) -> Iterator[tuple[int, int]]:
    """Pieces of a span that lie in one partition each: a day of minutes, a month of hours."""
    at = span.start
    while at < span.end:
        day = datetime.fromtimestamp(at, UTC)
        if span.level == schema.MINUTE:
            following = at // DAY * DAY + DAY
        else:
            later = day.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)
            following = int(later.replace(day=1).timestamp())
        yield at, min(following, span.end)
        at = following


def table(fleet: Fleet, counts: Counts, scope: str, pops: range) -> pa.Table:
    """The rows of a scope as the store has them, in the order of its key. Zeros are left out."""
    columns = counts.scopes[scope]
    nodes, moments, rows = next(iter(columns.values())).shape[:3]
    # node, row, time: the order of the key
    there = np.broadcast_to(counts.alive[:, None, :], (nodes, rows, moments)).reshape(-1)
    size = int(there.sum())
    first = pops.start * fleet.nodes
    node = np.repeat(np.arange(first, first + nodes), rows * moments)[there]
    row = np.tile(np.repeat(np.arange(rows), moments), nodes)[there]
    times = np.tile(counts.times, nodes * rows)[there]
    boots = _boots(fleet, counts, first)
    found = {
        "ts": pa.array(times, pa.int64()).cast(pa.timestamp("s", tz="UTC")),
        "pop": _named(fleet.pop_names, node // fleet.nodes),
        "node": _named([name for _, name in fleet.places], node),
        "instance": _named([INSTANCE], np.zeros(size, np.int64)),
    }
    for key, names in zip(ROW_LABELS[scope], labels(fleet, scope), strict=True):
        found[key] = _named(names, row)
    found["boot"] = pa.array(np.repeat(boots, rows, axis=0).reshape(-1)[there])
    found["samples"] = pa.array(np.full(size, counts.interval, np.uint32))
    found["version"] = pa.array(np.full(size, _VERSION, np.uint64))
    burst = 1.15 + 0.3 * unit(fleet.seed, 41, node, row, times)
    for counter in load().scope(scope):
        if counter.id not in columns or not columns[counter.id].any():
            continue
        values = np.moveaxis(columns[counter.id], 2, 1)
        if counter.kind == "histogram":
            found[counter.id] = _lists(values.reshape(-1, counter.cells)[there])
            continue
        flat = values.reshape(-1)[there]
        found[counter.id] = pa.array(flat.astype(np.uint64))
        if schema.has_peak(counter, schema.MINUTE):
            found[schema.peak_name(counter)] = pa.array(_peak(flat, counts.interval, burst))
    return pa.table(found)


def _boots(
    fleet: Fleet, counts: Counts, first: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """The ids of the boots: nodes x times."""
    ids = np.zeros(counts.boots.shape, np.uint64)
    for node, numbers in enumerate(counts.boots):
        for number in np.unique(numbers):
            ids[node, numbers == number] = boot_id(fleet, first + node, int(number))
    return ids


def _peak(values: Ints, seconds: int, burst: Floats) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """The largest second: above the mean, and never more than all."""
    return np.minimum(np.ceil(values / seconds * burst).astype(np.uint64), values.astype(np.uint64))


def _named(names: list[str], codes: Ints) -> pa.DictionaryArray:
    distinct = list(dict.fromkeys(names))
    places = np.array([distinct.index(name) for name in names], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(places[codes]), pa.array(distinct))


def _lists(cells: Ints) -> pa.ListArray:
    offsets = np.arange(len(cells) + 1, dtype=np.int32) * np.int32(cells.shape[1])
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(cells.astype(np.uint64).reshape(-1))
    )
