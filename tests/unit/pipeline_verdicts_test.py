"""The audit is not red for what is no fault, and not green for what nobody looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from exporters.frames import Frame
from pipeline import recover, rollup
from pipeline.cli import ledger
from pipeline.errors import LedgerError
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Range, Report
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_filled import change, commit, prepare, tear
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import EVENING_MS, SCOPES, Node, with_column

ALL = Range(EVENING_MS - 3_600_000, EVENING_MS + 7_200_000)
AFTER = EVENING_MS / 1000 + 7200
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def store(opened: EmbeddedStore) -> EmbeddedStore:
    prepare(opened)
    return opened


def _verify(store: EmbeddedStore, asked: Range = ALL) -> Report:
    return verify(StoreSource(store), asked)


def _failed(report: Report) -> set[str]:
    return {check.name for check in report.checks if check.failed}


def _findings(report: Report) -> list[str]:
    return [text for check in report.checks for text in check.findings]


def _notes(report: Report) -> str:
    return "; ".join(text for check in report.checks for text in check.notes)


def _assert_proven(report: Report) -> None:
    assert report.proven, _findings(report)


# --- not red ------------------------------------------------------------------------------------


def test_a_group_in_flight_does_not_blur_the_picture(store: EmbeddedStore) -> None:
    commit(store, Node().frames(100))
    rollup.once(store, now=AFTER)
    for table in ("lcore_1s", "vip_1s"):
        tear(store, table, "seq >= 40")
    _assert_proven(_verify(store))


def test_rows_of_a_torn_group_are_no_fault_of_the_rollups(store: EmbeddedStore) -> None:
    commit(store, Node().frames(100))
    rollup.once(store, now=AFTER)
    tear(store, "lcore_1s", "seq BETWEEN 40 AND 45")
    commit(store, Node(node="lb2", stream=2).frames(50))  # after a restart; it finds the orphans
    report = _verify(store)
    assert _failed(report) <= {"rollups"}  # the new frames' windows are not computed yet
    assert "differs" not in str(_findings(report))
    rollup.once(store, now=AFTER)
    report = _verify(store)
    _assert_proven(report)
    assert "rows of 6 frames wait for their frame" in _notes(report)


class Busy:
    """A source behind which frames are committed and rolled up while the audit reads."""

    def __init__(self, store: EmbeddedStore, moment: str, late: list[Frame]) -> None:
        self.store, self.moment, self.late = store, moment, late

    def table(self, sql: str, params: Mapping[str, str]) -> pa.Table:
        found = StoreSource(self.store).table(sql, params)
        if self.moment in sql and self.late:
            commit(self.store, self.late, time.time_ns() // 1_000_000)
            self.late.clear()
            rollup.once(self.store, now=AFTER)
        return found


@pytest.mark.parametrize(
    "moment", ["lcore_1m FINAL", "FROM popscope.lcore_1s AS s", "AND has(tables", "lcore_1h FINAL"]
)
def test_late_data_and_new_rollups_while_it_looks_are_no_fault(
    store: EmbeddedStore, moment: str
) -> None:
    commit(store, Node().frames(100))
    rollup.once(store, now=AFTER)
    source = Busy(store, moment, Node(node="lb2", stream=2).frames(50))
    report = verify(source, ALL)
    assert not source.late
    assert not _failed(report), _findings(report)


def test_a_window_is_late_only_when_its_last_frames_are_long_there(store: EmbeddedStore) -> None:
    commit(store, Node().frames(100))
    rollup.once(store, now=AFTER)
    commit(store, Node(node="lb2", stream=2).frames(50), time.time_ns() // 1_000_000)
    report = _verify(store)
    _assert_proven(report)
    assert "is still to be computed" in _notes(report)


def test_a_stream_is_older_than_its_oldest_frame_that_is_kept(store: EmbeddedStore) -> None:
    node = Node(start_ms=EVENING_MS - 10 * DAY_MS)
    commit(store, node.frames(60))
    node.boot, node.totals, node.start_ms = 8, {}, EVENING_MS - 60_000
    commit(store, node.frames(100))
    rollup.once(store, now=AFTER)
    change(store, "frames", "DELETE WHERE seq < 30")
    _assert_proven(_verify(store))
    change(store, "frames", "DELETE WHERE seq = 60")  # the first that is young enough
    assert "1 of 100 frames lack: 60..60" in str(_findings(_verify(store)))


def test_a_range_before_the_raw_rows_that_are_kept_cannot_be_told(store: EmbeddedStore) -> None:
    commit(store, Node().frames(70))
    with pytest.raises(LedgerError, match="last 6 days at most"):
        _verify(store, replace(ALL, from_ms=EVENING_MS - 10 * DAY_MS))


def test_a_clock_that_was_set_back_is_no_fault(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(65)
    node.start_ms -= 20_000
    commit(store, [*frames, *node.frames(60)])
    rollup.once(store, now=AFTER)
    _assert_proven(_verify(store))
    # Its end lies where the times are there twice.
    report = _verify(store, replace(ALL, to_ms=EVENING_MS + 55_000))
    assert not _failed(report), _findings(report)


def _hold(frame: Frame) -> Frame:
    """Each lcore keeps 5 packets back from frame 55 to frame 69."""
    seq, table = frame.header.seq, frame.tables["lcore"]
    sent = table.column("tx_packets").astype(np.int64) + {55: -5, 70: 5}.get(seq, 0)
    table = with_column(table, "held_neighbour_queue", 5 if 55 <= seq < 70 else 0)
    table = with_column(table, "tx_packets", sent)
    return Frame(replace(frame.header, keyframe=False), {"lcore": table})


def test_the_law_follows_the_numbers_not_the_clock(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(60)
    node.start_ms -= 20_000
    commit(store, [_hold(f) for f in (*frames, *node.frames(60))])
    report = _verify(store)
    assert "law" not in _failed(report), _findings(report)
    assert {line.term: line.packets for line in report.balance}["residual"] == 0
    for end in (45_000, 52_000):
        part = _verify(store, replace(ALL, to_ms=EVENING_MS + end))
        assert "law" not in _failed(part), _findings(part)


def test_numbers_that_were_left_out_after_damage_are_no_fault(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(53)
    node.seq, node.start_ms = 553, node.start_ms - 500_000
    frames += node.frames(60)
    commit(store, frames)
    rollup.once(store, now=AFTER)
    report = _verify(store)
    _assert_proven(report)
    assert "has no frames 53..552" in _notes(report)


def test_the_end_of_a_boot_in_a_gap_is_missing(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(53)
    node.frames(3)
    node.boot, node.totals = 8, {}
    commit(store, [*frames, *node.frames(60)])
    rollup.once(store, now=AFTER)
    assert "frames lack: 53..55" in str(_findings(_verify(store)))


# --- not green ----------------------------------------------------------------------------------


def test_less_than_a_minute_proves_nothing_of_the_rollups(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, Node().frames(130))
    rollup.once(store, now=AFTER)
    report = _verify(store, Range(EVENING_MS + 61_000, EVENING_MS + 119_000))
    assert report.balanced
    assert not report.proven
    monkeypatch.setattr("pipeline.cli_ask.HttpSource", lambda *_: StoreSource(store))
    begin = EVENING_MS // 1000 + 61
    asked = ["verify", "--from", str(begin), "--to", str(begin + 58)]
    answer = CliRunner().invoke(ledger, asked)
    assert answer.exit_code == 4, answer.output
    assert "holds not one whole minute" in answer.output
    assert "cannot tell" in answer.output
    change(store, "lcore_1s", "DELETE WHERE seq = 90")  # a fault that is found is a fault
    assert CliRunner().invoke(ledger, asked).exit_code == 1


def test_frames_without_their_rows_are_found(store: EmbeddedStore) -> None:
    commit(store, Node().frames(100))
    rollup.once(store, now=AFTER)
    for table in (*recover.TABLES, "instances"):
        change(store, table, "DELETE WHERE seq BETWEEN 61 AND 63")
    report = _verify(store)
    assert {"rows", "keyframes", "rollups", "boots"} <= _failed(report)
    assert "frame 61: brought 2 rows, 0 are there" in str(_findings(report))
    for table in recover.TABLES:
        change(store, table, "DELETE WHERE 1")
    assert "rows" in _failed(_verify(store))


def test_frames_that_brought_nothing_prove_nothing(store: EmbeddedStore) -> None:
    commit(store, [Frame(replace(f.header, rows={}), {}) for f in Node().frames(100)])
    report = _verify(store)
    assert not report.proven
    assert {c.name for c in report.checks if c.unknown} == {"rows", "law", "keyframes"}


@pytest.mark.parametrize(
    ("table", "column", "where", "failed"),
    [
        ("lcore_1s", "drop_tx_full", "lcore = 'lcore1'", True),  # a draft is whole
        ("vip_1s", "dropped_packets", "vip = 'vip0'", False),
        ("vip_1s", "dropped_packets", "1", True),  # two rows, and one is torn
    ],
)
def test_a_torn_row_excuses_one_row_that_can_be_torn(
    store: EmbeddedStore, table: str, column: str, where: str, failed: bool
) -> None:
    commit(store, Node().frames(70))
    change(store, "instances", "UPDATE torn_rows = 1 WHERE seq = 57")
    change(store, table, f"UPDATE {column} = {column} + 1 WHERE seq = 57 AND {where}")
    report = _verify(store)
    assert ("law" in _failed(report)) is failed
    if not failed:
        assert "killed core left torn" in _notes(report)


@pytest.mark.parametrize("begin", [ALL.from_ms, EVENING_MS + 82_000])
def test_a_spool_that_was_lost_in_a_boot_is_found(store: EmbeddedStore, begin: int) -> None:
    node = Node()
    commit(store, node.frames(80))
    node.stream, node.seq, node.start_ms = 99, 0, node.start_ms + 80_000
    first = node.frame()  # it knows of no frame before, and counts from the boot on
    again = {scope: first.tables[f"{scope}_abs"] for scope in SCOPES}
    commit(store, [Frame(first.header, {**first.tables, **again}), *node.frames(60)])
    rollup.once(store, now=AFTER)
    report = _verify(store, replace(ALL, from_ms=begin))
    assert _failed(report) == {"boots"}
    assert "a spool was lost" in _notes(report)


def test_a_lost_spool_of_which_all_was_stored_leaves_the_boot_whole(store: EmbeddedStore) -> None:
    node = Node()
    commit(store, node.frames(85))  # five of them behind the last keyframe
    node.stream, node.seq, node.start_ms = 99, 0, node.start_ms + 85_000
    commit(store, node.frames(60))
    assert "boots" not in _failed(_verify(store))
