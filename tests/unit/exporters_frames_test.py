"""Frames: what is encoded comes back, and damage is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters import frames, tables
from exporters.errors import FrameError
from exporters.tables import Layout
from lb.catalogue import ROW_LABELS, SCOPES, load


def frame(seq: int = 7, rows: int = 3, seed: int = 0) -> frames.Frame:
    rng = np.random.default_rng(seed)
    built, keys = {}, {}
    for name in [*SCOPES, *(s + "_abs" for s in SCOPES)]:
        scope, _ = frames.scope_of(name)
        matrix = rng.integers(0, 1 << 64, (rows, load().cells(scope)), np.uint64)
        labels = [pa.array([f"{k}{i}" for i in range(rows)]) for k in ROW_LABELS[scope]]
        built[name] = tables.build(scope, [tables.Part("a", 1, labels, matrix)])
        keys[name] = np.array([(i, i + 1) for i in range(rows)], frames.KEY)
    state = frames.InstanceState("a", (1 << 64) - 1, "dead", 5000, 17, 2_000_000_000, True, 1)
    header = frames.Header(
        pop="fra1",
        node="lb-1",
        stream=(1 << 64) - 2,
        seq=seq,
        first=seq,
        ts_ms=1_700_000_000_123,
        interval_ms=1000,
        keyframe=True,
        instances=(state,),
        unknown=("lcore.new",),
        rows=dict.fromkeys(built, rows),
    )
    return frames.Frame(header, built, keys)


def test_a_frame_comes_back_as_it_was() -> None:
    sent = frame()
    got = frames.decode(frames.encode(sent))
    assert got.header == sent.header
    assert list(got.tables) == list(sent.tables)
    for name, table in sent.tables.items():
        assert got.tables[name].layout == table.layout
        assert np.array_equal(got.tables[name].values, table.values)
        assert got.tables[name].names == table.names
        assert np.array_equal(got.keys[name], sent.keys[name])


@settings(deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(0, 5))
def test_values_survive_every_64_bits(seed: int, rows: int) -> None:
    got = frames.decode(frames.encode(frame(seed=seed, rows=rows)))
    rng = np.random.default_rng(seed)
    for name in got.tables:
        scope, _ = frames.scope_of(name)
        want = rng.integers(0, 1 << 64, (rows, load().cells(scope)), np.uint64)
        assert np.array_equal(tables.values(scope, got.tables[name]), want)


def test_the_same_frame_gives_the_same_bytes() -> None:
    assert frames.encode(frame()) == frames.encode(frame())


COUNTERS = st.tuples(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), st.integers(0, 99))


@settings(deadline=None)
@given(st.lists(COUNTERS, unique_by=lambda pair: pair[0]))
def test_a_layout_is_read_as_it_is_written(counters: list[tuple[str, int]]) -> None:
    layout = Layout.parse(" ".join(f"{n}[{w}]" if w else n for n, w in counters))
    assert [(c.name, c.width) for c in layout.columns] == counters
    assert layout.cells == sum(w or 1 for _, w in counters)
    starts = [c.start for c in layout.columns]
    assert starts == [0, *(c.end for c in layout.columns)][: len(starts)]


def test_every_catalogue_entry_has_its_cells() -> None:
    for scope in SCOPES:
        for counter, column in zip(load().scope(scope), tables.layout(scope).columns, strict=True):
            assert (column.name, column.start) == (counter.id, counter.slot)
            assert column.width == (counter.cells if counter.bounds else 0)


def test_counters_of_another_version_find_their_place() -> None:
    known = tables.layout("vip")
    names = [c.name for c in known.columns]
    older = Layout.parse(" ".join(["gone_long_ago[3]", *reversed(names[1:])]))
    rng = np.random.default_rng(1)
    table = replace(frame(rows=2).tables["vip"], layout=older)
    table = replace(table, values=rng.integers(0, 1 << 64, (2, older.cells), np.uint64))
    got = tables.values("vip", table)
    assert not got[:, 0].any()
    for column in known.columns[1:]:
        assert np.array_equal(got[:, column.start], table.column(column.name))


@settings(deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(place: float, bit: int) -> None:
    data = bytearray(frames.encode(frame(rows=1)))
    data[int(place * len(data))] ^= 1 << bit
    with pytest.raises(FrameError):
        frames.decode(bytes(data))


@settings(deadline=None)
@given(place=st.floats(0, 1, exclude_max=True))
def test_a_cut_frame_is_found(place: float) -> None:
    data = frames.encode(frame(rows=1))
    with pytest.raises(FrameError):
        frames.decode(data[: int(place * len(data))])


def test_a_concatenation_is_split_at_its_frames() -> None:
    whole = [frames.encode(frame(seq)) for seq in range(3)]
    assert [bytes(f) for f in frames.split(b"".join(whole))] == whole
    assert [frames.decode_header(f).seq for f in frames.split(b"".join(whole))] == [0, 1, 2]
    with pytest.raises(FrameError, match="only"):
        list(frames.split(b"".join(whole)[:-1]))


def test_only_the_tables_asked_for_are_read() -> None:
    got = frames.decode(frames.encode(frame()), tables=frozenset({"vip"}))
    assert list(got.tables) == ["vip"]


def test_buffers_that_point_outside_of_themselves_are_found() -> None:
    """The checksum holds, and each buffer is there: only what they say of each other is wrong."""
    whole = frame(rows=2)
    table = whole.tables["vip"]
    good = pa.array(["a", "b"]).buffers()
    offsets = pa.array([0, 99, 2], pa.int32()).buffers()[1]
    wild = pa.Array.from_buffers(pa.string(), 2, [None, offsets, good[2]])
    broken = replace(table, names={**table.names, "vip": wild})
    data = frames.encode(frames.Frame(whole.header, {**whole.tables, "vip": broken}, whole.keys))
    frames.decode_header(data)
    with pytest.raises(FrameError, match="cannot read its tables"):
        frames.decode(data)


def test_a_table_whose_keys_are_not_of_its_rows_is_refused() -> None:
    whole = frame(rows=2)
    keys = {**whole.keys, "vip": whole.keys["vip"][:1]}
    data = frames.encode(frames.Frame(whole.header, whole.tables, keys))
    with pytest.raises(FrameError, match="vip: 1 keys for 2 rows"):
        frames.decode(data)
