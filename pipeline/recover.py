"""What an ingest must know when it starts, learned from the store alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from exporters.intervals import Intervals
from pipeline import schema
from pipeline.group import FRAMES, INSTANCES
from pipeline.store import DATABASE, Store

# Tables that a group fills before `frames`.
TABLES = tuple(schema.table_name(s, level) for s, level in schema.frame_tables().values())


@dataclass(slots=True)
class Memory:
    """Stored frames by stream, what a crash left behind, and the number of the last commit."""

    stored: dict[int, Intervals] = field(default_factory=dict)
    orphans: dict[tuple[str, int], set[tuple[int, int]]] = field(default_factory=dict)
    commit: int = 0


def recover(store: Store) -> Memory:
    """Read the memory back. Rows of the group in flight are written down before they are forgotten.

    Only one group is ever in flight, so that its rows are those above the last commit in `frames`.
    """
    memory = Memory(_stored(store))
    last = _number(store, f"SELECT max(commit) AS n FROM {DATABASE}.{FRAMES}")
    found = [row for table in (*TABLES, INSTANCES) for row in _late(store, table, last)]
    if found:
        names = ("table", "day", "stream", "seq", "commit")
        rows = {name: [row[i] for row in found] for i, name in enumerate(names)}
        types = (pa.string(), pa.date32(), pa.uint64(), pa.uint64(), pa.uint64())
        arrays = [pa.array(rows[n], t) for n, t in zip(names, types, strict=True)]
        store.insert("orphans", pa.table(arrays, names=list(names)))
    memory.orphans = _orphans(store, memory.stored)
    highest = _number(store, f"SELECT max(commit) AS n FROM {DATABASE}.orphans")
    memory.commit = max(last, highest)
    return memory


def _number(store: Store, sql: str) -> int:
    return int(store.query_arrow(sql).column(0)[0].as_py())


def _stored(store: Store) -> dict[int, Intervals]:
    """Intervals of every stream; only streams with gaps are read number by number."""
    found = store.query_arrow(
        "SELECT stream, min(first) AS low, max(seq) AS high, "
        "sum(seq - first + 1) = high - low + 1 AS gapless "
        f"FROM {DATABASE}.{FRAMES} GROUP BY stream"
    ).to_pylist()
    whole = {r["stream"]: Intervals([(r["low"], r["high"])]) for r in found if r["gapless"]}
    for row in found:
        if not row["gapless"]:
            whole[row["stream"]] = Intervals(_pieces(store, row["stream"]))
    return whole


def _pieces(store: Store, stream: int) -> Iterator[tuple[int, int]]:
    rows = store.query_arrow(
        "SELECT min(low), max(high) FROM ("
        "  SELECT first AS low, seq AS high, sum(fresh) OVER (ORDER BY first, seq) AS run FROM ("
        "    SELECT first, seq, first > 1 + lagInFrame(seq, 1, 0) OVER (ORDER BY first, seq) fresh"
        f"   FROM {DATABASE}.{FRAMES} WHERE stream = {{stream:UInt64}})"
        ") GROUP BY run ORDER BY run",
        {"stream": str(stream)},
    )
    return zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True)


def _late(store: Store, table: str, last: int) -> Iterator[tuple[str, int, int, int, int]]:
    rows = store.query_arrow(
        "SELECT DISTINCT toUInt32(toDate(ts)) AS day, stream, seq, commit "
        f"FROM {DATABASE}.{table} WHERE commit > {{last:UInt64}}",
        {"last": str(last)},
    ).to_pylist()
    return ((table, r["day"], r["stream"], r["seq"], r["commit"]) for r in rows)


def _orphans(
    store: Store, stored: dict[int, Intervals]
) -> dict[tuple[str, int], set[tuple[int, int]]]:
    """Those whose frame did not come again yet."""
    rows = store.query_arrow(
        f"SELECT table, toUInt32(day) AS day, stream, seq FROM {DATABASE}.orphans FINAL"
    ).to_pylist()
    orphans: dict[tuple[str, int], set[tuple[int, int]]] = {}
    for row in rows:
        frame = (row["stream"], row["seq"])
        if frame[1] not in stored.get(frame[0], Intervals()):
            orphans.setdefault((row["table"], row["day"]), set()).add(frame)
    return orphans
