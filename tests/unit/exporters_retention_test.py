"""A full spool: old frames are merged and no sum changes; what may have been sent stays."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from exporters import backlog, retention
from exporters.errors import SpoolError
from exporters.frames import Frame
from exporters.instances import Watcher
from exporters.sampler import Sampler
from exporters.spool import Limits, Spool
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_spooled import START, append, read_frames, sums, waiting

START_NS = 1_700_000_040 * 10**9


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Spool, Sampler, FakeSegment]:
    """Five minutes of frames, one every 5 s, in files of 2 minutes; a boot and a name end in it."""
    clock = itertools.count(START_NS, 5 * 10**9)
    spool = Spool(tmp_path / "spool", Limits(file_ms=120_000))
    sampler = Sampler("p", "n", 5000, Watcher(tmp_path / "run"), spool)
    sampler.clock = lambda: next(clock)
    fake = FakeSegment(tmp_path / "run" / "a")
    for i in range(60):
        fake.add("lcore", i % 2, rx_packets=i, burst_packets__1=1, active_connections=1)
        fake.add("vip", i % 4, i % 2, rx_packets=i)
        if i == 20:
            fake.name("vip", 3, generation=50, values="new\t192.0.2.1\t80\ttcp")
        if i == 30:
            fake.stop()
        if i == 31:
            fake = FakeSegment(tmp_path / "run" / "a", boot=2)
        sampler.sample()
    return spool, sampler, fake


def squeeze(spool: Spool, times: int) -> None:
    spool.limits = Limits(file_ms=120_000, max_bytes=1)
    for _ in range(times):
        retention.enforce(spool)


def everything(frames: list[Frame]) -> list[object]:
    return [sums(frames, scope) for scope in ("lcore", "port", "vip", "backend", "node")]


def test_merging_keeps_every_sum_and_every_end(
    filled: tuple[Spool, Sampler, FakeSegment],
) -> None:
    spool, _, _ = filled
    before = read_frames(spool.directory)
    for step in range(1, 7):
        squeeze(spool, 1)
        after = read_frames(spool.directory)
        assert everything(after) == everything(before)
        covered = [n for f in after for n in range(f.header.first, f.header.seq + 1)]
        assert covered == list(range(60)), f"step {step}"
        assert sum(f.header.interval_ms for f in after) == 60 * 5000
    ends = [(i.boot, i.state) for f in after for i in f.header.instances if i.final]
    assert ends == [(1, "stopped")]
    assert len(after) < len(before) / 2
    assert spool.faults.merged_frames == len(before) - len(after)
    assert spool.faults.dropped_frames == 0
    spool.close()


def test_the_absolute_table_of_a_merged_frame_is_what_its_increments_reach(
    filled: tuple[Spool, Sampler, FakeSegment],
) -> None:
    spool, _, _ = filled
    squeeze(spool, 6)
    frames = read_frames(spool.directory)
    for count, frame in enumerate(frames, 1):
        if frame.header.keyframe:
            reached = sums(frames[:count], "lcore")
            now = sums([frame], "lcore", absolute=True)
            assert now == {key: reached[key] for key in now}
    spool.close()


def test_gauges_of_a_merged_frame_are_the_last(filled: tuple[Spool, Sampler, FakeSegment]) -> None:
    spool, _, _ = filled
    at = {
        f.header.seq: f.tables["lcore"].column("active_connections").tolist()
        for f in read_frames(spool.directory)
    }
    squeeze(spool, 2)
    for frame in read_frames(spool.directory):
        instances = [i.boot for i in frame.header.instances]
        if len(instances) == 1:
            got = frame.tables["lcore"].column("active_connections").tolist()
            assert got == at[frame.header.seq]
    spool.close()


def test_a_frame_that_may_have_been_sent_keeps_its_bytes(
    filled: tuple[Spool, Sampler, FakeSegment],
) -> None:
    spool, _, _ = filled
    sent = [s for s in backlog.batch(spool, 100, 1 << 30) if s.seq in (5, 6, 7)]
    spool.marks.attempted.add(5, 7)
    before = everything(read_frames(spool.directory))
    squeeze(spool, 6)
    kept = {s.seq: s.data for s in backlog.batch(spool, 100, 1 << 30)}
    assert [kept[s.seq] for s in sent] == [s.data for s in sent]
    assert everything(read_frames(spool.directory)) == before
    spool.close()


def test_a_merged_spool_survives_a_restart(filled: tuple[Spool, Sampler, FakeSegment]) -> None:
    spool, sampler, fake = filled
    before = read_frames(spool.directory)
    squeeze(spool, 6)
    spool.close()
    again = Spool(spool.directory)
    restarted = Sampler("p", "n", 5000, Watcher(fake.path.parents[1]), again)
    fake.add("lcore", 0, rx_packets=1_000_000)
    restarted.sample()
    total = sums(read_frames(spool.directory), "lcore")["a", "2", "0"][0]
    assert total == sums(before, "lcore")["a", "2", "0"][0] + 1_000_000
    again.acknowledge([(0, 1000)])
    assert backlog.usage(again).waiting == 0
    assert len(again.files) == 1
    again.close()
    assert sampler.totals.spool_failures == 0


def test_a_spool_that_cannot_shrink_further_takes_frames_less_often(
    filled: tuple[Spool, Sampler, FakeSegment],
) -> None:
    spool, sampler, fake = filled
    squeeze(spool, 10)
    assert not retention.enforce(spool)
    sampler.coarse = True
    before = len(read_frames(spool.directory))
    for _ in range(24):  # two minutes
        fake.add("lcore", 0, rx_packets=1)
        sampler.sample()
    fake.stop()
    sampler.coarse = False
    sampler.sample()
    frames = read_frames(spool.directory)
    assert len(frames) - before in (3, 4)
    cells = fake.words("lcore")[0, 0, 1:].tolist()
    assert sums(frames, "lcore")["a", "2", "0"][0] == cells[0]
    spool.close()


def test_only_beyond_its_age_a_frame_is_given_up_and_counted(
    filled: tuple[Spool, Sampler, FakeSegment],
) -> None:
    spool, _, _ = filled
    spool.close()
    now = [1000.0]
    spool = Spool(spool.directory, Limits(max_age_ms=60_000), lambda: now[0])
    spool.acknowledge([(3, 3)])
    now[0] += 60
    retention.enforce(spool)
    assert spool.faults.dropped_frames == 0
    now[0] += 1
    retention.enforce(spool)
    assert spool.faults.dropped_frames == 60 - 1 - len(spool.entries(spool.files[-1]))
    assert len(spool.files) == 1, "the newest stays: it says what is counted"
    spool.close()


def test_a_file_of_this_process_ages_by_its_clock_too(tmp_path: Path) -> None:
    now = [1000.0]
    spool = Spool(tmp_path, Limits(file_ms=3000, max_age_ms=60_000), lambda: now[0])
    append(spool, 6)
    now[0] += 60
    retention.enforce(spool)
    assert waiting(spool) == [0, 1, 2, 3, 4, 5]
    now[0] += 1
    retention.enforce(spool)
    assert waiting(spool) == [3, 4, 5]
    spool.close()


def test_a_clock_that_is_set_gives_no_frame_up(tmp_path: Path) -> None:
    """A year forth and back again, and a restart in both: no time passed."""
    year = 365 * 86_400_000
    limits = Limits(file_ms=3000, max_age_ms=60_000)
    spool = Spool(tmp_path, limits, lambda: 1000.0)
    for start in (START, START + year, START + 20_000):
        append(spool, 4, start)
        retention.enforce(spool)
        spool.close()
        spool = Spool(tmp_path, limits, lambda: 1000.0)
        retention.enforce(spool)
    assert waiting(spool) == list(range(12))
    assert spool.faults.dropped_frames == 0
    spool.close()


def test_nothing_is_merged_over_a_number_that_is_stored(
    filled: tuple[Spool, Sampler, FakeSegment],
) -> None:
    """A frame overtook the backlog and is acknowledged: no merged frame may stand for it."""
    spool, _, _ = filled
    spool.marks.attempted.add(4, 5)
    spool.acknowledge([(4, 5)])
    squeeze(spool, 6)
    spans = [(f.header.first, f.header.seq) for f in read_frames(spool.directory)]
    assert not [(a, b) for a, b in spans if a <= 5 and b >= 4]
    assert {n for a, b in spans for n in range(a, b + 1)} == {*range(60)} - {4, 5}
    spool.close()


@pytest.mark.parametrize("at", [0, 3, 7])
def test_a_damaged_frame_costs_itself_and_thinning_goes_on(
    filled: tuple[Spool, Sampler, FakeSegment], at: int
) -> None:
    spool, _, _ = filled
    file = spool.files[0]
    entry = spool.entries(file)[at]
    lost = read_frames(spool.directory)[at]
    before = everything(read_frames(spool.directory))
    with file.path.open("r+b") as raw:
        raw.seek(entry.offset + entry.length - 1)
        raw.write(b"\xaa")
    squeeze(spool, 10)
    after = read_frames(spool.directory)
    assert [file.thinned for file in spool.files[:-1]] == [2, 2]
    assert spool.faults.damaged_frames == 1
    covered = [n for f in after for n in range(f.header.first, f.header.seq + 1)]
    assert covered == [n for n in range(60) if n != lost.header.seq]
    want = sums(after, "lcore")
    for key, row in sums([lost], "lcore").items():
        want[key] = [a + b for a, b in zip(want[key], row, strict=True)]
    assert want == before[0]
    assert not list(spool.directory.glob("*.tmp"))
    spool.close()


def test_a_file_that_cannot_be_thinned_does_not_keep_the_others_from_it(
    filled: tuple[Spool, Sampler, FakeSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, _, _ = filled
    first = spool.files[0]
    merge = retention.merge

    def fails(group: list[Frame]) -> Frame:
        if group[0].header.seq < spool.files[1].first:
            raise OSError(5, "Input/output error")
        return merge(group)

    monkeypatch.setattr(retention, "merge", fails)
    for _ in range(2):
        squeeze(spool, 1)
    with pytest.raises(SpoolError, match="Input/output error"):
        squeeze(spool, 1)
    assert [file.thinned for file in spool.files[:-1]] == [0, 2]
    assert not list(spool.directory.glob("*.tmp"))
    assert first.path.exists()
    spool.close()
