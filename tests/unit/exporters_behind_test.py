"""A spool that is behind what was sent: no number is used again, nothing that is stored doubles."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporters.frames import Frame
from exporters.sampler import Sampler
from exporters.spool import Limits, Spool
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_sampling import NOON_NS, sampler
from tests.unit.exporters_spooled import append, read_frames, sums

KEY = ("a", "1", "0")


def sample(s: Sampler, fake: FakeSegment, packets: int, second: int) -> None:
    fake.add("lcore", 0, rx_packets=packets)
    s.clock = lambda: NOON_NS + second * 10**9
    assert s.sample().header


def send(s: Sampler, last: int) -> None:
    """The pipeline has frames 0..last; only the first of them is known to be acknowledged."""
    for seq in range(last + 1):
        s.spool.marks.attempt(seq, seq)
    s.spool.acknowledge([(0, 0)])


def rx(frames: list[Frame]) -> int:
    return sums(frames, "lcore").get(KEY, [0])[0]


def test_the_newest_file_deleted_at_rest_neither_doubles_nor_uses_a_number_again(
    tmp_path: Path,
) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.spool.limits = Limits(file_ms=3000)
        for second in range(5):
            sample(s, fake, 10, second)
        send(s, 4)
        newest = s.spool.files[-1].path
    stored = read_frames(tmp_path / "spool")
    newest.unlink()
    fake.add("lcore", 0, rx_packets=1000)
    with sampler(tmp_path) as s:
        assert s.spool.next_seq > 4
        sample(s, fake, 0, 6)
        sample(s, fake, 7, 7)
        assert s.totals.taken_over_boots == 1
        assert s.spool.faults.lost_frames >= 1
    fresh = [f for f in read_frames(tmp_path / "spool") if f.header.seq > 4]
    assert rx(stored) + rx(fresh) == 57, "1000 are missing, none is there twice"
    assert [i.taken_over for f in fresh for i in f.header.instances] == [True, False]
    assert fresh[0].header.keyframe
    assert sums(fresh, "lcore", absolute=True)[KEY][0] == 1050


def test_the_newest_file_of_which_nothing_was_sent_costs_nothing(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.spool.limits = Limits(file_ms=3000)
        for second in range(5):
            sample(s, fake, 10, second)
        newest = s.spool.files[-1].path
    newest.unlink()
    with sampler(tmp_path) as s:
        sample(s, fake, 7, 6)
        assert s.totals.taken_over_boots == 0
    assert rx(read_frames(tmp_path / "spool")) == 57


def test_a_start_that_wrote_nothing_forgets_no_loss(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        s.spool.limits = Limits(file_ms=3000)
        for second in range(5):
            sample(s, fake, 10, second)
        send(s, 4)
        newest = s.spool.files[-1].path
    newest.unlink()
    for _ in range(2):
        with sampler(tmp_path) as s:
            assert s.spool.doubtful
            s.spool.acknowledge([(0, 0)])
    with sampler(tmp_path) as s:
        sample(s, fake, 7, 6)
        assert s.totals.taken_over_boots == 1
    with sampler(tmp_path) as s:
        assert not s.spool.doubtful, "the keyframe behind it says all"


def damage(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place + 100)
        file.write(b"????")


@pytest.mark.parametrize("which", [1, 2, 3])
@pytest.mark.parametrize("sent", [False, True])
def test_a_damaged_frame_that_may_be_stored_is_not_counted_again(
    tmp_path: Path, which: int, sent: bool
) -> None:
    """Of frames 0..3 one is damaged, the last one among them. Starts in between write nothing."""
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        for second in range(4):
            sample(s, fake, 10, second)
        if sent:
            send(s, 3)
        file = s.spool.files[-1]
        path, place = file.path, s.spool.entries(file)[which].offset
    stored = read_frames(tmp_path / "spool")
    damage(path, place)
    for _ in range(2):
        with sampler(tmp_path) as s:
            assert s.spool.doubtful is sent
    with sampler(tmp_path) as s:
        fake.add("lcore", 0, rx_packets=100)
        sample(s, fake, 0, 5)
        sample(s, fake, 7, 6)
        assert s.totals.taken_over_boots == sent
    read = read_frames(tmp_path / "spool")
    fresh = [f for f in read if f.header.seq > 3]
    assert rx(stored) + rx(fresh) == 47 if sent else rx(read) == 147
    with sampler(tmp_path) as s:
        assert not s.spool.doubtful


def test_the_only_keyframe_damaged_leaves_nothing_to_count_from(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    with sampler(tmp_path) as s:
        for second in range(3):
            sample(s, fake, 10, second)
        send(s, 2)
        path = s.spool.files[-1].path
    damage(path, 0)
    with sampler(tmp_path) as s:
        sample(s, fake, 7, 4)
        assert s.totals.taken_over_boots == 1
    assert rx([f for f in read_frames(tmp_path / "spool") if f.header.seq > 2]) == 0


def test_marks_of_an_earlier_version_say_nothing_of_numbers(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 3)
    spool.close()
    marks = tmp_path / "marks.json"
    marks.write_text(marks.read_text().replace('"used"', '"unused"'))
    spool = Spool(tmp_path)
    assert spool.next_seq == 3
    spool.close()
