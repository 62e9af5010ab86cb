"""A disk that fails under the spool: what is written, found again, and made durable."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path

import pytest

from exporters import backlog, disk, frames, tables
from exporters.errors import SpoolError
from exporters.frames import Frame
from exporters.spool import Limits, Spool
from tests.unit.exporters_spool_test import reopen
from tests.unit.exporters_spooled import START, append, header, read_frames, waiting


def fail(*_: object, **__: object) -> None:
    raise OSError(5, "Input/output error")


def open_files(folder: Path) -> int:
    """How many files of a folder this process has open, unlinked ones, too."""
    links = [os.path.realpath(p) for p in Path("/proc/self/fd").iterdir()]
    return sum(link.startswith(str(folder)) for link in links)


def test_a_spool_with_nothing_but_damage_is_a_new_stream_that_begins_with_0(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(file_ms=3000))
    append(spool, 8)
    stream = spool.stream
    spool.close()
    for path in tmp_path.glob("*.spool"):
        path.write_bytes(b"?" * path.stat().st_size)
    spool = Spool(tmp_path)
    assert spool.stream != stream
    assert spool.faults.damaged_frames == 3, "a file each: how many frames it held is not known"
    append(spool, 2)
    assert [f.header.seq for f in read_frames(tmp_path)] == [0, 1]
    assert 0 not in spool.marks.attempted
    spool.close()


def test_marks_are_durable_with_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is synced behind the rename: else a power cut brings the old marks back."""
    spool = Spool(tmp_path)
    append(spool, 3)
    done, fsync, replace, unlink = list[str](), os.fsync, Path.replace, Path.unlink

    def spy(fd: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def renamed(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    def unlinked(path: Path, missing_ok: bool = False) -> None:
        done.append("unlink")
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(Path, "unlink", unlinked)
    spool.marks.attempt(0, 2)
    assert done == ["file", "rename", "folder"]
    done.clear()
    monkeypatch.setattr("json.dump", fail)
    spool.marks.attempt(1000, 1000)
    assert done[-2:] == ["unlink", "folder"]
    spool.close()


def test_a_new_file_whose_name_cannot_be_made_durable_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    before = open_files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_directory", fail)
        for _ in range(3):
            with pytest.raises(SpoolError, match="Input/output error"):
                append(spool, 1)
    assert open_files(tmp_path) == before
    assert not list(tmp_path.glob("*.spool"))
    append(spool, 2)
    spool = reopen(spool)
    assert waiting(spool) == [0, 1]
    spool.close()


def test_part_of_a_frame_that_cannot_be_taken_back_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    written = append(spool, 2)
    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        patch.setattr("os.ftruncate", fail)
        for _ in range(2):
            with pytest.raises(SpoolError):
                append(spool, 1, START + 2000)
    written += append(spool, 1, START + 2000)
    path = spool.files[-1].path
    assert path.read_bytes() == b"".join(written)
    spool.close()


def test_a_first_frame_that_fails_and_cannot_be_removed_does_not_land_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, Limits(file_ms=2000))
    append(spool, 2)
    before = open_files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        patch.setattr(Path, "unlink", fail)
        with pytest.raises(SpoolError):
            append(spool, 1, START + 2000)
    append(spool, 1, START + 1999)
    append(spool, 1, START + 4000)
    spool = reopen(spool)
    assert waiting(spool) == [0, 1, 2, 3]
    assert [f.header.seq for f in read_frames(tmp_path)] == [0, 1, 2, 3]
    assert spool.faults.damaged_frames == spool.faults.torn_tails == 0
    assert open_files(tmp_path) == before
    spool.close()


def wild(spool: Spool, ts_ms: int) -> None:
    """A frame whose checksum holds, and whose tables cannot be read."""
    head = header(spool, ts_ms)
    data = frames.encode(Frame(head, {"vip": tables.build("vip", [])}, {}))
    body = bytearray(data)
    at = frames.PREFIX.size + int.from_bytes(data[4:8], "little")
    body[at : at + 8] = b"\xff" * 8
    body[12:16] = zlib.crc32(body[16:]).to_bytes(4, "little")
    frames.decode_header(bytes(body))
    spool.append(bytes(body), head)


def test_a_frame_whose_tables_cannot_be_read_is_not_sent(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 1)
    wild(spool, START + 1000)
    append(spool, 1, START + 2000)
    assert [s.seq for s in backlog.batch(spool, 10, 1 << 20)] == [0, 2]
    assert spool.faults.damaged_frames == 1
    spool.close()


def test_replay_goes_on_behind_a_frame_that_cannot_be_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 1)
    wild(spool, START + 1000)
    append(spool, 1, START + 2000)
    assert [f.header.seq for f in spool.replay()] == [0, 2]
    assert spool.faults.damaged_frames == 1
    spool.close()


def test_frames_of_another_version_are_not_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 1)
    spool.close()
    (path,) = tmp_path.glob("*.spool")
    data = path.read_bytes()
    rest = data[frames.PREFIX.size :].replace(b'"v":2', b'"v":1', 1)
    other = data[:12] + zlib.crc32(rest).to_bytes(4, "little") + rest
    path.write_bytes(other)
    with pytest.raises(SpoolError, match=r"version 1; this program reads 2\. Let the version that"):
        Spool(tmp_path)
    assert path.read_bytes() == other
