"""From the body of a request to frames whose tables fit the store."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import pyarrow as pa

from exporters import frames as exporter_frames
from exporters.errors import FrameError, FrameVersionError
from exporters.frames import Header
from exporters.tables import Column, Layout, Table, names_types
from lb.catalogue import SCOPES, Catalogue
from pipeline import schema
from pipeline.errors import BadRequest, Overloaded, TooLarge

KNOWN_TABLES = frozenset(schema.frame_tables())
MAX_DAMAGED = 100
# A frame has a cost of its own, however small it is; a thousand times more fit into a body.
MAX_FRAMES = 4096
_ANOTHER_VERSION_S = 30


@dataclass(frozen=True, slots=True)
class Fit:
    """How the counters of a layout fit the store: what it keeps, and what it has no place for."""

    kept: tuple[Column, ...]
    strange: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of a frame. Tables of the same layout have the same `fit`."""

    table: Table
    fit: Fit

    @property
    def num_rows(self) -> int:
        return self.table.num_rows


@dataclass(frozen=True, slots=True)
class Received:
    """A whole, undamaged frame. `unknown`: what it holds that the store has no place for."""

    header: Header
    tables: Mapping[str, Rows]
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
        self._kept = {s: {c.id: bool(c.bounds) for c in catalogue.scope(s)} for s in SCOPES}
        self._fit = lru_cache(maxsize=64)(self._fitted)

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
            except FrameVersionError as error:  # it waits in its spool until it can be read
                text = f"frame {index} of the body: {error}"
                raise Overloaded(text, _ANOTHER_VERSION_S) from error
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
            scope, _ = exporter_frames.scope_of(name)
            names = _names(name, scope, table.names)
            strange = [label for label in table.names if label not in names]
            if table.num_rows != header.rows[name]:
                said = f"{table.num_rows} rows, and {header.rows[name]} by the header"
                raise FrameError(f"{name}: has {said}")
            try:
                fit = self._fit(scope, table.layout)
            except FrameError as error:
                raise FrameError(f"{name}.{error}") from error
            tables[name] = Rows(replace(table, names=names) if strange else table, fit)
            unknown += [f"{name}.{column}" for column in (*strange, *fit.strange)]
        return Received(header, tables, len(view), (*unknown, *header.unknown))

    def _fitted(self, scope: str, layout: Layout) -> Fit:
        """Raises FrameError, which begins with the name of the column."""
        kept, strange = list[Column](), list[str]()
        lists = self._kept[scope]
        for column in layout.columns:
            if column.name not in lists:
                strange.append(column.name)
                continue
            if bool(column.width) != lists[column.name]:
                kinds = ("a list", "a number") if column.width else ("a number", "a list")
                raise FrameError(f"{column.name}: is {kinds[0]}, must be {kinds[1]}")
            kept.append(column)
        return Fit(tuple(kept), tuple(strange))


def _names(table: str, scope: str, names: Mapping[str, pa.Array]) -> Mapping[str, pa.Array]:
    """What names the rows, without what nobody knows. Raises FrameError when it is not there."""
    wanted = names_types(scope)
    for name, kind in wanted.items():
        if name not in names:
            raise FrameError(f"{table}: lacks the column {name}")
        if names[name].type != kind:
            raise FrameError(f"{table}.{name}: is {names[name].type}, must be {kind}")
    return names if len(names) == len(wanted) else {name: names[name] for name in wanted}


def _check_text(texts: Iterable[str]) -> None:
    """JSON can hold halves of characters, which no store takes. Raises FrameError."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise FrameError(f"{text!r} is no text: {error.reason}") from error


def _next(data: bytes | memoryview, at: int, size: int) -> int:
    """Where the frame behind a damaged one begins; its length is believed only if one is there."""
    raw = data if isinstance(data, bytes) else bytes(data)
    if size and (at + size == len(raw) or raw.startswith(exporter_frames.MAGIC, at + size)):
        return at + size
    found = raw.find(exporter_frames.MAGIC, at + 1)
    return len(raw) if found < 0 else found
