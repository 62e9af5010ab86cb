"""A sampler whose disk or clock fails: it costs resolution, not counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_sampling import NOON_NS, sampler
from tests.unit.exporters_spooled import read_frames, sums


def test_a_spool_that_cannot_be_written_costs_resolution_not_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.sample()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fdatasync", full)
            fake.add("lcore", 0, rx_packets=5)
            sample = s.sample()
            assert sample.header is None
            assert "No space left" in sample.faults[0]
            fake.add("lcore", 0, rx_packets=6)
            fake.stop()
            s.sample()
            assert fake.path.exists(), "its end is not safe yet"
        s.sample()
        assert s.totals.spool_failures == 2
        assert not fake.path.exists()
    frames = read_frames(tmp_path / "spool")
    assert [f.header.seq for f in frames] == [0, 1]
    assert sums(frames, "lcore")["a", "1", "0"][0] == 11


@pytest.mark.parametrize("now_ns", [-1, 0, 4_200_000_000 * 10**9, (1 << 63) - 1])
def test_a_clock_that_cannot_be_right_costs_resolution_not_counts(
    tmp_path: Path, now_ns: int
) -> None:
    """No battery, or the year 2103: the store would refuse such a frame, or forget it at once."""
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.sample()
        fake.add("lcore", 0, rx_packets=5)
        s.clock = lambda: now_ns
        sample = s.sample()
        assert sample.header is None
        assert "clock" in sample.faults[0]
        fake.add("lcore", 0, rx_packets=6)
        s.clock = lambda: NOON_NS
        s.sample()
        assert s.totals.spool_failures == 1
    frames = read_frames(tmp_path / "spool")
    assert [f.header.seq for f in frames] == [0, 1]
    assert sums(frames, "lcore")["a", "1", "0"][0] == 11


def test_a_core_whose_clock_is_wild_does_not_keep_frames_from_being_read(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    fake.header["start_time_ns"] = (1 << 64) - 1
    fake.add("lcore", 0, rx_packets=5)
    with sampler(tmp_path) as s:
        s.sample()
    assert sums(read_frames(tmp_path / "spool"), "lcore")["a", "1", "0"][0] == 5
