"""The evidence file of a core, read: its blocks, rings and records (lb/api/evidence.h).

The file describes itself. It is mapped read-only, nothing of it is trusted before it is checked,
and a record is kept only when its sequence number was the same even number before and after.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lb.errors import EvidenceError

PREFIX = "evidence-"
MAGIC = b"POPSEVID"
LAYOUT = 1
HEADER = struct.Struct("<8sII6QIIII64s32s")
BLOCK = struct.Struct("<16sQQIIIIQII")
FIELD = struct.Struct("<32sIIII80s")
NUMBER, DATA, TEXT = range(3)
MAX_COUNT = 1 << 24
NO_ROW = 0xFFFF
_NAMES = {"vip": 1, "backend": 2}  # values of a row that are its name
Value = int | str | bytes


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a record."""

    name: str
    offset: int
    size: int
    kind: int

    def of(self, record: bytes) -> Value:
        raw = record[self.offset : self.offset + self.size]
        if self.kind == NUMBER:
            return int.from_bytes(raw, "little")
        return raw if self.kind == DATA else _text(raw)


@dataclass(frozen=True, slots=True)
class Block:
    """Rings of one kind of record; `offset` and strides in bytes."""

    name: str
    offset: int
    lane_stride: int
    stride: int
    lanes: int
    rings: int
    records: int
    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """Bytes of a lane that hold records."""
        return self.rings * self.records * self.stride


@dataclass(frozen=True, slots=True)
class Record:
    """Record `number` (from 0) of a ring, whole."""

    lane: int
    ring: int
    number: int
    values: dict[str, Value]

    def number_of(self, name: str) -> int:
        value = self.values.get(name, 0)  # a core of another version may lack it
        return value if isinstance(value, int) else 0

    def text_of(self, name: str) -> str:
        value = self.values.get(name, "")
        return value if isinstance(value, str) else ""

    def data_of(self, name: str) -> bytes:
        value = self.values.get(name, b"")
        return value if isinstance(value, bytes) else b""


class Evidence:
    """An evidence file, of a core that lives or not. Raises EvidenceError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = _map(path)
        if len(self._data) < HEADER.size:
            raise EvidenceError(f"{path}: {len(self._data)} bytes are no evidence file")
        (magic, layout, _, total, self.catalogue_hash, self.boot, self.start_ns, self.tsc_hz) = (
            HEADER.unpack_from(self._data)[:8]
        )
        directory, count, block_size, field_size, self.pid, instance, version = HEADER.unpack_from(
            self._data
        )[8:]
        if magic != MAGIC:
            raise EvidenceError(f"{path}: magic is {magic!r}, not {MAGIC!r}")
        if layout != LAYOUT:
            raise EvidenceError(f"{path}: layout {layout}, this program reads {LAYOUT}")
        if total != len(self._data):
            raise EvidenceError(f"{path}: {len(self._data)} bytes, its header says {total}")
        if block_size < BLOCK.size or field_size < FIELD.size:
            raise EvidenceError(f"{path}: blocks of {block_size}, fields of {field_size} bytes")
        self.instance, self.version = _text(instance), _text(version)
        self._words = memoryview(self._data)[: len(self._data) // 8 * 8].cast("Q")
        self._check("directory", directory, count, block_size)
        blocks = (self._block(directory + i * block_size, field_size) for i in range(count))
        self.blocks = {block.name: block for block in blocks}

    def block(self, name: str) -> Block:
        """A block by name. Raises EvidenceError: a core of another version may lack it."""
        if name not in self.blocks:
            raise EvidenceError(f"{self.path}: no block {name!r}: core {self.version} has none")
        return self.blocks[name]

    def fresh(self, name: str, seen: dict[tuple[int, int], int]) -> Iterator[Record]:
        """Whole records of a block that `seen` has not; it holds the next number of each ring."""
        block = self.block(name)
        for lane in range(block.lanes):
            start = block.offset + lane * block.lane_stride
            sequences = self._words[start // 8 : (start + block.size) // 8 : block.stride // 8]
            for place, sequence in enumerate(sequences.tolist()):
                ring = (lane, place // block.records)
                if sequence and not sequence % 2 and sequence // 2 - 1 >= seen.get(ring, 0):
                    record = self._record(block, lane, place)
                    if record is not None:
                        yield record

    def record(self, name: str, ring: int) -> Record | None:
        """The record of a ring that holds one; None while it has none, or it is being written."""
        block = self.block(name)
        if not 0 <= ring < block.rings:
            return None
        return self._record(block, 0, ring * block.records)

    def row_name(self, record: Record, scope: str) -> str:
        """Name of the listener (scope vip) or pool/backend that a record is of; "" for none."""
        row = record.number_of(scope)
        if row == NO_ROW:
            return ""
        name = self.record(scope, row)
        if name is None or name.number_of("epoch") != record.number_of(f"{scope}_epoch"):
            return f"{scope} row {row}, which has another name now"
        return "/".join(name.text_of("values").split("\t")[: _NAMES[scope]])

    def _record(self, block: Block, lane: int, place: int) -> Record | None:
        offset = block.offset + lane * block.lane_stride + place * block.stride
        copy = self._data[offset : offset + block.stride]
        sequence = int.from_bytes(copy[:8], "little")
        if not sequence or sequence % 2 or self._words[offset // 8] != sequence:
            return None
        values = {field.name: field.of(copy) for field in block.fields}
        return Record(lane, place // block.records, sequence // 2 - 1, values)

    def _block(self, at: int, field_size: int) -> Block:
        raw = BLOCK.unpack_from(self._data, at)
        name, offset, lane_stride, stride, lanes, rings, records, fields, count, _ = raw
        where = f"block {_text(name)}"
        if max(lanes, rings, records, count) > MAX_COUNT or not stride or not records:
            raise EvidenceError(f"{self.path}: {where}: {lanes} x {rings} x {records} records")
        if offset % 8 or stride % 8 or lane_stride % 8 or lane_stride < rings * records * stride:
            raise EvidenceError(f"{self.path}: {where}: records overlap or are not aligned")
        self._check(where, offset, lanes, lane_stride)
        self._check(f"{where}, fields", fields, count, field_size)
        found = tuple(self._field(fields + i * field_size, stride) for i in range(count))
        return Block(_text(name), offset, lane_stride, stride, lanes, rings, records, found)

    def _field(self, at: int, stride: int) -> Field:
        name, offset, size, kind, _, _ = FIELD.unpack_from(self._data, at)
        if offset + size > stride or kind not in (NUMBER, DATA, TEXT):
            raise EvidenceError(f"{self.path}: field {_text(name)}: kind {kind}, {size} bytes")
        return Field(_text(name), offset, size, kind)

    def _check(self, what: str, offset: int, count: int, stride: int) -> None:
        if offset + count * stride > len(self._data):
            raise EvidenceError(f"{self.path}: {what} ends behind the file's end")


def find(run_dir: Path, boot: str = "") -> Path:
    """The evidence file of a boot (16 hex digits), or of the latest. Raises EvidenceError."""
    if boot:
        return run_dir / f"{PREFIX}{boot}"
    found = [Evidence(path) for path in run_dir.glob(f"{PREFIX}*")]
    if not found:
        raise EvidenceError(f"{run_dir}: no {PREFIX}* here; is it a core's folder?")
    return max(found, key=lambda evidence: evidence.start_ns).path


def _map(path: Path) -> mmap.mmap | bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from error
    try:
        size = os.fstat(fd).st_size
        return mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) if size else b""
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be mapped: {error.strerror}") from error
    finally:
        os.close(fd)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")
