"""Files of the spool that vanish or cannot be read: counted, and the others are sent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from exporters import backlog, retention
from exporters.errors import SpoolError
from exporters.spool import Limits, Spool
from exporters.spoolfile import SpoolFile
from tests.unit.exporters_pipeline import pipeline
from tests.unit.exporters_sending import numbers, quick, sending, until
from tests.unit.exporters_spool_test import reopen
from tests.unit.exporters_spooled import START, append, waiting

__all__ = ["quick"]  # a fixture


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Three files, of frames 0-2, 3-5 and 6-7; 3 is acknowledged. Its indexes are not made yet."""
    spool = Spool(tmp_path, Limits(file_ms=3000))
    append(spool, 8)
    spool.acknowledge([(3, 3)])
    return reopen(spool, Limits(file_ms=3000))


def batch(spool: Spool) -> list[int]:
    return [s.seq for s in backlog.batch(spool, 1000, 1 << 20)]


def break_reads(patch: pytest.MonkeyPatch, file: SpoolFile, number: int, place: int = -1) -> None:
    """Reads of a file fail, or those of the block at a place in it."""
    pread, node = os.pread, file.path.stat().st_ino

    def fails(fd: int, size: int, offset: int) -> bytes:
        hit = place < 0 or offset <= place < offset + size
        if hit and os.fstat(fd).st_ino == node:
            raise OSError(number, os.strerror(number))
        return pread(fd, size, offset)

    patch.setattr(os, "pread", fails)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_file_that_is_gone_is_counted_and_the_others_are_sent(
    spool: Spool, indexed: bool
) -> None:
    if indexed:
        batch(spool)
    spool.files[1].path.unlink()
    assert batch(spool) == [0, 1, 2, 6, 7]
    assert spool.faults.lost_frames == 2, "3 is acknowledged"
    assert backlog.usage(spool).waiting == 5
    spool.acknowledge([(0, 2), (6, 7)])
    assert len(spool.files) == 1
    spool = reopen(spool)
    assert (spool.next_seq, waiting(spool)) == (8, [])
    spool.close()


async def test_the_sender_goes_on_without_a_file_that_is_gone(spool: Spool) -> None:
    spool.files[0].path.unlink()
    async with pipeline() as fake:
        async with sending(spool, fake.url) as done:
            await until(lambda: done.acked == 4)
        assert numbers(fake) == [4, 5, 6, 7]
        assert not done.failures
    assert spool.faults.lost_frames == 3


def test_nothing_that_looks_at_the_spool_minds_a_file_that_is_gone(spool: Spool) -> None:
    spool.files[0].path.unlink()
    assert backlog.usage(spool).oldest_ts_ms in (None, START + 4000)
    assert backlog.usage(spool).oldest_ts_ms == START + 4000
    spool.files[1].path.unlink()
    assert retention.enforce(spool)
    spool.close()


def test_a_block_that_cannot_be_read_costs_the_frames_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, Limits(file_ms=600_000))
    append(spool, 100)
    file = spool.files[0]
    middle = spool.entries(file)[50]
    append(spool, 1, START + 700_000)
    spool = reopen(spool)
    with monkeypatch.context() as patch:
        break_reads(patch, spool.files[0], errno.EIO, middle.offset)
        got = batch(spool)
    assert got[-1] == 100
    lost = sorted({*range(101)} - {*got})
    assert 50 in lost
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert len(lost) < 40
    assert spool.faults.damaged_frames == 1, "a place; how many frames it held is not known"
    spool.close()


def test_a_frame_that_cannot_be_read_any_more_costs_itself(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = spool.entries(spool.files[0])[1]
    with monkeypatch.context() as patch:
        break_reads(patch, spool.files[0], errno.EIO, entry.offset)
        assert batch(spool) == [0, 2, 4, 5, 6, 7]
    assert spool.faults.damaged_frames == 1
    assert batch(spool) == [0, 2, 4, 5, 6, 7]
    spool.close()


@pytest.mark.parametrize("indexed", [False, True])
def test_a_file_that_cannot_be_opened_for_a_while_waits_and_loses_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, indexed: bool
) -> None:
    """Out of descriptors, or a permission that somebody changed."""
    if indexed:
        batch(spool)
    with monkeypatch.context() as patch:
        break_reads(patch, spool.files[1], errno.EACCES)
        assert batch(spool) == [0, 1, 2, 6, 7]
        assert backlog.usage(spool).waiting == 7
        assert spool.faults.read_failures >= 1
        spool.acknowledge([(0, 2), (6, 7)])
        assert batch(spool) == []
    assert batch(spool) == [4, 5]
    assert spool.faults.lost_frames == spool.faults.damaged_frames == 0
    spool.close()


def test_what_is_counted_is_not_guessed_when_it_cannot_be_read(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_reads(patch, spool.files[-1], errno.EACCES)
        with pytest.raises(SpoolError, match="Permission denied"):
            list(spool.replay())
    assert [f.header.seq for f in spool.replay()] == [6, 7]
    spool.close()


def test_the_newest_file_deleted_at_work_is_lost_and_a_new_one_begins(spool: Spool) -> None:
    spool.files[-1].path.unlink()
    assert spool.keyframe_due(START + 8000), "a file begins with one"
    append(spool, 1, START + 8000)
    assert spool.faults.lost_frames == 2
    assert batch(spool) == [0, 1, 2, 4, 5, 8]
    spool.close()
