"""Bodies of requests: damaged frames cost only themselves, strange columns are reported."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporters import ipc
from exporters.frames import MAGIC, PREFIX, Frame, encode
from exporters.tables import Table
from lb.catalogue import Catalogue, load
from pipeline import frames
from pipeline.errors import BadRequest, Overloaded
from pipeline.frames import Reader
from tests.unit.pipeline_tools import Node, with_layout

ENCODED = [encode(frame) for frame in Node(lcores=1).frames(6)]
READER = Reader(load())


@given(
    damaged=st.sets(st.integers(0, 5), min_size=1, max_size=3),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_costs_one_frame(damaged: set[int], place: float, bit: int) -> None:
    parts = [bytearray(data) for data in ENCODED]
    for index in damaged:
        parts[index][int(place * len(parts[index]))] ^= 1 << bit
    body = READER.read(b"".join(parts))
    assert [f.header.seq for f in body.frames] == [i for i in range(6) if i not in damaged]
    assert body.damaged
    assert body.damaged[0].index == min(damaged)


@given(cut=st.integers(1, len(ENCODED[2]) - 1))
@settings(max_examples=40, deadline=None)
def test_a_cut_body_gives_the_whole_frames(cut: int) -> None:
    body = READER.read(b"".join(ENCODED[:2]) + ENCODED[2][:cut])
    assert [f.header.seq for f in body.frames] == [0, 1]
    assert [d.index for d in body.damaged] == [2]


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_noise_is_no_frame(noise: bytes) -> None:
    body = READER.read(noise)
    assert not body.frames
    assert bool(body.damaged) == bool(noise)


def test_the_list_of_damaged_frames_is_bounded() -> None:
    noise = MAGIC * 100_000  # each of them could begin a frame
    body = READER.read(ENCODED[0] + noise + ENCODED[1])
    assert [f.header.seq for f in body.frames] == [0]
    assert len(body.damaged) == frames.MAX_DAMAGED
    assert body.unread == len(noise) - 4 * frames.MAX_DAMAGED + len(ENCODED[1])
    few = READER.read(ENCODED[0] + MAGIC * 99 + ENCODED[1])
    assert [f.header.seq for f in few.frames] == [0, 1]
    assert (len(few.damaged), few.unread) == (99, 0)


def test_a_frame_of_another_version_is_to_wait() -> None:
    magic, head, size, _ = PREFIX.unpack_from(ENCODED[0])
    header = ENCODED[0][PREFIX.size :][:head].replace(b'"v":2', b'"v":1')
    rest = ENCODED[0][-size:]
    crc = zlib.crc32(rest, zlib.crc32(header))
    with pytest.raises(Overloaded, match="frame 1 of the body: it is of version 1") as refusal:
        READER.read(ENCODED[1] + PREFIX.pack(magic, head, size, crc) + header + rest)
    assert refusal.value.retry_after == 30


def _with(frame: Frame, table: Table) -> bytes:
    return encode(Frame(frame.header, {**frame.tables, "lcore": table}))


def test_a_counter_that_nobody_knows_is_reported_and_left_out() -> None:
    frame = Node().frame()
    table = frame.tables["lcore"]
    more = with_layout(table, f"drop_of_tomorrow {table.layout.text} hours_of_tomorrow[24]")
    (read,) = READER.read(_with(frame, more)).frames
    assert read.unknown == ("lcore.drop_of_tomorrow", "lcore.hours_of_tomorrow")
    rows = read.tables["lcore"]
    assert [c.name for c in rows.fit.kept] == [c.name for c in table.layout.columns]
    for column in rows.fit.kept:
        got = rows.table.values[:, column.start : column.end].reshape(len(table.values), -1)
        assert np.array_equal(got, table.column(column.name).reshape(len(table.values), -1))


def test_a_counter_that_the_store_lacks_is_reported_and_left_out() -> None:
    frame = Node().frame()
    known = Catalogue(tuple(c for c in load().counters if c.id != "rx_bursts"))
    (read,) = Reader(known).read(encode(frame)).frames
    assert set(read.unknown) == {"lcore.rx_bursts", "lcore_abs.rx_bursts"}
    assert "rx_bursts" not in [c.name for c in read.tables["lcore"].fit.kept]


def test_a_counter_that_the_exporter_lacks_is_no_fault() -> None:
    frame = Node().frame()
    table = frame.tables["lcore"]
    less = with_layout(table, table.layout.text.replace(" rx_bursts ", " "))
    (read,) = READER.read(_with(frame, less)).frames
    assert read.unknown == ()
    assert "rx_bursts" not in [c.name for c in read.tables["lcore"].fit.kept]


def test_a_name_of_rows_that_nobody_knows_is_reported_and_left_out() -> None:
    frame = Node().frame()
    table = frame.tables["lcore"]
    named = replace(table, names={**table.names, "socket": table.names["lcore"]})
    (read,) = READER.read(_with(frame, named)).frames
    assert read.unknown == ("lcore.socket",)
    assert [*read.tables["lcore"].table.names] == ["instance", "boot", "lcore"]


def _without(table: Table, name: str) -> Table:
    return replace(table, names={k: v for k, v in table.names.items() if k != name})


def _named(table: Table, name: str, column: pa.Array) -> Table:
    return replace(table, names={**table.names, name: column})


def _no_utf8() -> pa.Array:
    bad = pa.array([b"\xff", b"a"], pa.binary())
    return pa.Array.from_buffers(pa.string(), 2, bad.buffers())


def _relaid(table: Table, old: str, new: str) -> Table:
    """The same cells under another text."""
    text = table.layout.text.replace(old, new)
    assert text != table.layout.text
    return replace(table, layout=replace(table.layout, text=text))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: _without(t, "instance"), "lacks the column instance"),
        (lambda t: _without(t, "boot"), "lacks the column boot"),
        (lambda t: _named(t, "boot", t.names["lcore"]), "lcore.boot: is string, must be uint64"),
        (lambda t: _named(t, "lcore", _no_utf8()), "UTF8"),
        (lambda t: _relaid(t, "rx_packets", "rx_packets[1]"), "rx_packets: is a list"),
        (lambda t: _relaid(t, "rx_packets", "tx_packets"), "tx_packets: is there twice"),
        (lambda t: _relaid(t, "rx_packets", "rx_packets[2]"), "cells: is fixed_size_list"),
        (lambda t: _relaid(t, "rx_packets", "Rx-Packets"), "'Rx-Packets' names no counter"),
    ],
)
def test_a_table_of_the_wrong_shape_is_damage_and_named(
    change: Callable[[Table], Table], message: str
) -> None:
    node = Node()
    frame, good = node.frame(), node.frame()
    body = READER.read(_with(frame, change(frame.tables["lcore"])) + encode(good))
    (damaged,) = body.damaged
    assert damaged.identity == (node.stream, 0)
    assert message in damaged.error
    assert [f.header.seq for f in body.frames] == [1]


def _null(table: Table) -> pa.RecordBatch:
    cells = pa.array([[None] * table.layout.cells] * 2, pa.list_(pa.uint64(), table.layout.cells))
    return _batch(table, {**table.names, ipc.CELLS: cells})


def _batch(table: Table, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    schema = pa.schema(
        [(name, column.type) for name, column in columns.items()],
        metadata={ipc.CELLS: table.layout.text},
    )
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)


def _doubles(table: Table) -> pa.RecordBatch:
    kind = pa.list_(pa.float64(), table.layout.cells)
    return _batch(table, {**table.names, ipc.CELLS: pa.array(table.values.tolist(), kind)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_null, "cells: has a null"),
        (_doubles, "cells: is fixed_size_list<item: double>"),
        (lambda t: _batch(t, {**t.names}), "it lacks the column cells"),
        (lambda t: _batch(t, {}), "it lacks the column cells"),
    ],
)
def test_cells_are_whole_numbers_and_all_there(
    make: Callable[[Table], pa.RecordBatch], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = Node().frame()
    batch, sink = make(frame.tables["lcore"]), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    monkeypatch.setattr(ipc, "write_table", lambda _: bytes(sink.getvalue()))
    data = encode(Frame(frame.header, {"lcore": frame.tables["lcore"]}))
    assert message in READER.read(data).damaged[0].error


@given(
    places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4),
    value=st.integers(0, 255),
    in_header=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_a_frame_that_is_wrong_under_a_right_checksum_stops_nobody(
    places: list[float], value: int, in_header: bool
) -> None:
    magic, head, size, _ = PREFIX.unpack_from(ENCODED[0])
    parts = [bytearray(ENCODED[0][PREFIX.size :][:head]), bytearray(ENCODED[0][-size:])]
    for place in places:
        part = parts[0 if in_header else 1]
        part[int(place * len(part))] = value
    crc = zlib.crc32(parts[1], zlib.crc32(parts[0]))
    assume(b'"v":2' in parts[0])
    body = READER.read(PREFIX.pack(magic, head, size, crc) + b"".join(parts) + ENCODED[1])
    assert body.frames[-1].header.seq == 1
    assert len(body.frames) + len(body.damaged) == 2


def test_a_table_has_as_many_rows_as_its_header_says() -> None:
    data = encode(Node(lcores=3).frame())
    magic, head, size, _ = PREFIX.unpack_from(data)
    header = data[PREFIX.size :][:head].replace(b'"lcore","rows":3', b'"lcore","rows":4')
    crc = zlib.crc32(data[-size:], zlib.crc32(header))
    body = READER.read(PREFIX.pack(magic, head, size, crc) + header + data[-size:])
    assert "lcore: has 3 rows, and 4 by the header" in body.damaged[0].error


@pytest.mark.parametrize("name", ["pop", "node", "instance"])
def test_a_name_that_is_no_text_is_damage(name: str) -> None:
    frame = Node().frame()
    header = frame.header
    if name == "instance":
        bad = replace(header, instances=(replace(header.instances[0], instance="\ud800"),))
    else:
        bad = replace(header, **{name: "\ud800"})  # type: ignore[arg-type]
    assert "is no text" in READER.read(encode(Frame(bad, frame.tables))).damaged[0].error


def test_zstd_is_unpacked_up_to_the_limit() -> None:
    data = b"".join(ENCODED)
    packed = pa.Codec("zstd").compress(data, asbytes=True)
    assert bytes(frames.inflate(packed, "zstd", len(data))) == data
    with pytest.raises(BadRequest, match="when unpacked"):
        frames.inflate(packed, "zstd", len(data) - 1)
    with pytest.raises(BadRequest, match="not zstd"):
        frames.inflate(data, "zstd", len(data))
    with pytest.raises(BadRequest, match="not known"):
        frames.inflate(data, "br", len(data))
