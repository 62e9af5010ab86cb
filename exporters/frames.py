"""A frame: what one exporter counted in one sampling interval, as bytes.

    magic "PSF1" | u32 header length | u32 body length | u32 crc32(header + body) | header | body

Integers are little endian, the header is JSON, the body holds one Arrow IPC stream a table (see
`exporters.ipc`). A table holds increments; on keyframes there is `<scope>_abs` too, with the
absolute counters. What all rows have in common (when, PoP, node) is in the header. Behind the
tables the body holds, for the exporter's own restart, the segment row and the generation of every
row of a table ("keys"); whoever stores frames has no use for them.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exporters import ipc
from exporters.errors import FrameError, FrameVersionError
from exporters.tables import Table
from lb.catalogue import SCOPES

MAGIC = b"PSF1"
VERSION = 2
ABSOLUTE = "_abs"
STATES = ("live", "stopped", "dead")
PREFIX = struct.Struct("<4sIII")
MAX_HEADER = 1 << 20
MAX_BODY = 1 << 30
U32, U64, MAX_MS = (1 << 32) - 1, (1 << 64) - 1, 4_102_444_800_000  # the year 2100
KEY = np.dtype([("row", "<u4"), ("generation", "<u8")])
Keys = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One boot of one core instance, as the exporter saw it at the snapshot.

    `final`: nothing more will come of this boot. `torn_rows`: rows of a killed core that ended in
    the middle of an update; their cells are shipped as they are. `taken_over`: another spool, or
    frames that are lost, had counted it: here increments begin anew, with what the keyframe says.
    """

    instance: str
    boot: int
    state: str
    age_ms: int
    start_ms: int
    tsc_hz: int
    final: bool = False
    torn_rows: int = 0
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says of itself. `first` < `seq` when frames first..seq were merged into it."""

    pop: str
    node: str
    stream: int
    seq: int
    ts_ms: int
    interval_ms: int
    keyframe: bool
    first: int
    instances: tuple[InstanceState, ...] = ()
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def exporter(self) -> str:
        return f"{self.pop}/{self.node}"


@dataclass(frozen=True, slots=True)
class Frame:
    """A header, its tables by name (`lcore`, `lcore_abs`, ...) and the keys of their rows."""

    header: Header
    tables: Mapping[str, Table]
    keys: Mapping[str, Keys] = field(default_factory=dict)


def scope_of(table: str) -> tuple[str, bool]:
    """Scope of a table, and whether it holds absolute values. Raises FrameError for no table."""
    scope = table.removesuffix(ABSOLUTE)
    if scope not in SCOPES:
        raise FrameError(f"{table!r} is not a table of a frame")
    return scope, scope != table


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. The same frame gives the same bytes."""
    parts, offset = list[bytes](), 0
    places: dict[str, list[dict[str, Any]]] = {"tables": [], "keys": []}

    def put(kind: str, name: str, rows: int, data: bytes) -> None:
        nonlocal offset
        places[kind].append({"name": name, "rows": rows, "offset": offset, "length": len(data)})
        parts.append(data)
        offset += len(data)

    for name, table in frame.tables.items():
        put("tables", name, table.num_rows, ipc.write_table(table))
    for name, keys in frame.keys.items():
        put("keys", name, len(keys), keys.astype(KEY, copy=False).tobytes())
    header = json.dumps(_header_to_json(frame.header) | places, separators=(",", ":")).encode()
    body = b"".join(parts)
    crc = zlib.crc32(body, zlib.crc32(header))
    return PREFIX.pack(MAGIC, len(header), len(body), crc) + header + body


def decode(data: bytes | memoryview, tables: frozenset[str] | None = None) -> Frame:
    """Read one whole frame, or only the named tables of it. Raises FrameError."""
    view = memoryview(data)
    if length(view) != len(view):
        raise FrameError(f"frame is {length(view)} bytes, but {len(view)} were given")
    raw, body = _verified(view)
    header = _header_from_json(raw)
    try:
        _refuse_repeated(raw)
        read = {
            place["name"]: ipc.read_table(_piece(body, place))
            for place in raw["tables"]
            if tables is None or place["name"] in tables
        }
        keys = {p["name"]: np.frombuffer(_piece(body, p), KEY) for p in raw.get("keys", ())}
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise FrameError(f"frame {header.seq}: cannot read its tables: {error}") from error
    for name, table in read.items():
        scope_of(name)
        if name in keys and len(keys[name]) != table.num_rows:
            raise FrameError(f"{name}: {len(keys[name])} keys for {table.num_rows} rows")
    return Frame(header, read, keys)


def decode_header(data: bytes | memoryview) -> Header:
    """Check a whole frame and read its header only. Raises FrameError."""
    return _header_from_json(_verified(memoryview(data))[0])


