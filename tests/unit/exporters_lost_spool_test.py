"""A spool that is lost while the core lives on: what is stored does not count twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporters import notes
from exporters.sampler import Sample
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_sampling import sampler
from tests.unit.exporters_spooled import Key, read_frames, sums


def rx(folder: Path, absolute: bool = False) -> dict[Key, int]:
    rows = sums(read_frames(folder / "spool"), "lcore", absolute)
    return {key: row[0] for key, row in rows.items()}


def first_spool(folder: Path) -> FakeSegment:
    """A core whose first 100 packets are in a spool that is sent, and then lost."""
    fake = FakeSegment(folder / "run" / "a")
    fake.add("lcore", 0, rx_packets=100)
    fake.add("vip", 1, rx_packets=50)
    with sampler(folder) as s:
        s.sample()
    assert rx(folder) == {("a", "1", "0"): 100}
    shutil.rmtree(folder / "spool")
    return fake


def test_the_next_spool_begins_at_what_the_segment_holds(tmp_path: Path) -> None:
    fake = first_spool(tmp_path)
    fake.add("lcore", 0, rx_packets=5)  # nobody knows which spool's: it is missing, not doubled
    with sampler(tmp_path) as s:
        sample = s.sample()
        assert rx(tmp_path) == {}
        assert s.totals.taken_over_boots == 1
        assert "a spool that is lost" in sample.faults[0]
        fake.add("lcore", 0, rx_packets=7)
        fake.add("vip", 1, rx_packets=2)
        fake.stop()
        assert s.sample().faults == ()
    assert rx(tmp_path) == {("a", "1", "0"): 7}
    assert rx(tmp_path, absolute=True) == {("a", "1", "0"): 112}, "which shows what is missing"
    assert list(fake.path.parent.iterdir()) == []


def test_the_end_of_a_boot_whose_spool_is_lost_is_not_counted_again(tmp_path: Path) -> None:
    fake = first_spool(tmp_path)
    fake.stop()
    with sampler(tmp_path) as s:
        s.sample()
    assert rx(tmp_path) == {}
    assert rx(tmp_path, absolute=True) == {("a", "1", "0"): 100}
    assert not fake.path.exists()


def fail_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spool stays empty, so that each try is another stream."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    for _ in range(2):
        with sampler(folder) as s, monkeypatch.context() as patch:
            patch.setattr("os.fdatasync", full)
            assert s.sample().header is None


def test_a_stream_without_a_frame_has_counted_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeSegment(tmp_path / "run" / "a").add("lcore", 0, rx_packets=100)
    fail_twice(tmp_path, monkeypatch)
    with sampler(tmp_path) as s:
        s.sample()
    assert rx(tmp_path) == {("a", "1", "0"): 100}


def test_a_damaged_frame_that_was_all_of_a_boot_is_not_counted_again(tmp_path: Path) -> None:
    """It may be stored: its counts are missing rather than doubled."""
    with sampler(tmp_path) as s:
        s.sample()
        fake = FakeSegment(tmp_path / "run" / "a")
        fake.add("lcore", 0, rx_packets=100)
        s.sample()
        path = s.spool.files[-1].path
        place = s.spool.entries(s.spool.files[-1])[1].offset
    with path.open("r+b") as file:
        file.seek(place + 100)
        file.write(b"????")
    with sampler(tmp_path) as s:
        s.sample()
        fake.add("lcore", 0, rx_packets=7)
        s.sample()
        assert s.totals.taken_over_boots == 1
    assert rx(tmp_path) == {("a", "1", "0"): 7}


def test_a_boot_is_taken_over_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = first_spool(tmp_path)
    fail_twice(tmp_path, monkeypatch)
    with sampler(tmp_path) as s:
        s.sample()
        fake.add("lcore", 0, rx_packets=3)
        s.sample()
    with sampler(tmp_path) as s:
        fake.add("lcore", 0, rx_packets=4)
        s.sample()
        assert s.totals.taken_over_boots == 0
    assert rx(tmp_path) == {("a", "1", "0"): 7}


def test_a_boot_that_no_spool_has_seen_counts_from_its_start(tmp_path: Path) -> None:
    first_spool(tmp_path).stop()
    fake = FakeSegment(tmp_path / "run" / "a", boot=2)
    fake.add("lcore", 1, rx_packets=9)
    with sampler(tmp_path) as s:
        s.sample()
    assert rx(tmp_path) == {("a", "2", "1"): 9}
    found = sorted(path.name for path in fake.path.parent.iterdir())
    assert found == [f"counted-{2:016x}", f"segment-{2:016x}"]


def test_notes_of_segments_that_are_gone_go(tmp_path: Path) -> None:
    fake = first_spool(tmp_path)
    fake.path.unlink()
    FakeSegment(tmp_path / "run" / "a", boot=2)
    with sampler(tmp_path) as s:
        s.sample()
    assert [p.name for p in fake.path.parent.glob("counted-*")] == [f"counted-{2:016x}"]


def test_a_note_that_cannot_be_written_is_reported_and_counts_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    fake.add("lcore", 0, rx_packets=4)

    def fails(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    def sample() -> Sample:
        with sampler(tmp_path) as s:
            taken = s.sample()
            assert s.totals.note_failures == 1
            return taken

    with monkeypatch.context() as patch:
        patch.setattr(notes, "_replace", fails)
        assert "Read-only file system" in sample().faults[0]
    assert rx(tmp_path) == {("a", "1", "0"): 4}
    with sampler(tmp_path) as s:
        fake.add("lcore", 0, rx_packets=1)
        s.sample()
    assert rx(tmp_path) == {("a", "1", "0"): 5}
