"""The second opinion on the books, without a laboratory."""

from __future__ import annotations

from pathlib import Path

from exporters import frames, tables
from exporters.frames import Frame, Header
from tests.lab.audit import SpoolCount, differences, drops


def frame(seq: int) -> bytes:
    header = Header("pop", "node", 7, seq, 1000 * seq, 1000, seq == 0, seq)
    table = tables.build("lcore", [])
    return frames.encode(Frame(header, {"lcore": table}))


def test_frames_are_counted_as_they_come_also_after_their_file_is_gone(tmp_path: Path) -> None:
    count = SpoolCount(tmp_path)
    first, second = frame(0), frame(1)
    path = tmp_path / f"{0:020d}.spool"
    path.write_bytes(first + second[:10])
    count.poll()
    assert len(count.rows) == 1
    with path.open("ab") as spool:
        spool.write(second[10:])
        spool.flush()
        path.unlink()
        (tmp_path / f"{2:020d}.spool").write_bytes(frame(2))
        count.poll()
    assert sorted(count.rows) == [(7, 0), (7, 1), (7, 2)]
    assert len(count._files) == 1  # the removed file is not held open for ever
    count.close()


def test_differences_name_both_sides() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "c": 3}) == {"b": (2, 0), "c": (0, 3)}


def test_drops_are_named_by_reason() -> None:
    totals = {"lcore.drop_vlan_tagged": 3, "lcore.drop_tx_full": 0, "lcore.rx_packets": 9}
    assert drops(totals) == {"vlan_tagged": 3}
