"""The statistics segment as bytes: the only file that knows their layout (lb/api/segment.h).

A segment is mapped read-only and described by its own directory; nothing of it is trusted before it
is checked. The mapping lives as long as a view of it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exporters.errors import SegmentError, SegmentNotReadyError

PREFIX = "segment-"
MAGIC = b"POPSCOPE"
LAYOUT = 1
MAX_BOUNDS = 16
ROW_ALIGN = 64
KINDS = ("counter", "gauge", "histogram")
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("layout", "<u4"),
        ("header_size", "<u4"),
        ("total_size", "<u8"),
        ("catalogue_hash", "<u8"),
        ("boot_id", "<u8"),
        ("start_time_ns", "<u8"),
        ("tsc_hz", "<u8"),
        ("state", "<u8"),
        ("heartbeat_ns", "<u8"),
        ("names_sequence", "<u8"),
        ("directory_offset", "<u8"),
        ("directory_count", "<u4"),
        ("block_size", "<u4"),
        ("field_size", "<u4"),
        ("name_size", "<u4"),
        ("pid", "<u4"),
        ("reserved", "<u4"),
        ("instance", "S64"),
        ("version", "S32"),
    ]
)
BLOCK = np.dtype(
    [
        ("scope", "S16"),
        ("offset", "<u8"),
        ("lane_stride", "<u8"),
        ("row_stride", "<u4"),
        ("lanes", "<u4"),
        ("rows", "<u4"),
        ("cells", "<u4"),
        ("fields_offset", "<u8"),
        ("field_count", "<u4"),
        ("reserved", "<u4"),
        ("names_offset", "<u8"),
        ("draft_offset", "<u8"),
        ("label_keys", "S128"),
    ]
)
FIELD = np.dtype(
    [
        ("id", "S64"),
        ("cell", "<u4"),
        ("kind", "<u4"),
        ("bound_count", "<u4"),
        ("reserved", "<u4"),
        ("bounds", "<u8", MAX_BOUNDS),
        ("metric", "S64"),
        ("unit", "S32"),
        ("labels", "S64"),
        ("ledger", "S16"),
        ("help", "S256"),
    ]
)
NAME = np.dtype([("generation", "<u8"), ("active", "<u4"), ("reserved", "<u4"), ("values", "S240")])
MAX_COUNT = 1 << 20
Words = npt.NDArray[np.uint64]


class State(IntEnum):
    """How far a segment is: `enum ps_segment_state`."""

    WRITING = 0
    READY = 1
    STOPPED = 2


@dataclass(frozen=True, slots=True)
class Field:
    """One counter, gauge or histogram, as the segment describes it."""

    id: str
    cell: int
    kind: str
    bounds: tuple[int, ...]
    metric: str
    unit: str
    labels: tuple[tuple[str, str], ...]
    ledger: str
    help: str

    @property
    def cells(self) -> int:
        return len(self.bounds) + 2 if self.kind == "histogram" else 1


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a scope, live. `lanes`: all words of a lane; `names`: of NAME.

    Row r of a lane begins at word r * row_words: its sequence number, its cells, padding.
    `drafts`: the writers' working copies of the lanes, whole where a row stays odd; may be none.
    """

    scope: str
    label_keys: tuple[str, ...]
    fields: tuple[Field, ...]
    cells: int
    row_words: int
    lanes: tuple[Words, ...]
    drafts: tuple[Words, ...]
    names: npt.NDArray[np.void]


