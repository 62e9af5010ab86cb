"""A group of frames as the rows of one commit, table by table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exporters.frames import Header
from exporters.tables import Table
from pipeline import schema
from pipeline.frames import Fit, Received, Rows

DAY_MS = 86_400_000
Numbers = np.ndarray[tuple[int], np.dtype[np.unsignedinteger]]
FRAMES, INSTANCES = "frames", "instances"
_MS = pa.timestamp("ms", tz="UTC")
# Rows that a crash left behind: (table, day since the epoch) -> {(stream, seq)}.
Orphans = Mapping[tuple[str, int], Set[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows of one table and one day: one insert, one part."""

    table: str
    rows: pa.Table


@dataclass(slots=True)
class Group:
    """Frames that are committed together, all of one day by their headers."""

    day: int
    frames: list[Received] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def add(self, frame: Received) -> None:
        self.frames.append(frame)
        self.size += frame.size
        for name, table in frame.tables.items():
            self.rows[name] = self.rows.get(name, 0) + table.num_rows

    def has_room(self, frame: Received, max_rows: int) -> bool:
        """Whether the frame may join: same day, and no table grows beyond `max_rows`."""
        if frame.header.ts_ms // DAY_MS != self.day:
            return False
        return all(
            self.rows.get(name, 0) + table.num_rows <= max_rows
            for name, table in frame.tables.items()
        )


def inserts(
    frames: Sequence[Received], commit: int, now_ms: int, orphans: Orphans
) -> Iterator[Insert]:
    """The inserts of a group in the order in which they must happen; `frames` is the last."""
    for name, (scope, level) in schema.frame_tables().items():
        pieces = [(f.header, f.tables[name]) for f in frames if name in f.tables]
        pieces = [(header, rows) for header, rows in pieces if rows.num_rows]
        if pieces:
            table_name = schema.table_name(scope, level)
            yield from _split(table_name, _counters(pieces, commit), orphans)
    instances = _instances(frames, commit)
    if instances.num_rows:
        yield from _split(INSTANCES, instances, orphans)
    # By day as well: a group may only be torn between tables, never inside of one.
    yield Insert(FRAMES, _frames(frames, commit, now_ms))


def _counters(pieces: Sequence[tuple[Header, Rows]], commit: int) -> pa.Table:
    """The rows of one table. A column that some exporters lack is null there, and the store's
    default then."""
    alike: dict[int, list[tuple[Header, Rows]]] = {}
    for header, rows in pieces:
        alike.setdefault(id(rows.fit), []).append((header, rows))
    tables = [_columns(same, commit) for same in alike.values()]
    return pa.concat_tables(tables, promote_options="default").unify_dictionaries()


def _columns(pieces: Sequence[tuple[Header, Rows]], commit: int) -> pa.Table:
    """The rows of frames with the same columns."""
    headers, tables = [h for h, _ in pieces], [rows.table for _, rows in pieces]
    counts = [table.num_rows for table in tables]
    frame = np.repeat(np.arange(len(headers)), counts)  # of each row

    def number(kind: type[np.unsignedinteger], values: Sequence[int]) -> pa.Array:
        return pa.array(np.array(values, kind)[frame])

    def text(values: Sequence[str]) -> pa.Array:
        return _text(values).take(pa.array(frame))

    columns = {
        "ts": number(np.uint64, [h.ts_ms for h in headers]).cast(pa.int64()).cast(_MS),
        "pop": text([h.pop for h in headers]),
        "node": text([h.node for h in headers]),
        "interval_ms": number(np.uint32, [h.interval_ms for h in headers]),
        "stream": number(np.uint64, [h.stream for h in headers]),
        "seq": number(np.uint64, [h.seq for h in headers]),
        "commit": number(np.uint64, [commit] * len(headers)),
    }
    for name in tables[0].names:
        labels = pa.concat_arrays([table.names[name] for table in tables])
        columns[name] = pc.dictionary_encode(labels) if labels.type == pa.string() else labels
    return pa.table(columns | _cells(pieces[0][1].fit, tables, counts))


