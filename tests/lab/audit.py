"""Whether ClickHouse sums to what the segments counted, to the packet.

Nothing here uses the exporter's increments or the pipeline's own ledger: it is a second opinion.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from exporters import frames
from exporters.ledger import residual
from exporters.segment import Segment
from exporters.snapshot import Snapshot, SnapshotReader
from lb.catalogue import SCOPES, load
from tests.lab.sql import query

Totals = dict[str, int]


def last_snapshots(segments: Iterable[Path]) -> list[Snapshot]:
    """What cores that have ended had counted."""
    return [SnapshotReader(Segment(path)).read(ended=True) for path in segments]


def segment_totals(snapshots: Iterable[Snapshot]) -> Totals:
    """`scope.id` to the sum of a counter (of a histogram: of all its cells) over rows and boots."""
    totals: Counter[str] = Counter()
    for snapshot in snapshots:
        for scope, rows in snapshot.scopes.items():
            for counter in load().scope(scope):
                if counter.kind != "gauge":
                    cells = rows.values[:, counter.slot : counter.slot + counter.cells]
                    totals[f"{scope}.{counter.id}"] += int(cells.sum())
    return dict(totals)


def stored_totals(sql_port: int, where: str = "1") -> Totals:
    """The same from ClickHouse's 1 s tables."""
    totals: Totals = {}
    for scope in SCOPES:
        counters = [c for c in load().scope(scope) if c.kind != "gauge"]
        if not counters:
            continue
        columns = ", ".join(
            f"toString(sum({f'arraySum({c.id})' if c.kind == 'histogram' else c.id})) AS sum_{c.id}"
            for c in counters
        )
        row = query(sql_port, f"SELECT {columns} FROM popscope.{scope}_1s WHERE {where}")[0]
        totals |= {f"{scope}.{c.id}": int(row[f"sum_{c.id}"]) for c in counters}
    return totals


def differences(expected: Totals, stored: Totals) -> dict[str, tuple[int, int]]:
    """Counters whose sums differ: what the segments say, what ClickHouse says."""
    names = expected.keys() | stored.keys()
    pairs = {name: (expected.get(name, 0), stored.get(name, 0)) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def drops(totals: Totals) -> dict[str, int]:
    """Packets dropped by reason, the reasons that occurred."""
    reasons = {f"lcore.{c.id}": dict(c.labels)["reason"] for c in load().ledger("drop")}
    return {reason: totals[name] for name, reason in reasons.items() if totals.get(name)}


def stored_drops(sql_port: int) -> dict[str, int]:
    """The same from ClickHouse alone: one small query."""
    reasons = {c.id: dict(c.labels)["reason"] for c in load().ledger("drop")}
    columns = ", ".join(f"toString(sum({name})) AS sum_{name}" for name in reasons)
    row = query(sql_port, f"SELECT {columns} FROM popscope.lcore_1s")[0]
    found = {reason: int(row[f"sum_{name}"]) for name, reason in reasons.items()}
    return {reason: count for reason, count in found.items() if count}


def ledger_residual(snapshots: Iterable[Snapshot]) -> int:
    """Packets unaccounted for, summed without sign over all rows: 0 when the law holds in each."""
    return sum(
        int(abs(residual(scope, snapshot.scopes[scope].values)).sum())
        for snapshot in snapshots
        for scope in ("lcore", "vip")
        if scope in snapshot.scopes
    )


def rows_stored(sql_port: int) -> int:
    """Rows in all tables that frames fill."""
    tables = [f"{scope}{kind}" for scope in SCOPES for kind in ("_1s", "_abs")]
    counts = " UNION ALL ".join(f"SELECT count() AS n FROM popscope.{t}" for t in tables)
    return int(query(sql_port, f"SELECT sum(n) AS n FROM ({counts})")[0]["n"])


@dataclass(slots=True)
class SpoolCount:
    """Rows in the frames of an exporter's spool, counted as they are appended.

    Poll it while the exporter runs: a file is kept open once it was seen, so that what is removed
    after its acknowledgement is counted too.
    """

    folder: Path
    rows: dict[tuple[int, int], int] = field(default_factory=dict)
    _files: dict[tuple[int, int], tuple[BinaryIO, int]] = field(default_factory=dict)

    def poll(self) -> int:
        """Read what is new; return the rows of all frames so far."""
        for path in sorted(self.folder.glob("*.spool")):
            self._open(path)
        for key, (file, offset) in list(self._files.items()):
            removed = os.fstat(file.fileno()).st_nlink == 0
            self._files[key] = (file, self._read(file, offset))
            if removed:  # it was complete, and the exporter does not write to it any more
                self._files.pop(key)[0].close()
        return sum(self.rows.values())

    def close(self) -> None:
        for file, _ in self._files.values():
            file.close()
        self._files.clear()

    def _open(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        status = os.fstat(file.fileno())
        key = (status.st_dev, status.st_ino)
        if key in self._files:
            file.close()
        else:
            self._files[key] = (file, 0)

    def _read(self, file: BinaryIO, offset: int) -> int:
        file.seek(offset)
        data = memoryview(file.read())
        while len(data) >= frames.PREFIX.size:
            size = frames.length(data)
            if size > len(data):
                break
            header: Any = frames.decode_header(data[:size])
            self.rows[header.stream, header.seq] = sum(header.rows.values())
            data, offset = data[size:], offset + size
        return offset
