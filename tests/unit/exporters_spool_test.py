"""The spool: durable frames, damage that costs only itself, acknowledgements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporters import backlog, frames, spoolfile
from exporters.errors import SpoolBusyError, SpoolError
from exporters.frames import Frame
from exporters.spool import Limits, Spool
from tests.unit.exporters_spooled import START, append, header, waiting


def reopen(spool: Spool, limits: Limits | None = None) -> Spool:
    spool.close()
    return Spool(spool.directory, limits)


def test_frames_survive_a_restart_byte_for_byte(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    written, stream = append(spool, 5), spool.stream
    spool = reopen(spool)
    assert (spool.stream, spool.next_seq) == (stream, 5)
    assert [s.data for s in backlog.batch(spool, 10, 1 << 20)] == written
    spool.close()


def test_a_new_spool_is_a_new_stream(tmp_path: Path) -> None:
    a, b = Spool(tmp_path / "a"), Spool(tmp_path / "b")
    assert a.stream != b.stream
    a.close()
    b.close()


def test_only_one_process_uses_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolBusyError, match="another exporter"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


def test_a_file_begins_with_a_keyframe_and_so_does_every_minute(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(file_ms=150_000))
    append(spool, 300)
    assert len(spool.files) == 2
    for file in spool.files:
        entries = spool.entries(file)
        assert entries[0].keyframe
        minutes = {e.ts_ms // 60_000 for e in entries}
        assert {e.ts_ms // 60_000 for e in entries if e.keyframe} == minutes
    spool.close()


def test_a_file_cannot_begin_without_a_keyframe(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    head = header(spool, START, keyframe=False)
    with pytest.raises(SpoolError, match="no keyframe"):
        spool.append(frames.encode(Frame(head, {})), head)
    spool.close()


def test_a_new_file_begins_when_one_is_large_enough(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(file_bytes=1000))
    append(spool, 20)
    assert len(spool.files) > 2
    assert waiting(spool) == list(range(20))
    spool.close()


@pytest.mark.parametrize("cut", [1, 16, 100])
def test_a_torn_tail_is_cut_and_the_spool_goes_on(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path)
    append(spool, 3)
    path = spool.files[-1].path
    spool.close()
    path.write_bytes(path.read_bytes()[:-cut])
    spool = Spool(tmp_path)
    assert spool.faults.torn_tails == 1
    assert spool.next_seq == 2, "a frame that was not whole was never sent"
    append(spool, 1, START + 5000)
    assert waiting(spool) == [0, 1, 2]
    spool = reopen(spool)
    assert waiting(spool) == [0, 1, 2]
    spool.close()


def test_a_file_with_nothing_but_a_torn_frame_goes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(file_ms=2000))
    frame = append(spool, 2)[-1]
    spool.close()
    path = spoolfile.name(tmp_path, 2)
    path.write_bytes(frame[:20])
    spool = Spool(tmp_path)
    assert not path.exists()
    assert (spool.next_seq, waiting(spool)) == (2, [0, 1])
    assert [f.header.seq for f in spool.replay()] == [0, 1]
    spool.close()


@pytest.mark.parametrize("place", [0, 5, 9, 14, 40, -1])
def test_a_damaged_frame_in_the_middle_costs_only_itself(tmp_path: Path, place: int) -> None:
    spool = Spool(tmp_path)
    append(spool, 4)
    file = spool.files[0]
    entry = spool.entries(file)[1]
    spool.close()
    data = bytearray(file.path.read_bytes())
    data[entry.offset + place % entry.length] ^= 0xFF
    file.path.write_bytes(data)
    spool = Spool(tmp_path)
    assert waiting(spool) == [0, 2, 3]
    assert spool.faults.damaged_frames == 1
    assert [s.seq for s in backlog.batch(spool, 10, 1 << 20)] == [0, 2, 3]
    spool.acknowledge([(0, 3)])
    assert backlog.usage(spool).waiting == 0
    spool.close()


def test_numbers_of_damaged_frames_at_the_end_are_not_used_again(tmp_path: Path) -> None:
    """They may have been sent: a new frame under an old number would be taken for stored."""
    spool = Spool(tmp_path)
    append(spool, 4)
    file = spool.files[0]
    entry = spool.entries(file)[2]
    spool.close()
    data = bytearray(file.path.read_bytes())
    for offset in range(entry.offset + 20, len(data), 50):
        data[offset] ^= 0xFF
    file.path.write_bytes(data)
    spool = Spool(tmp_path)
    assert waiting(spool)[:2] == [0, 1]
    assert spool.next_seq >= 4
    spool.close()


def test_damage_after_the_index_was_made_is_found_before_it_is_sent(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 3)
    file = spool.files[0]
    entry = spool.entries(file)[1]
    data = bytearray(file.path.read_bytes())
    data[entry.offset + 50] ^= 1
    file.path.write_bytes(data)
    assert [s.seq for s in backlog.batch(spool, 10, 1 << 20)] == [0, 2]
    assert spool.faults.damaged_frames == 1
    spool.close()


def test_replay_looks_behind_a_damaged_keyframe(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(file_ms=3000))
    append(spool, 5)
    first, second = spool.files
    spool.close()
    data = bytearray(second.path.read_bytes())
    data[30] ^= 1
    second.path.write_bytes(data)
    spool = Spool(tmp_path)
    assert [f.header.seq for f in spool.replay()] == [0, 1, 2, 4]
    assert first.path.exists()
    spool.close()


def test_a_file_goes_when_all_of_it_is_acknowledged_and_it_is_not_the_newest(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path, Limits(file_ms=3000))
    append(spool, 8)
    names = [f.path for f in spool.files]
    spool.acknowledge([(3, 4), (6, 7)])
    assert all(p.exists() for p in names)
    spool.acknowledge([(5, 5)])
    assert [p.exists() for p in names] == [True, False, True]
    spool.acknowledge([(0, 2)])
    assert [p.exists() for p in names] == [False, False, True]
    spool = reopen(spool)
    assert waiting(spool) == []
    assert spool.next_seq == 8
    spool.close()


def test_acknowledgements_are_kept_over_a_restart_and_may_be_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 4)
    spool.acknowledge([(0, 1)])
    spool = reopen(spool)
    assert waiting(spool) == [2, 3]
    spool.close()
    (tmp_path / "marks.json").write_text("{")
    spool = Spool(tmp_path)
    assert waiting(spool) == [0, 1, 2, 3]
    assert all(seq in spool.marks.attempted for seq in range(4)), "all may have been sent"
    spool.close()


def test_an_acknowledgement_of_what_was_never_written_is_ignored(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 2)
    spool.acknowledge([(1, 1000)])
    append(spool, 1, START + 2000)
    assert waiting(spool) == [0, 2]
    spool.close()


def test_a_large_backlog_goes_newest_and_oldest_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(file_ms=10_000))
    append(spool, 40)
    assert [s.seq for s in backlog.batch(spool, 8, 1 << 20)] == [38, 39, 0, 1, 2, 3, 4, 5]
    assert [s.seq for s in backlog.batch(spool, 100, 1 << 20)] == list(range(40))
    assert len(backlog.batch(spool, 8, 1)) == 1, "one, however large"
    used = backlog.usage(spool)
    assert (used.waiting, used.oldest_ts_ms) == (40, START)
    assert used.bytes == sum(f.path.stat().st_size for f in spool.files)
    spool.close()


def test_a_write_that_fails_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, Limits(file_ms=3000))

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    for count in (0, 2, 3):
        append(spool, count - spool.next_seq, START + 1000 * spool.next_seq)
        with monkeypatch.context() as patch:
            patch.setattr("os.fdatasync", fail)
            with pytest.raises(SpoolError, match="Input/output error"):
                append(spool, 1, START + 1000 * count)
        assert waiting(spool) == list(range(count))
    append(spool, 1, START + 3000)
    spool = reopen(spool)
    assert waiting(spool) == [0, 1, 2, 3]
    spool.close()


def test_a_disk_too_full_for_the_marks_does_not_stop_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    append(spool, 3)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", full)
        spool.marks.attempt(0, 2)
    assert not (tmp_path / "marks.json").exists()
    spool.close()
    (tmp_path / "marks.json").unlink()
    spool = Spool(tmp_path)
    assert 2 in spool.marks.attempted
    spool.close()


def test_a_frame_in_quarantine_waits_no_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    written = append(spool, 2)
    spool.quarantine(backlog.batch(spool, 1, 1)[0])
    spool.quarantine(backlog.batch(spool, 10, 1 << 20)[0])
    kept = sorted(p.read_bytes() for p in (tmp_path / "quarantine").iterdir())
    assert kept == sorted(written)
    assert waiting(spool) == []
    spool.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_new_file_that_fails_does_not_cost_the_memory_of_what_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """All is acknowledged, and the first frame of the next file does not reach the disk."""
    spool = Spool(tmp_path, Limits(file_ms=2000))
    append(spool, 2)
    spool.acknowledge([(0, 1)])
    stream = spool.stream

    def fail(_: int) -> None:
        raise KeyboardInterrupt if killed else OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        with pytest.raises(KeyboardInterrupt if killed else SpoolError):
            append(spool, 1, START + 2000)
    spool.close()
    for torn in tmp_path.glob(f"{2:020d}.spool"):
        torn.write_bytes(b"")
    spool = Spool(tmp_path)
    assert (spool.stream, spool.next_seq) == (stream, 2)
    assert [f.header.seq for f in spool.replay()] == [0, 1]
    spool.close()


@pytest.mark.parametrize("name", ["notes.spool", "\u00b3.spool"])
def test_a_file_that_is_none_of_the_spool_s_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SpoolError, match="is not named <sequence number>"):
        Spool(tmp_path, Limits())