def _cells(fit: Fit, tables: Sequence[Table], counts: Sequence[int]) -> dict[str, pa.Array]:
    """A column for each counter, from the rows' cells."""
    ends = np.cumsum(counts)
    turned = np.empty((tables[0].layout.cells, ends[-1]), np.uint64)
    for table, count, end in zip(tables, counts, ends, strict=True):
        turned[:, end - count : end] = table.values.T
    columns = {}
    for column in fit.kept:
        if not column.width:
            columns[column.name] = pa.array(turned[column.start])
            continue
        flat = np.ascontiguousarray(turned[column.start : column.end].T).reshape(-1)
        offsets = np.arange(ends[-1] + 1, dtype=np.int32) * np.int32(column.width)
        columns[column.name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
    return columns


def _split(table: str, rows: pa.Table, orphans: Orphans) -> Iterator[Insert]:
    """By day, without the rows that are there already."""
    days = rows.column("ts").cast(pa.int64()).to_numpy() // DAY_MS
    for day in np.unique(days):
        part = rows if days[0] == day and (days == day).all() else rows.filter(days == day)
        if stored := orphans.get((table, int(day))):
            part = part.filter(~_are_in(part, stored))
        if part.num_rows:
            yield Insert(table, part)


def _are_in(
    rows: pa.Table, stored: Set[tuple[int, int]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows belong to one of the frames."""
    mask = np.zeros(rows.num_rows, np.bool_)
    streams = rows.column("stream").to_numpy()
    seqs = rows.column("seq").to_numpy()
    for stream in {s for s, _ in stored}:
        numbers = np.array([n for s, n in stored if s == stream], np.uint64)
        mask |= (streams == np.uint64(stream)) & np.isin(seqs, numbers)
    return mask


def _text(values: Sequence[str]) -> pa.Array:
    return pc.dictionary_encode(pa.array(values, pa.string()))


def _instances(frames: Sequence[Received], commit: int) -> pa.Table:
    pairs = [(f.header, i) for f in frames for i in f.header.instances]
    return pa.table(
        {
            "ts": pa.array([h.ts_ms for h, _ in pairs], pa.int64()).cast(_MS),
            "pop": _text([h.pop for h, _ in pairs]),
            "node": _text([h.node for h, _ in pairs]),
            "instance": _text([i.instance for _, i in pairs]),
            "boot": pa.array([i.boot for _, i in pairs], pa.uint64()),
            "state": _text([i.state for _, i in pairs]),
            "age_ms": pa.array([max(i.age_ms, 0) for _, i in pairs], pa.uint64()),
            "start": pa.array([i.start_ms for _, i in pairs], pa.int64()).cast(_MS),
            "tsc_hz": pa.array([i.tsc_hz for _, i in pairs], pa.uint64()),
            "final": pa.array([int(i.final) for _, i in pairs], pa.uint8()),
            "torn_rows": pa.array([i.torn_rows for _, i in pairs], pa.uint32()),
            "taken_over": pa.array([int(i.taken_over) for _, i in pairs], pa.uint8()),
            "stream": pa.array([h.stream for h, _ in pairs], pa.uint64()),
            "seq": pa.array([h.seq for h, _ in pairs], pa.uint64()),
            "commit": pa.array([commit] * len(pairs), pa.uint64()),
        }
    )


def _frames(frames: Sequence[Received], commit: int, now_ms: int) -> pa.Table:
    headers = [f.header for f in frames]
    counts = [{n: t.num_rows for n, t in f.tables.items() if t.num_rows} for f in frames]
    names = pa.list_(pa.string())
    return pa.table(
        {
            "stream": pa.array([h.stream for h in headers], pa.uint64()),
            "seq": pa.array([h.seq for h in headers], pa.uint64()),
            "first": pa.array([h.first for h in headers], pa.uint64()),
            "exporter": _text([h.exporter for h in headers]),
            "pop": _text([h.pop for h in headers]),
            "node": _text([h.node for h in headers]),
            "ts": pa.array([h.ts_ms for h in headers], pa.int64()).cast(_MS),
            "interval_ms": pa.array([h.interval_ms for h in headers], pa.uint32()),
            "keyframe": pa.array([int(h.keyframe) for h in headers], pa.uint8()),
            "rows": pa.array([sum(c.values()) for c in counts], pa.uint32()),
            "tables": pa.array([list(c) for c in counts], names),
            "table_rows": pa.array([list(c.values()) for c in counts], pa.list_(pa.uint32())),
            "bytes": pa.array([f.size for f in frames], pa.uint32()),
            "commit": pa.array([commit] * len(frames), pa.uint64()),
            "stored_at": pa.array([now_ms] * len(frames), pa.int64()).cast(_MS),
        }
    )
