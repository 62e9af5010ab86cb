"""The quarantine: refused frames are kept, but never more than it has room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporters import backlog
from exporters.quarantine import Quarantine
from exporters.spool import Limits, Spool
from tests.unit.exporters_spooled import append, waiting


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Limits(quarantine_bytes=2000))
    written = append(spool, 20)
    for frame in backlog.batch(spool, 20, 1 << 20):
        spool.quarantine(frame)
    paths = sorted((tmp_path / "quarantine").iterdir())
    kept = [p.read_bytes() for p in paths]
    assert 2000 - len(written[-1]) < sum(map(len, kept)) <= 2000
    assert kept == written[-len(kept) :]
    assert [p.stem.split("-")[0] for p in paths] == [f"{spool.stream:016x}"] * len(paths)
    assert spool.faults.quarantined_frames == 20
    assert spool.faults.quarantine_dropped_frames == 20 - len(kept)
    assert waiting(spool) == []
    spool.close()


def test_a_frame_larger_than_all_of_it_is_dropped(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "q", 10)
    quarantine.keep("a", b"x" * 10)
    quarantine.keep("b", b"x" * 11)
    assert quarantine.dropped == 1
    assert [p.name for p in (tmp_path / "q").iterdir()] == ["a.frame"]


def test_a_disk_that_takes_no_frame_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    append(spool, 2)
    stored = backlog.batch(spool, 2, 1 << 20)

    def full(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        spool.quarantine(stored[0])
    assert spool.faults.quarantine_dropped_frames == 1
    assert not list((tmp_path / "quarantine").iterdir())
    assert waiting(spool) == [1]
    spool.close()
