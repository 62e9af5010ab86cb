"""Spools in tests: filled with empty frames, and what they say was counted."""

from __future__ import annotations

from collections import Counter as Tally
from pathlib import Path

import numpy as np

from exporters import frames, spoolfile, tables
from exporters.frames import Frame, Header
from exporters.spool import Spool
from lb.catalogue import ROW_LABELS, load

Key = tuple[str, ...]
START = 1_700_000_000_000 // 60_000 * 60_000


def header(spool: Spool, ts_ms: int, keyframe: bool | None = None) -> Header:
    """Of the next frame of a spool."""
    return Header(
        pop="p",
        node="n",
        stream=spool.stream,
        seq=spool.next_seq,
        first=spool.next_seq,
        ts_ms=ts_ms,
        interval_ms=1000,
        keyframe=spool.keyframe_due(ts_ms) if keyframe is None else keyframe,
    )


def append(spool: Spool, count: int = 1, start_ms: int = START, step_ms: int = 1000) -> list[bytes]:
    """Frames without tables, one a second."""
    written = []
    for i in range(count):
        head = header(spool, start_ms + i * step_ms)
        written.append(frames.encode(Frame(head, {})))
        spool.append(written[-1], head)
    return written


def waiting(spool: Spool) -> list[int]:
    """Numbers of the frames that are not acknowledged."""
    return [e.seq for file in spool.files for e in spool.waiting(file)]


def read_frames(directory: Path) -> list[Frame]:
    """Every whole frame of a spool."""
    found = []
    for path in sorted(directory.glob("*.spool")):
        data = path.read_bytes()
        for e in spoolfile.scan(path).entries:
            found.append(frames.decode(data[e.offset : e.offset + e.length]))
    return found


def sums(read: list[Frame], scope: str, absolute: bool = False) -> dict[Key, list[int]]:
    """Counters summed by (instance, boot, row labels): of all frames' increments, or of the last
    absolute table. Gauges are 0."""
    name = scope + "_abs" if absolute else scope
    chosen = [f.tables[name] for f in read if name in f.tables]
    total: dict[Key, np.ndarray[tuple[int, ...], np.dtype[np.uint64]]] = {}
    for table in chosen[-1:] if absolute else chosen:
        values = tables.values(scope, table).copy()
        values[:, tables.gauge_cells(scope)] = 0
        keys = zip(
            table.names["instance"].to_pylist(),
            map(str, table.names["boot"].to_pylist()),
            *(table.names[label].to_pylist() for label in ROW_LABELS[scope]),
            strict=True,
        )
        for key, row in zip(keys, values, strict=True):
            total[key] = total.get(key, np.zeros(load().cells(scope), np.uint64)) + row
    return {key: row.tolist() for key, row in total.items() if row.any()}


def state_tally(read: list[Frame]) -> Tally[str]:
    """How many frames told of an instance in each state."""
    return Tally(i.state for f in read for i in f.header.instances)