class Segment:
    """A segment that is ready or has ended. Raises SegmentNotReadyError, SegmentError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = _map(path)
        header = self._header(path)
        self.boot = int(header["boot_id"])
        self.instance = _text(header["instance"])
        self.version = _text(header["version"])
        self.start_ns = int(header["start_time_ns"])
        self.tsc_hz = int(header["tsc_hz"])
        self.catalogue_hash = int(header["catalogue_hash"])
        self.pid = int(header["pid"])
        self._live = self._words("header", 0, HEADER.itemsize // 8)
        self.blocks: Mapping[str, Block] = self._blocks(header)

    @property
    def state(self) -> State:
        value = int(self._live[_word("state")])
        if value not in tuple(State):
            raise SegmentError(f"{self.path}: state {value} is not known")
        return State(value)

    @property
    def heartbeat_ns(self) -> int:
        """When the core's main lcore last lived: ns since the epoch."""
        return int(self._live[_word("heartbeat_ns")])

    @property
    def names_sequence(self) -> int:
        return int(self._live[_word("names_sequence")])

    def _header(self, path: Path) -> Any:
        if len(self._data) < HEADER.itemsize:
            raise SegmentNotReadyError(f"{path}: only {len(self._data)} bytes, no whole header yet")
        header = np.frombuffer(self._data, HEADER, 1)[0]
        if header["magic"] == b"" or header["state"] == State.WRITING:
            raise SegmentNotReadyError(f"{path}: the core is still laying it out")
        self._check(header)
        sizes = {"header": HEADER, "block": BLOCK, "field": FIELD, "name": NAME}
        for name, known in sizes.items():
            if header[f"{name}_size"] < known.itemsize:
                raise SegmentError(f"{path}: {name}_size is below {known.itemsize}")
        return header

    def _check(self, header: Any) -> None:
        if header["magic"] != MAGIC:
            raise SegmentError(f"{self.path}: magic is {bytes(header['magic'])!r}, not {MAGIC!r}")
        if header["layout"] != LAYOUT:
            raise SegmentError(
                f"{self.path}: layout {header['layout']}, this exporter reads {LAYOUT}"
            )
        if header["state"] not in tuple(State):
            raise SegmentError(f"{self.path}: state {header['state']} is not known")
        if header["total_size"] != len(self._data):
            raise SegmentError(
                f"{self.path}: {len(self._data)} bytes, but the header says {header['total_size']}"
            )

    def _blocks(self, header: Any) -> dict[str, Block]:
        raw = self._table(
            "directory",
            BLOCK,
            int(header["directory_offset"]),
            int(header["directory_count"]),
            int(header["block_size"]),
        )
        blocks = [self._block(b, int(header["field_size"]), int(header["name_size"])) for b in raw]
        found = {b.scope: b for b in blocks}
        if len(found) != len(blocks):
            raise SegmentError(f"{self.path}: a scope is in the directory twice")
        return found

    def _block(self, raw: Any, field_size: int, name_size: int) -> Block:
        scope, cells = _text(raw["scope"]), int(raw["cells"])
        rows, count = int(raw["rows"]), int(raw["field_count"])
        fields = self._table(f"{scope} fields", FIELD, int(raw["fields_offset"]), count, field_size)
        return Block(
            scope=scope,
            label_keys=tuple(filter(None, _text(raw["label_keys"]).split("\t"))),
            fields=tuple(self._field(scope, f, cells) for f in fields),
            cells=cells,
            row_words=int(raw["row_stride"]) // 8,
            lanes=self._lanes(scope, raw, int(raw["offset"])),
            drafts=self._lanes(scope, raw, draft) if (draft := int(raw["draft_offset"])) else (),
            names=self._table(f"{scope} names", NAME, int(raw["names_offset"]), rows, name_size),
        )

    def _lanes(self, scope: str, raw: Any, offset: int) -> tuple[Words, ...]:
        lanes, rows, words = int(raw["lanes"]), int(raw["rows"]), 1 + int(raw["cells"])
        lane, row = int(raw["lane_stride"]), int(raw["row_stride"])
        if not 0 < lanes <= MAX_COUNT or rows > MAX_COUNT or words > MAX_COUNT:
            raise SegmentError(f"{self.path}: {scope}: {lanes} lanes x {rows} rows x {words} words")
        if row < 8 * words or (lanes > 1 and lane < row * rows):
            raise SegmentError(f"{self.path}: {scope}: rows overlap")
        if offset % ROW_ALIGN or row % ROW_ALIGN or lane % ROW_ALIGN:
            raise SegmentError(f"{self.path}: {scope}: rows are not aligned to {ROW_ALIGN} bytes")
        size = rows * row // 8
        return tuple(self._words(f"{scope} rows", offset + i * lane, size) for i in range(lanes))

    def _field(self, scope: str, raw: Any, cells: int) -> Field:
        name, kind, bounds = _text(raw["id"]), int(raw["kind"]), int(raw["bound_count"])
        if kind >= len(KINDS) or bounds > MAX_BOUNDS:
            raise SegmentError(f"{self.path}: {scope}.{name}: kind {kind}, {bounds} bounds")
        labels = (pair.partition("=") for pair in _text(raw["labels"]).split("\t") if pair)
        field = Field(
            id=name,
            cell=int(raw["cell"]),
            kind=KINDS[kind],
            bounds=tuple(int(b) for b in raw["bounds"][:bounds]),
            metric=_text(raw["metric"]),
            unit=_text(raw["unit"]),
            labels=tuple((key, value) for key, _, value in labels),
            ledger=_text(raw["ledger"]),
            help=_text(raw["help"]),
        )
        if field.cell + field.cells > cells:
            raise SegmentError(f"{self.path}: {scope}.{name}: cell {field.cell} of {cells}")
        return field

    def _table(self, what: str, kind: Any, offset: int, count: int, stride: int) -> Any:
        end = offset + max(count - 1, 0) * stride + (kind.itemsize if count else 0)
        if end > len(self._data):
            raise SegmentError(f"{self.path}: {what}: {count} entries end behind the file's end")
        return np.ndarray((count,), kind, self._data, offset, (stride,))

    def _words(self, what: str, offset: int, count: int) -> Words:
        words: Words = self._table(what, np.dtype("<u8"), offset, count, 8)
        return words


def _map(path: Path) -> mmap.mmap | bytes:
    try:
        # A pipe of this name must not hold up the others.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SegmentError(f"{path}: {error.strerror}") from error
    try:
        size = os.fstat(fd).st_size
        return mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) if size else b""
    except OSError as error:
        raise SegmentError(f"{path}: cannot be mapped: {error.strerror}") from error
    finally:
        os.close(fd)


def _word(name: str) -> int:
    fields: Any = HEADER.fields
    return int(fields[name][1]) // 8


def _text(raw: Any) -> str:
    return bytes(raw).decode("utf-8", "replace")