def length(data: bytes | memoryview) -> int:
    """Bytes of the frame that begins here, by its prefix. Raises FrameError."""
    if len(data) < PREFIX.size:
        raise FrameError(f"a frame's prefix is {PREFIX.size} bytes, but only {len(data)} are left")
    magic, header, body, _ = PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise FrameError(f"no frame begins here: magic is {magic!r}, not {MAGIC!r}")
    if header > MAX_HEADER or body > MAX_BODY:
        raise FrameError(f"lengths {header} and {body} are beyond {MAX_HEADER} and {MAX_BODY}")
    return int(PREFIX.size + header + body)


def split(data: bytes | memoryview) -> Iterator[memoryview]:
    """The frames of a concatenation, one after the other, unchecked. Raises FrameError."""
    view = memoryview(data)
    while len(view):
        size = length(view)
        if size > len(view):
            raise FrameError(f"the last frame is {size} bytes, but only {len(view)} are left")
        yield view[:size]
        view = view[size:]


def _verified(view: memoryview) -> tuple[dict[str, Any], memoryview]:
    """The header as JSON and the body, once the checksum holds."""
    if length(view) > len(view):
        raise FrameError(f"frame is {length(view)} bytes, but only {len(view)} are there")
    _, header_size, body_size, crc = PREFIX.unpack_from(view)
    end = PREFIX.size + header_size
    header, body = view[PREFIX.size : end], view[end : end + body_size]
    if zlib.crc32(body, zlib.crc32(header)) != crc:
        raise FrameError("the checksum does not hold")
    try:
        raw = json.loads(bytes(header))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the header is not JSON: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("v"), int):
        raise FrameError("the header has no version")
    if raw["v"] != VERSION:
        raise FrameVersionError(f"it is of version {raw['v']}; this program reads {VERSION}")
    return raw, body


def _refuse_repeated(raw: dict[str, Any]) -> None:
    """A piece of the body that is named often would be read as often. Raises ValueError."""
    for kind in ("tables", "keys"):
        names = [place["name"] for place in raw.get(kind, ())]
        if len(names) != len(set(names)):
            raise ValueError(f"one of its {kind} is there twice")


def _piece(body: memoryview, place: dict[str, Any]) -> memoryview:
    offset, size = int(place["offset"]), int(place["length"])
    if offset < 0 or size < 0 or offset + size > len(body):
        raise ValueError(f"{place['name']} lies outside of the body")
    return body[offset : offset + size]


def _header_to_json(header: Header) -> dict[str, Any]:
    return {
        "v": VERSION,
        "exporter": header.exporter,
        "pop": header.pop,
        "node": header.node,
        "stream": f"{header.stream:016x}",
        "seq": header.seq,
        "first": header.first,
        "ts_ms": header.ts_ms,
        "interval_ms": header.interval_ms,
        "keyframe": header.keyframe,
        "instances": [_instance_to_json(i) for i in header.instances],
        "unknown": list(header.unknown),
        "missing": list(header.missing),
    }


def _instance_to_json(state: InstanceState) -> dict[str, Any]:
    return {
        "instance": state.instance,
        "boot": f"{state.boot:016x}",
        "state": state.state,
        "age_ms": state.age_ms,
        "start_ms": state.start_ms,
        "tsc_hz": state.tsc_hz,
        "final": state.final,
        "torn_rows": state.torn_rows,
        "taken_over": state.taken_over,
    }


def _header_from_json(raw: dict[str, Any]) -> Header:
    try:
        return Header(
            pop=str(raw["pop"]),
            node=str(raw["node"]),
            stream=_bounded(int(raw["stream"], 16), U64),
            seq=_bounded(raw["seq"], U64 - 1),
            first=_bounded(raw.get("first", raw["seq"]), U64 - 1),
            ts_ms=_bounded(raw["ts_ms"], MAX_MS),
            interval_ms=min(_bounded(raw["interval_ms"], U64), U32),
            keyframe=bool(raw["keyframe"]),
            instances=tuple(_instance_from_json(i) for i in raw["instances"]),
            unknown=tuple(map(str, raw.get("unknown", ()))),
            missing=tuple(map(str, raw.get("missing", ()))),
            rows={str(p["name"]): int(p["rows"]) for p in raw["tables"]},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FrameError(f"the header lacks or garbles {error}") from error


def _instance_from_json(raw: dict[str, Any]) -> InstanceState:
    if raw["state"] not in STATES:
        raise ValueError(f"state {raw['state']!r}")
    return InstanceState(
        instance=str(raw["instance"]),
        boot=_bounded(int(raw["boot"], 16), U64),
        state=raw["state"],
        age_ms=_bounded(max(int(raw["age_ms"]), 0), U64),
        start_ms=_bounded(raw["start_ms"], MAX_MS),
        tsc_hz=_bounded(raw["tsc_hz"], U64),
        final=bool(raw["final"]),
        torn_rows=_bounded(raw.get("torn_rows", 0), U32),
        taken_over=bool(raw.get("taken_over", False)),
    )


def _bounded(value: Any, high: int) -> int:
    """A whole number that the store has room for. Raises ValueError."""
    if not 0 <= (number := int(value)) <= high:
        raise ValueError(f"{value}: it is not from 0 to {high}")
    return number
