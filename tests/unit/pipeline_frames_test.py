"""Bodies of requests: damaged frames cost only themselves, strange columns are reported."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.frames import MAGIC, PREFIX, Frame, encode
from lb.catalogue import Catalogue, load
from pipeline import frames
from pipeline.errors import BadRequest
from pipeline.frames import Reader
from tests.unit.pipeline_tools import Node

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


def _with(frame: Frame, table: pa.Table) -> bytes:
    return encode(Frame(frame.header, {**frame.tables, "lcore": table}))


def test_a_column_that_nobody_knows_is_reported_and_left_out() -> None:
    frame = Node().frame()
    table = frame.tables["lcore"]
    more = table.append_column("drop_of_tomorrow", pa.array(np.arange(2, dtype=np.uint64)))
    (read,) = READER.read(_with(frame, more)).frames
    assert read.unknown == ("lcore.drop_of_tomorrow",)
    assert read.tables["lcore"].equals(table)


def test_a_column_that_the_store_lacks_is_reported_and_left_out() -> None:
    frame = Node().frame()
    known = Catalogue(tuple(c for c in load().counters if c.id != "rx_bursts"))
    (read,) = Reader(known).read(encode(frame)).frames
    assert set(read.unknown) == {"lcore.rx_bursts", "lcore_abs.rx_bursts"}
    assert "rx_bursts" not in read.tables["lcore"].column_names


def test_a_column_that_the_exporter_lacks_is_no_fault() -> None:
    frame = Node().frame()
    table = frame.tables["lcore"].drop_columns(["rx_bursts"])
    (read,) = READER.read(_with(frame, table)).frames
    assert read.unknown == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["node"]), "lacks the column node"),
        (lambda t: t.set_column(6, "rx_packets", pa.array([1.5, 2.5])), "rx_packets: is double"),
        (lambda t: t.drop_columns(["boot"]), "lacks the column boot"),
    ],
)
def test_a_table_of_the_wrong_shape_is_damage(change: object, message: str) -> None:
    frame = Node().frame()
    assert callable(change)
    body = READER.read(_with(frame, change(frame.tables["lcore"])))
    assert not body.frames
    assert message in body.damaged[0].error


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
    body = READER.read(PREFIX.pack(magic, head, size, crc) + b"".join(parts) + ENCODED[1])
    assert body.frames[-1].header.seq == 1
    assert len(body.frames) + len(body.damaged) == 2


def _lcores(values: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int32()), values, safe=False)


def _no_utf8() -> pa.Array:
    bad = pa.array([b"\xff", b"a"], pa.binary())
    return pa.Array.from_buffers(pa.string(), 2, bad.buffers())


@pytest.mark.parametrize(
    ("place", "column", "message"),
    [
        ("lcore", _lcores(pa.array(["a", "b"])), "out of bounds"),
        ("lcore", pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), _no_utf8()), "UTF8"),
        ("ts", pa.array([4_300_000_000_000] * 2, pa.timestamp("ms", "UTC")), "as in the header"),
        ("ts", pa.array([-(1 << 60)] * 2, pa.timestamp("ms", "UTC")), "as in the header"),
        ("ts", pa.array([None] * 2, pa.timestamp("ms", "UTC")), "as in the header"),
    ],
)
def test_what_cannot_be_stored_is_damage_and_named(
    place: str, column: pa.Array, message: str
) -> None:
    node = Node()
    frame, good = node.frame(), node.frame()
    table = frame.tables["lcore"]
    at = table.column_names.index(place)
    body = READER.read(_with(frame, table.set_column(at, table.field(at), column)) + encode(good))
    (damaged,) = body.damaged
    assert damaged.identity == (node.stream, 0)
    assert message in damaged.error
    assert [f.header.seq for f in body.frames] == [1]


def test_a_table_has_as_many_rows_as_its_header_says() -> None:
    data = encode(Node(lcores=3).frame())
    magic, head, size, _ = PREFIX.unpack_from(data)
    header = data[PREFIX.size :][:head].replace(b'"lcore","rows":3', b'"lcore","rows":4')
    crc = zlib.crc32(data[-size:], zlib.crc32(header))
    body = READER.read(PREFIX.pack(magic, head, size, crc) + header + data[-size:])
    assert "lcore: has 3 rows, and 4 by the header" in body.damaged[0].error


def test_a_column_twice_is_damage() -> None:
    frame = Node().frame()
    table = frame.tables["lcore"]
    twice = table.append_column("rx_packets", table.column("rx_packets"))
    assert "rx_packets: is there twice" in READER.read(_with(frame, twice)).damaged[0].error


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
