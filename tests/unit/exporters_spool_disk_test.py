"""A disk that fails under the spool: what is written, found again, and made durable."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from exporters.spool import Limits, Spool
from tests.unit.exporters_spooled import append, read_frames


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
