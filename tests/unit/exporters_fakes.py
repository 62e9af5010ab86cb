"""A writer of segments in Python: lays out the bytes of lb/api/segment.h and counts into them."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporters import segment as s
from lb.catalogue import ROW_LABELS, SCOPES, Catalogue, Counter, load

ROWS = {"lcore": 2, "port": 1, "port_queue": 2, "vip": 4, "backend": 4, "node": 1}
NO_PROCESS = (1 << 22) + 7  # above the kernel's largest pid
NAMES = {
    "lcore": "{row}",
    "port": "{row}",
    "port_queue": "0\t{row}",
    "vip": "web-{row}\t198.51.100.{row}\t80\ttcp",
    "backend": "web\tb{row}\t10.77.1.{row}",
    "node": "",
}


@dataclass
class Layout:
    """Where the parts of a block lie."""

    fields: tuple[Counter, ...]
    cells: int
    row_stride: int
    lane_stride: int
    lanes: int
    rows: int


def _align(size: int, to: int) -> int:
    return (size + to - 1) // to * to


class FakeSegment:
    """A segment that a test writes. Every row of every scope is named unless `named` says less."""

    def __init__(
        self,
        run_dir: Path,
        boot: int = 1,
        instance: str = "a",
        catalogue: Catalogue | None = None,
        rows: Mapping[str, int] = ROWS,
        lanes: int = 2,
        named: Mapping[str, int] | None = None,
        state: int = s.State.READY,
        pid: int = 0,
    ) -> None:
        self.catalogue = catalogue or load()
        self.lanes, self.rows = lanes, dict(rows)
        self.path = run_dir / f"{s.PREFIX}{boot:016x}"
        run_dir.mkdir(parents=True, exist_ok=True)
        self._lay_out()
        self._fill_header(boot, instance, pid or os.getpid())
        for scope in SCOPES:
            self._fill_block(scope)
            for row in range((named or self.rows)[scope]):
                self.name(scope, row, generation=row + 1)
        self.header["state"] = state

    def _lay_out(self) -> None:
        self.layout: dict[str, Layout] = {}
        self.offsets: dict[tuple[str, str], int] = {}
        end = s.HEADER.itemsize + len(SCOPES) * s.BLOCK.itemsize
        for scope in SCOPES:
            fields = self.catalogue.scope(scope)
            cells = max((c.slot + c.cells for c in fields), default=0)
            lanes = self.lanes if scope in ("vip", "backend") else 1
            row = _align(8 * (1 + cells), 64)
            lane = _align(row * self.rows[scope], 4096)
            self.layout[scope] = Layout(fields, cells, row, lane, lanes, self.rows[scope])
            self.offsets[scope, "fields"] = end
            end += len(fields) * s.FIELD.itemsize
            self.offsets[scope, "names"] = end
            end += self.rows[scope] * s.NAME.itemsize
        for scope, block in self.layout.items():
            end = _align(end, 4096)
            self.offsets[scope, "rows"] = end
            end += block.lane_stride * block.lanes
        with self.path.open("x+b") as file:
            file.truncate(end)
            self.data = mmap.mmap(file.fileno(), end)
        self.size = end

    def _fill_header(self, boot: int, instance: str, pid: int) -> None:
        self.header: Any = np.ndarray((1,), s.HEADER, self.data)[0:1]
        values: dict[str, Any] = {
            "magic": s.MAGIC,
            "layout": s.LAYOUT,
            "header_size": s.HEADER.itemsize,
            "total_size": self.size,
            "catalogue_hash": self.catalogue.hash,
            "boot_id": boot,
            "start_time_ns": time.time_ns(),
            "tsc_hz": 2_000_000_000,
            "heartbeat_ns": time.time_ns(),
            "directory_offset": s.HEADER.itemsize,
            "directory_count": len(SCOPES),
            "block_size": s.BLOCK.itemsize,
            "field_size": s.FIELD.itemsize,
            "name_size": s.NAME.itemsize,
            "pid": pid,
            "instance": instance.encode(),
            "version": b"fake",
        }
        for key, value in values.items():
            self.header[key] = value

    def _fill_block(self, scope: str) -> None:
        block = self.layout[scope]
        place = s.HEADER.itemsize + SCOPES.index(scope) * s.BLOCK.itemsize
        raw: Any = np.ndarray((1,), s.BLOCK, self.data, place)
        raw["scope"] = scope.encode()
        raw["offset"] = self.offsets[scope, "rows"]
        raw["lane_stride"], raw["row_stride"] = block.lane_stride, block.row_stride
        raw["lanes"], raw["rows"], raw["cells"] = block.lanes, block.rows, block.cells
        raw["fields_offset"] = self.offsets[scope, "fields"]
        raw["field_count"] = len(block.fields)
        raw["names_offset"] = self.offsets[scope, "names"]
        raw["label_keys"] = "\t".join(ROW_LABELS[scope]).encode()
        fields: Any = np.ndarray(
            (len(block.fields),), s.FIELD, self.data, self.offsets[scope, "fields"]
        )
        for target, counter in zip(fields, block.fields, strict=True):
            self._fill_field(target, counter)

    @staticmethod
    def _fill_field(target: Any, counter: Counter) -> None:
        target["id"], target["cell"] = counter.id.encode(), counter.slot
        target["kind"] = s.KINDS.index(counter.kind)
        target["bound_count"] = len(counter.bounds)
        target["bounds"][: len(counter.bounds)] = counter.bounds
        target["metric"], target["unit"] = counter.metric.encode(), counter.unit.encode()
        target["labels"] = "\t".join(f"{k}={v}" for k, v in counter.labels).encode()
        target["ledger"], target["help"] = counter.ledger.encode(), counter.help.encode()

    def words(self, scope: str) -> s.Words:
        """Lanes x rows x (sequence number, cells), to write into."""
        b = self.layout[scope]
        shape, strides = (b.lanes, b.rows, 1 + b.cells), (b.lane_stride, b.row_stride, 8)
        return np.ndarray(shape, np.uint64, self.data, self.offsets[scope, "rows"], strides)

    def name(
        self,
        scope: str,
        row: int,
        generation: int,
        values: str | None = None,
        active: bool = True,
    ) -> None:
        """Name a row; a new generation finds its cells zeroed."""
        self.header["names_sequence"] += 1
        place = self.offsets[scope, "names"] + row * s.NAME.itemsize
        raw: Any = np.ndarray((1,), s.NAME, self.data, place)
        if raw["generation"][0] != generation:
            self.words(scope)[:, row, 1:] = 0
        raw["generation"], raw["active"] = generation, active
        raw["values"] = (NAMES[scope].format(row=row) if values is None else values).encode()
        self.header["names_sequence"] += 1

    def add(self, scope: str, row: int, lane: int = 0, **counts: int) -> None:
        """Add to cells by id (a histogram's `<id>__<cell>`), inside the sequence number."""
        cells = {c.id: c.slot for c in self.layout[scope].fields}
        words = self.words(scope)[lane, row]
        words[0] += np.uint64(1)
        for key, count in counts.items():
            name, _, cell = key.partition("__")
            place = 1 + cells[name] + int(cell or 0)
            words[place] = (int(words[place]) + count) % (1 << 64)
        words[0] += np.uint64(1)

    def total(self, scope: str) -> s.Words:
        """Cells summed over rows and lanes."""
        total: s.Words = self.words(scope)[:, :, 1:].sum(axis=(0, 1), dtype=np.uint64)
        return total

    def beat(self) -> None:
        self.header["heartbeat_ns"] = time.time_ns()

    def stop(self) -> None:
        self.beat()
        self.header["state"] = s.State.STOPPED

    def die(self) -> None:
        """As after SIGKILL: a heartbeat of a minute ago. Create it with `pid=NO_PROCESS`."""
        self.header["heartbeat_ns"] = time.time_ns() - 60 * 10**9
