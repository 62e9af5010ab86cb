"""From the body of a request to frames whose tables fit the store."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from exporters import frames as exporter_frames
from exporters.errors import FrameError
from exporters.frames import Header
from lb.catalogue import SCOPES, Catalogue
from pipeline import schema
from pipeline.errors import BadRequest, TooLarge

KNOWN_TABLES = frozenset(schema.frame_tables())
MAX_DAMAGED = 100
# A frame has a cost of its own, however small it is; a thousand times more fit into a body.
MAX_FRAMES = 4096


@dataclass(frozen=True, slots=True)
class Received:
    """A whole, undamaged frame. `unknown`: what it holds that the store has no place for."""

    header: Header
    tables: Mapping[str, pa.Table]
    size: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Damaged:
    """The frame at place `index` of a body cannot be read.

    `identity`: (stream, seq) as its header has them, None when it cannot be read either.
    """

    index: int
    error: str
    identity: tuple[int, int] | None


@dataclass(slots=True)
class Body:
    """What a request brought. `unread`: bytes behind the last of MAX_DAMAGED damaged frames."""

    frames: list[Received] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    unread: int = 0


def inflate(data: bytes, encoding: str, limit: int) -> bytes | memoryview:
    """The body without its content encoding. Raises TooLarge beyond `limit`, BadRequest."""
    if encoding in ("", "identity"):
        return data
    if encoding != "zstd":
        raise BadRequest(f"content encoding {encoding!r} is not known: send zstd or identity")
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            plain: bytes = stream.read(limit + 1)
    except (OSError, pa.ArrowException) as error:
        raise BadRequest(f"the body is not zstd: {error}") from error
    if len(plain) > limit:
        raise TooLarge(f"it is more than {limit} bytes when unpacked", _alone(plain))
    return plain


def _alone(head: bytes) -> tuple[int, int] | None:
    """Who the first frame is when it goes on behind `head`."""
    try:
        return identity(memoryview(head)) if exporter_frames.length(head) >= len(head) else None
    except FrameError:
        return None


def identity(view: memoryview) -> tuple[int, int] | None:
    """(stream, seq) as a frame's header has them, None when it cannot be read. Not verified."""
    try:
        _, size, _, _ = exporter_frames.PREFIX.unpack_from(view)
        start = exporter_frames.PREFIX.size
        raw = json.loads(bytes(view[start : start + size]))
        stream, seq = int(raw["stream"], 16), int(raw["seq"])
    except (struct.error, LookupError, TypeError, ValueError, OverflowError, RecursionError):
        return None
    return (stream, seq) if 0 <= stream <= exporter_frames.U64 and seq >= 0 else None


class Reader:
    """Reads bodies. A table keeps the columns of `catalogue`; whatever else it has is reported."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._whole: dict[str, pa.Schema] = {}
        self._types: dict[str, dict[str, pa.DataType]] = {}
        for scope in SCOPES:
            kept = {entry.id for entry in catalogue.scope(scope)}
            full = exporter_frames.schema(scope)
            keys = {"ts", "boot", *schema.row_key(scope)}
            self._types[scope] = {f.name: f.type for f in full if f.name in keys | kept}
            if len(self._types[scope]) == len(full):
                self._whole[scope] = full

    def read(self, data: bytes | memoryview) -> Body:
        """All frames of a body. A damaged one costs only itself: the next one is looked for.

        Only so many are looked for: noise must cost neither memory nor time without bounds. Raises
        TooLarge beyond MAX_FRAMES.
        """
        body, view, at, index = Body(), memoryview(data), 0, 0
        while at < len(view):
            if len(body.damaged) == MAX_DAMAGED:
                body.unread = len(view) - at
                break
            if index == MAX_FRAMES:
                raise TooLarge(f"it has more than {MAX_FRAMES} frames")
            size = 0
            try:
                size = exporter_frames.length(view[at:])
                body.frames.append(self._frame(view[at : at + size]))
                at += size
            except FrameError as error:
                body.damaged.append(Damaged(index, str(error), identity(view[at:])))
                at = _next(data, at, size)
            index += 1
        return body

    def _frame(self, view: memoryview) -> Received:
        try:
            frame = exporter_frames.decode(view, KNOWN_TABLES)
        except (OSError, OverflowError) as error:  # Arrow's errors for places beyond the end
            raise FrameError(f"cannot read its tables: {error}") from error
        header = frame.header
        if header.first > header.seq:
            raise FrameError(f"frame {header.seq}: first is {header.first}")
        _check_text((header.pop, header.node, *(i.instance for i in header.instances)))
        unknown = [name for name in header.rows if name not in KNOWN_TABLES]
        tables = {}
        for name, table in frame.tables.items():
            try:
                names, strange = self._columns(name, table.schema)
            except UnicodeDecodeError as error:
                raise FrameError(f"{name}: the name of a column is no text: {error}") from error
            _check_rows(name, table, header)
            tables[name] = table.select(names) if strange else table
            unknown += [f"{name}.{column}" for column in strange]
        return Received(header, tables, len(view), (*unknown, *header.unknown))

    def _columns(self, table: str, columns: pa.Schema) -> tuple[list[str], list[str]]:
        """Names that the store keeps, and those that it does not. Raises FrameError."""
        scope, _ = exporter_frames.scope_of(table)
        if scope in self._whole and columns.equals(self._whole[scope]):
            return columns.names, []
        wanted = self._types[scope]
        for required in ("ts", *schema.row_key(scope), "boot"):
            if required not in columns.names:
                raise FrameError(f"{table}: lacks the column {required}")
        for name in columns.names:
            if columns.names.count(name) > 1:
                raise FrameError(f"{table}.{name}: is there twice")
            if name in wanted and columns.field(name).type != wanted[name]:
                raise FrameError(
                    f"{table}.{name}: is {columns.field(name).type}, must be {wanted[name]}"
                )
        known = [name for name in columns.names if name in wanted]
        return known, [name for name in columns.names if name not in wanted]


def _check_text(texts: Iterable[str]) -> None:
    """JSON can hold halves of characters, which no store takes. Raises FrameError."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise FrameError(f"{text!r} is no text: {error.reason}") from error


def _check_rows(name: str, table: pa.Table, header: Header) -> None:
    """Rows are as many as the header says, and of its time: it chooses their partition."""
    said = header.rows[name]
    if table.num_rows != said:
        raise FrameError(f"{name}: has {table.num_rows} rows, and {said} by the header")
    times = table.column("ts").to_numpy().view(np.int64)  # a null is the least of all
    if len(times) and not times.min() == times.max() == header.ts_ms:
        raise FrameError(f"{name}.ts: is not {header.ts_ms} as in the header, in every row")


def _next(data: bytes | memoryview, at: int, size: int) -> int:
    """Where the frame behind a damaged one begins; its length is believed only if one is there."""
    raw = data if isinstance(data, bytes) else bytes(data)
    if size and (at + size == len(raw) or raw.startswith(exporter_frames.MAGIC, at + size)):
        return at + size
    found = raw.find(exporter_frames.MAGIC, at + 1)
    return len(raw) if found < 0 else found
