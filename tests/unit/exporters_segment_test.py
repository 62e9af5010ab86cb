"""Segments that are half written, damaged, older or newer; rows that are torn; names that move."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters import ledger
from exporters import segment as s
from exporters.errors import SegmentError, SegmentNotReadyError
from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from lb.catalogue import SCOPES, Catalogue, Counter, load
from tests.unit.exporters_fakes import FakeSegment


def test_rows_are_summed_over_lanes(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path, lanes=3)
    for lane in range(3):
        fake.add("vip", 1, lane, rx_packets=10**lane)
    rows = SnapshotReader(Segment(fake.path)).read().scopes["vip"]
    assert rows.values[:, 0].tolist() == [0, 111, 0, 0]


def test_a_gauge_that_falls_below_0_in_a_lane_sums_right(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    fake.add("vip", 0, 0, active_connections=5)
    fake.add("vip", 0, 1, active_connections=-2)
    rows = SnapshotReader(Segment(fake.path)).read().scopes["vip"]
    assert rows.values[0, 6] == 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("magic", b"NOTPOPSC", "magic"),
        ("layout", 2, "layout 2"),
        ("state", 9, "state 9"),
        ("total_size", 77, "77"),
        ("block_size", 8, "block_size"),
        ("directory_offset", 1 << 40, "directory"),
        ("directory_count", 1 << 30, "directory"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    fake = FakeSegment(tmp_path)
    fake.header[field] = value
    with pytest.raises(SegmentError, match=message) as caught:
        Segment(fake.path)
    assert str(fake.path) in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 207])
def test_a_file_without_a_whole_header_is_waited_for(tmp_path: Path, size: int) -> None:
    path = tmp_path / "segment-1"
    path.write_bytes(bytes(size))
    with pytest.raises(SegmentNotReadyError, match="no whole header"):
        Segment(path)


def test_a_segment_in_state_writing_is_waited_for(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path, state=s.State.WRITING)
    with pytest.raises(SegmentNotReadyError):
        Segment(fake.path)
    fake.header["state"] = s.State.READY
    assert Segment(fake.path).instance == "a"


def test_a_missing_file_is_a_segment_error(tmp_path: Path) -> None:
    with pytest.raises(SegmentError, match="No such file"):
        Segment(tmp_path / "segment-1")


@pytest.fixture(scope="module")
def good() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return bytes(FakeSegment(Path(folder)).data)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_harmless_never_a_crash(good: bytes, data: st.DataObject) -> None:
    """Any 8 bytes of header, directory and fields overwritten with anything."""
    end = s.HEADER.itemsize + len(SCOPES) * s.BLOCK.itemsize + 3 * s.FIELD.itemsize
    place = data.draw(st.integers(0, end // 4 - 2)) * 4
    junk = data.draw(
        st.one_of(st.binary(min_size=8, max_size=8), st.sampled_from([bytes(8), b"\xff" * 8]))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "segment-1"
        path.write_bytes(good[:place] + junk + good[place + 8 :])
        with contextlib.suppress(SegmentError):
            SnapshotReader(Segment(path)).read()


def changed(scope: str, *more: Counter, without: str = "") -> Catalogue:
    """The catalogue as another version of the core might have it: cells laid out anew."""
    counters, slot = list[Counter](), 0
    for c in (*more, *load().scope(scope)):
        if c.id != without:
            counters.append(dataclasses.replace(c, slot=slot))
            slot += c.cells
    return Catalogue((*(c for c in load().counters if c.scope != scope), *counters))


NEW = Counter("new_packets", "vip", 0, "counter", "packets", "New.", "new_packets")


def test_a_newer_core_is_read_and_what_is_new_is_named(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path, catalogue=changed("vip", NEW))
    fake.add("vip", 0, rx_packets=3, tx_packets=2, new_packets=9)
    snapshot = SnapshotReader(Segment(fake.path)).read()
    rows = snapshot.scopes["vip"]
    assert snapshot.unknown == ("vip.new_packets",)
    assert rows.values[0, :3].tolist() == [3, 0, 2]
    assert rows.extra[0].tolist() == [9]


def test_the_law_counts_the_terms_that_only_a_newer_core_knows(tmp_path: Path) -> None:
    reason = dataclasses.replace(NEW, ledger="drop")
    fake = FakeSegment(tmp_path, catalogue=changed("vip", reason))
    fake.add("vip", 0, rx_packets=3, tx_packets=1, new_packets=2)
    rows = SnapshotReader(Segment(fake.path)).read().scopes["vip"]
    assert ledger.residual(rows.scope, rows.values)[0] == 2
    assert ledger.residual_of(rows)[0] == 0


def test_an_older_core_is_read_and_what_it_lacks_is_named(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path, catalogue=changed("vip", without="rx_bytes"))
    fake.add("vip", 0, rx_packets=3, tx_packets=2)
    snapshot = SnapshotReader(Segment(fake.path)).read()
    assert snapshot.missing == ("vip.rx_bytes",)
    assert snapshot.scopes["vip"].values[0, :3].tolist() == [3, 0, 2]


def test_a_counter_that_became_a_gauge_is_unknown(tmp_path: Path) -> None:
    other = dataclasses.replace(load().scope("vip")[0], kind="gauge")
    fake = FakeSegment(tmp_path, catalogue=changed("vip", other, without=""))
    snapshot = SnapshotReader(Segment(fake.path)).read()
    assert "vip.rx_packets" in snapshot.unknown


def test_a_scope_that_is_new_is_named(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    place = s.HEADER.itemsize + 5 * s.BLOCK.itemsize
    block = np.ndarray((1,), s.BLOCK, fake.data, place)
    block["scope"] = b"cluster"
    snapshot = SnapshotReader(Segment(fake.path)).read()
    assert snapshot.unknown == ("cluster.*",)
    assert "node" not in snapshot.scopes


def test_a_row_in_the_middle_of_an_update_is_torn_and_its_neighbours_are_not(
    tmp_path: Path,
) -> None:
    fake = FakeSegment(tmp_path)
    fake.words("vip")[1, 2, 0] += 1
    rows = SnapshotReader(Segment(fake.path)).read().scopes["vip"]
    assert rows.torn.tolist() == [2]


def test_only_rows_that_were_ever_named_are_read(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path, named={**dict.fromkeys(SCOPES, 1), "vip": 0})
    fake.name("vip", 2, generation=5)
    rows = SnapshotReader(Segment(fake.path)).read().scopes["vip"]
    assert rows.names.rows.tolist() == [2]
    assert rows.values.shape == (1, load().cells("vip"))


def test_names_that_change_all_the_time_are_given_up(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    reader = SnapshotReader(Segment(fake.path))
    fake.header["names_sequence"] += 1
    with pytest.raises(SegmentError, match="names changed"):
        reader.read()
    assert reader.read(ended=True).ended


def test_a_new_name_is_seen_and_an_old_one_is_decoded_once(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    reader = SnapshotReader(Segment(fake.path))
    before = reader.read().scopes["vip"].names
    assert reader.read().scopes["vip"].names is before
    fake.name("vip", 1, generation=9, values="new\t192.0.2.1\t53\tudp")
    after = reader.read().scopes["vip"].names
    assert after.labels[1] == ("new", "192.0.2.1", "53", "udp")
    assert after.labels[0] is before.labels[0]


def test_of_equal_names_the_one_in_use_is_shown(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    same = "web\t192.0.2.1\t80\ttcp"
    fake.name("vip", 0, generation=11, values=same, active=False)
    fake.name("vip", 1, generation=12, values=same, active=False)
    fake.name("vip", 2, generation=10, values=same)
    names = SnapshotReader(Segment(fake.path)).read().scopes["vip"].names
    assert names.shown.tolist() == [2, 3]


def test_a_pipe_of_a_segment_s_name_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "segment-1")
    with pytest.raises(SegmentNotReadyError, match="only 0 bytes"):
        Segment(tmp_path / "segment-1")
