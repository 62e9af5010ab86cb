"""Frames for the tests of the pipeline: a node whose counters grow, with its law balanced."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exporters.frames import Frame, Header, InstanceState, encode
from exporters.tables import Layout, Part, Table, build
from lb.catalogue import ROW_LABELS, load

# Five minutes before the last midnight UTC: what is older than a week does not live in the store.
EVENING_MS = time.time_ns() // 10**6 // 86_400_000 * 86_400_000 - 300_000
SCOPES = ("lcore", "port", "vip", "backend", "node")


def _slots(scope: str, term: str) -> list[int]:
    return [c.slot for c in load().ledger(term, scope)]


@dataclass(slots=True)
class Node:
    """One exporter with one instance. `frame` counts on and returns the frame of an interval.

    `seq` is the number of the next frame, so that it counts the frames as well.
    """

    pop: str = "fra1"
    node: str = "lb1"
    stream: int = 0xABCDEF
    boot: int = 7
    lcores: int = 2
    seed: int = 1
    keyframe_every: int = 10
    start_ms: int = EVENING_MS
    seq: int = 0
    totals: dict[str, npt.NDArray[np.uint64]] = field(default_factory=dict)

    def frame(self, interval_ms: int = 1000, final: bool = False) -> Frame:
        rng = np.random.default_rng([self.seed, self.seq])
        seq, self.seq = self.seq, self.seq + 1
        ts = self.start_ms + self.seq * interval_ms
        keyframe = final or seq % self.keyframe_every == 0
        tables: dict[str, Table] = {}
        for scope in SCOPES:
            grown = self._grow(rng, scope)
            labels = self._labels(scope, len(grown))
            tables[scope] = self._table(scope, labels, grown)
            if keyframe:
                tables[f"{scope}_abs"] = self._table(scope, labels, self.totals[scope])
        state = InstanceState(
            "lb", self.boot, "stopped" if final else "live", 12, self.start_ms, 2_000_000_000, final
        )
        header = Header(
            pop=self.pop,
            node=self.node,
            stream=self.stream,
            seq=seq,
            ts_ms=ts,
            interval_ms=interval_ms,
            keyframe=keyframe,
            first=seq,
            instances=(state,),
            rows={name: table.num_rows for name, table in tables.items()},
        )
        return Frame(header, tables)

    def frames(self, count: int) -> list[Frame]:
        return [self.frame() for _ in range(count)]

    def _grow(self, rng: np.random.Generator, scope: str) -> npt.NDArray[np.uint64]:
        rows = {"lcore": self.lcores, "node": 1}.get(scope, 2)
        cells = load().cells(scope)
        grown = rng.integers(0, 1000, (rows, cells)).astype(np.uint64)
        for term in ("held",):
            grown[:, _slots(scope, term)] = 0
        out = [s for term in ("tx", "drop", "consumed") for s in _slots(scope, term)]
        if rx := _slots(scope, "rx"):
            grown[:, rx[0]] = grown[:, out].sum(axis=1)
            grown[:, _slots(scope, "originated")] = 0
        totals = self.totals.setdefault(scope, np.zeros((rows, cells), np.uint64))
        gauges = [c.slot for c in load().scope(scope) if c.kind == "gauge"]
        totals += grown
        totals[:, gauges] = grown[:, gauges]
        return grown

    def _labels(self, scope: str, rows: int) -> list[pa.Array]:
        keys = ROW_LABELS[scope]
        return [pa.array([f"{key}{row}" for row in range(rows)]) for key in keys]

    def _table(
        self, scope: str, labels: Sequence[pa.Array], values: npt.NDArray[np.uint64]
    ) -> Table:
        return build(scope, [Part("lb", self.boot, labels, values.copy())])


def with_column(table: Table, name: str, values: npt.ArrayLike) -> Table:
    """The same with other values of a counter."""
    changed = replace(table, values=table.values.copy())
    changed.column(name)[...] = values
    return changed


def with_layout(table: Table, text: str) -> Table:
    """The same counters in another version's layout; those that are new count 1, 2, 3, ..."""
    layout = Layout.parse(text)
    there = {column.name for column in table.layout.columns}
    values = np.zeros((table.num_rows, layout.cells), np.uint64)
    for column in layout.columns:
        rows = table.column(column.name) if column.name in there else np.arange(len(values)) + 1
        values[:, column.start : column.end] = rows.reshape(len(values), -1)
    return Table(table.names, layout, values)


def body(frames: Sequence[Frame]) -> bytes:
    """The body of a request."""
    return b"".join(encode(frame) for frame in frames)


def expected(node: Node, scope: str, column: str) -> int:
    """What all increments of a counter sum to."""
    slot = next(c.slot for c in load().scope(scope) if c.id == column)
    return int(node.totals[scope][:, slot].sum())
