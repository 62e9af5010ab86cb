"""Increments, boots, names and faults: what is spooled is what was counted, exactly."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from exporters.segment import State
from tests.unit.exporters_fakes import NO_PROCESS, FakeSegment
from tests.unit.exporters_sampling import Clock, sampler, state
from tests.unit.exporters_spooled import read_frames, sums


def test_the_exporter_may_start_before_the_core(tmp_path: Path) -> None:
    with sampler(tmp_path) as s:
        assert s.sample().readings == ()
        fake = FakeSegment(tmp_path / "run" / "a")
        fake.add("lcore", 0, rx_packets=4)
        assert state(s.sample()) == ["live"]
    assert sums(read_frames(tmp_path / "spool"), "lcore")["a", "1", "0"][0] == 4


def test_the_first_frame_holds_all_since_boot_and_later_ones_what_is_new(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        for count in (1000, 0, 7):
            fake.add("lcore", 1, rx_packets=count, burst_packets__2=count)
            s.sample()
    frames = read_frames(tmp_path / "spool")
    assert [f.tables["lcore"].column("rx_packets").tolist() for f in frames] == [
        [0, 1000],
        [0, 0],
        [0, 7],
    ]
    assert [f.tables["lcore"].column("burst_packets")[1][2] for f in frames] == [1000, 0, 7]
    assert [f.header.keyframe for f in frames][:2] == [True, False]


@pytest.mark.parametrize("how", ["link", "copy"])
def test_a_boot_in_two_folders_is_counted_once(tmp_path: Path, how: str) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    fake.add("lcore", 0, rx_packets=4)
    with sampler(tmp_path) as s:
        s.sample()
        if how == "link":
            (tmp_path / "run" / "b").symlink_to(tmp_path / "run" / "a")
        else:
            shutil.copytree(tmp_path / "run" / "a", tmp_path / "run" / "b")
        fake.add("lcore", 0, rx_packets=3)
        assert sorted(state(s.sample())) == ["live"]
        assert s.totals.unlink_failures == 0
    assert sums(read_frames(tmp_path / "spool"), "lcore")["a", "1", "0"][0] == 7
    assert fake.path.exists()


def test_gauges_are_shipped_as_they_are(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        for change in (5, -2, 0):
            fake.add("lcore", 0, active_connections=change)
            s.sample()
    frames = read_frames(tmp_path / "spool")
    values = [f.tables["lcore"].column("active_connections")[0] for f in frames]
    assert values == [5, 3, 3]


def test_vip_rows_without_news_are_left_out_between_keyframes(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.sample()
        fake.add("vip", 2, 1, rx_packets=1)
        s.sample()
    first, second = read_frames(tmp_path / "spool")[:2]
    assert first.tables["vip"].num_rows == 4
    assert second.tables["vip"].names["vip"].to_pylist() == ["web-2"]
    assert second.tables["lcore"].num_rows == 2


def test_a_restart_of_the_core_is_a_new_boot_and_no_fall(tmp_path: Path) -> None:
    run = tmp_path / "run" / "a"
    with sampler(tmp_path) as s:
        old = FakeSegment(run, boot=1)
        old.add("lcore", 0, rx_packets=100)
        s.sample()
        old.add("lcore", 0, rx_packets=11)
        old.stop()
        new = FakeSegment(run, boot=2)
        new.add("lcore", 0, rx_packets=5)
        assert state(s.sample()) == ["stopped", "live"]
        assert s.totals.counter_falls == 0
        assert not old.path.exists()
        assert state(s.sample()) == ["live"]
    total = sums(read_frames(tmp_path / "spool"), "lcore")
    assert (total["a", "1", "0"][0], total["a", "2", "0"][0]) == (111, 5)


def test_what_a_killed_core_counted_is_spooled_to_its_end(tmp_path: Path) -> None:
    clock = Clock()
    fake = FakeSegment(tmp_path / "run" / "a", pid=NO_PROCESS)
    with sampler(tmp_path, clock) as s:
        s.sample()
        fake.add("lcore", 0, rx_packets=42)
        fake.die()
        assert state(s.sample()) == ["dead"]
        assert fake.path.exists(), "its heart stands still only for a moment"
        clock.now += 2.5
        fake.add("lcore", 0, rx_packets=1)
        sample = s.sample()
        assert sample.header
        assert sample.header.instances[0].final
        assert sample.header.keyframe
        assert not fake.path.exists()
        assert s.sample().readings == ()
    frames = read_frames(tmp_path / "spool")
    assert sums(frames, "lcore") == sums(frames, "lcore", absolute=True)
    assert sums(frames, "lcore")["a", "1", "0"][0] == 43


def test_a_core_that_hangs_is_dead_but_not_buried(tmp_path: Path) -> None:
    clock = Clock()
    fake = FakeSegment(tmp_path / "run" / "a")  # its process, this one, lives
    fake.header["heartbeat_ns"] = time.time_ns() - 10**10
    with sampler(tmp_path, clock) as s:
        s.sample()
        clock.now += 30
        assert state(s.sample()) == ["dead"]
        assert fake.path.exists()
        fake.beat()
        assert state(s.sample()) == ["live"]


def test_a_torn_row_of_a_dead_core_is_shipped_and_named(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.sample()
        fake.add("lcore", 0, rx_packets=9)
        fake.words("lcore")[0, 0, 0] += 1
        assert s.sample().readings[0].snapshot.torn_rows == 1
        fake.stop()
        header = s.sample().header
        assert header
        assert header.instances[0].torn_rows == 1
    frames = read_frames(tmp_path / "spool")
    assert [f.tables["lcore"].column("rx_packets")[0] for f in frames] == [0, 0, 9]


def test_a_counter_that_falls_is_reported_and_never_negative(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        fake.add("lcore", 0, rx_packets=100)
        s.sample()
        fake.add("lcore", 0, rx_packets=-40)
        sample = s.sample()
        assert s.totals.counter_falls == 1
        assert "lcore.rx_packets fell" in sample.faults[0]
        fake.add("lcore", 0, rx_packets=45)
        s.sample()
    frames = read_frames(tmp_path / "spool")
    assert [f.tables["lcore"].column("rx_packets")[0] for f in frames] == [100, 0, 5]


def test_a_half_written_segment_waits_and_then_is_named(tmp_path: Path) -> None:
    clock = Clock()
    fake = FakeSegment(tmp_path / "run" / "a", state=State.WRITING)
    with sampler(tmp_path, clock) as s:
        assert [t.problem for t, _ in s.sample().problems] == ["starting"]
        clock.now += 11
        assert [t.problem for t, _ in s.sample().problems] == ["half_written"]
        fake.header["state"] = State.READY
        assert state(s.sample()) == ["live"]


def test_an_unreadable_segment_does_not_hide_the_others(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "run" / "a").header["layout"] = 99
    FakeSegment(tmp_path / "run" / "b", boot=2, instance="b")
    with sampler(tmp_path) as s:
        sample = s.sample()
    assert [r.snapshot.instance for r in sample.readings] == ["b"]
    assert [(t.instance, t.problem) for t, _ in sample.problems] == [("a", "unreadable")]


def test_a_row_that_changes_its_name_keeps_both_counts(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        fake.add("vip", 0, rx_packets=10)
        s.sample()
        fake.add("vip", 0, rx_packets=1)
        fake.name("vip", 0, generation=1, active=False)
        s.sample()
        fake.name("vip", 0, generation=77, values="new\t192.0.2.9\t80\ttcp")
        fake.add("vip", 0, rx_packets=3)
        s.sample()
        assert s.totals.missed_names == 0
        fake.name("vip", 0, generation=78, values="newer\t192.0.2.9\t80\ttcp")
        s.sample()
        assert s.totals.missed_names == 1
        fake.stop()
        s.sample()
    frames = read_frames(tmp_path / "spool")
    total = sums(frames, "vip")
    assert total == sums(frames, "vip", absolute=True)
    assert {key[2]: row[0] for key, row in total.items()} == {"web-0": 11, "new": 3}


def test_two_exporters_cannot_share_a_spool_nor_an_unlinked_end_be_lost(tmp_path: Path) -> None:
    """Killed between the frame with the end and the unlink: the end is not counted again."""
    fake = FakeSegment(tmp_path / "run" / "a")
    fake.add("lcore", 0, rx_packets=5)
    fake.stop()
    data = bytes(fake.data)
    with sampler(tmp_path) as s:
        s.sample()
    assert not fake.path.exists()
    fake.path.write_bytes(data)
    with sampler(tmp_path) as s:
        s.sample()
    assert not fake.path.exists()
    assert sums(read_frames(tmp_path / "spool"), "lcore")["a", "1", "0"][0] == 5
