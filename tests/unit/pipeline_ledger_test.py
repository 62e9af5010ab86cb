"""The audit: it proves what is so, and finds every kind of fault that is planted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

from exporters.frames import Frame
from lb.catalogue import load
from pipeline import recover, rollup
from pipeline.cli import ledger
from pipeline.errors import LedgerError
from pipeline.frames import Reader
from pipeline.group import Insert, inserts
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Range, Report
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_filled import change, commit, double, prepare
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import EVENING_MS, Node, body, with_column

ALL = Range(EVENING_MS - 3_600_000, EVENING_MS + 7_200_000)
AFTER = EVENING_MS / 1000 + 7200
PLACE = "lcore = 'lcore1' AND seq = 57"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@cache
def _inserts() -> list[Insert]:
    nodes = Node(), Node(node="lb2", stream=2, seed=9)
    frames: list[Frame] = []
    for node in nodes:
        frames += [*node.frames(99), node.frame(final=True)]
        node.boot, node.totals = node.boot + 1, {}
        frames += node.frames(50)
    return list(inserts(Reader(load()).read(body(frames)).frames, 1, EVENING_MS, {}))


@pytest.fixture
def store(opened: EmbeddedStore) -> EmbeddedStore:
    """Two nodes, two boots, 150 s each, rolled up."""
    prepare(opened)
    for insert in _inserts():
        opened.insert(insert.table, insert.rows)
    rollup.once(opened, now=AFTER)
    return opened


def _verify(store: EmbeddedStore, asked: Range = ALL) -> Report:
    return verify(StoreSource(store), asked)


def _failed(report: Report) -> set[str]:
    return {check.name for check in report.checks if check.failed}


def test_a_sound_store_is_proven(store: EmbeddedStore) -> None:
    report = _verify(store)
    assert _failed(report) == set()
    assert report.proven
    assert report.frames == 300
    assert report.nodes == ["fra1/lb1", "fra1/lb2"]
    assert all(check.examined for check in report.checks)
    lines = {(line.term, line.what): line.packets for line in report.balance}
    assert lines["residual", ""] == 0
    assert lines["rx", "rx_packets"] == int(
        store.query("SELECT sum(rx_packets) FROM lcore_1s", "CSV")
    )


def test_a_part_of_the_range_is_proven_too(store: EmbeddedStore) -> None:
    middle = Range(EVENING_MS + 33_000, EVENING_MS + 129_500)
    assert _verify(store, middle).proven
    one = _verify(store, replace(middle, pop="fra1", node="lb2"))
    assert one.proven
    assert (one.frames, one.nodes) == (97, ["fra1/lb2"])


def test_a_range_that_begins_long_after_the_stream_is_proven(store: EmbeddedStore) -> None:
    # The look back then begins between two keyframes, and sees part of an interval.
    late = Range(EVENING_MS + 135_500, EVENING_MS + 150_000)
    report = _verify(store, late)
    assert _failed(report) == set()
    assert next(check for check in report.checks if check.name == "keyframes").examined


def _lose(store: EmbeddedStore, where: str) -> None:
    for table in (*recover.TABLES, "instances", "frames"):
        change(store, table, f"DELETE WHERE {where}")


FAULTS: dict[str, tuple[Callable[[EmbeddedStore], None], set[str], str]] = {
    "a deleted row": (
        lambda s: change(s, "lcore_1s", f"DELETE WHERE {PLACE} AND node = 'lb1'"),
        {"rows", "keyframes", "boots", "rollups"},
        "lcore_1s: stream 0000000000abcdef frame 57: brought 2 rows, 1 are there",
    ),
    "a doubled row": (
        lambda s: double(s, "lcore_1s", f"{PLACE} AND node = 'lb1'"),
        {"rows", "keyframes", "boots", "rollups"},
        "frame 57: brought 2 rows, 3 are there",
    ),
    "a changed counter": (
        lambda s: change(s, "lcore_1s", f"UPDATE drop_tx_full = drop_tx_full + 1 WHERE {PLACE}"),
        {"law", "keyframes", "boots", "rollups"},
        "lcore_1s: fra1 lb1 lb lcore1",
    ),
    "two changes that balance": (
        lambda s: change(
            s,
            "lcore_1s",
            f"UPDATE drop_tx_full = drop_tx_full + 1, rx_packets = rx_packets + 1 WHERE {PLACE}",
        ),
        {"keyframes", "boots", "rollups"},
        "rx_packets: counted",
    ),
    "a changed histogram": (
        lambda s: change(
            s,
            "lcore_1s",
            f"UPDATE burst_packets = arrayMap(x -> x + 1, burst_packets) WHERE {PLACE}",
        ),
        {"keyframes", "boots", "rollups"},
        "burst_packets[1]: counted",
    ),
    "a changed absolute counter": (
        lambda s: change(
            s, "vip_abs", "UPDATE rx_bytes = rx_bytes + 5 WHERE seq = 50 AND node = 'lb1'"
        ),
        {"keyframes"},
        "vip: fra1 lb1 lb vip0",
    ),
    "a missing frame": (
        lambda s: _lose(s, "seq = 57 AND stream = 2"),
        {"sequence", "keyframes", "boots", "rollups"},
        "1 of 150 frames lack: 57..57",
    ),
    "a missing first frame": (
        lambda s: change(s, "frames", "DELETE WHERE seq = 0 AND stream = 2"),
        {"sequence", "rows"},
        "0..0",
    ),
    "a frame that is there twice": (
        lambda s: double(s, "frames", "seq = 57 AND stream = 2"),
        {"sequence"},
        "1 frames are there twice",
    ),
    "a changed minute": (
        lambda s: change(
            s,
            "lcore_1m",
            "UPDATE rx_packets = rx_packets + 1 WHERE node = 'lb2' AND lcore = 'lcore0'",
        ),
        {"rollups"},
        "lcore_1m: window",
    ),
    "a changed hour": (
        lambda s: change(s, "backend_1h", "UPDATE tx_bytes = 0 WHERE node = 'lb2'"),
        {"rollups"},
        "backend_1h: window",
    ),
    "a minute that was never computed": (
        lambda s: change(s, "node_1m", "DELETE WHERE 1"),
        {"rollups"},
        "is not computed from all that is stored",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_named(store: EmbeddedStore, fault: str) -> None:
    plant, checks, text = FAULTS[fault]
    plant(store)
    report = _verify(store)
    assert not report.proven
    failed = _failed(report)
    assert checks <= failed, failed
    if "balance" in fault or "absolute" in fault:
        assert "law" not in failed
    found = [finding for check in report.checks for finding in check.findings]
    assert any(text in finding for finding in found), found


def test_a_held_packet_moves_from_row_to_row(opened: EmbeddedStore) -> None:
    prepare(opened)
    node = Node(keyframe_every=4)
    frames = [_hold(frame) for frame in node.frames(12)]
    commit(opened, frames)
    rollup.once(opened, now=AFTER)
    report = _verify(opened)
    assert "law" not in _failed(report)
    assert {line.term: line.packets for line in report.balance}["residual"] == 0


def _hold(frame: Frame) -> Frame:
    """In frame 3 each lcore keeps 5 packets back, in frame 6 they leave."""
    table, seq = frame.tables["lcore"], frame.header.seq
    held = 5 if 3 <= seq < 6 else 0
    sent = {3: -5, 6: 5}.get(seq, 0)
    rx = table.column("rx_packets").astype(np.int64) - sent
    table = with_column(table, "held_neighbour_queue", held)
    table = with_column(table, "rx_packets", rx)
    tables = {"lcore": table} | {n: t for n, t in frame.tables.items() if n == "node"}
    return Frame(replace(frame.header, keyframe=False), tables)


def test_without_data_nothing_can_be_said(store: EmbeddedStore) -> None:
    with pytest.raises(LedgerError, match="no frame"):
        _verify(store, Range(0, 1))


def test_the_exit_code_says_what_is_so(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli_ask.HttpSource", lambda *_: StoreSource(store))
    begin, end = str(ALL.from_ms / 1000), str(ALL.to_ms / 1000)
    asked = ["verify", "--from", begin, "--to", end]
    proven = CliRunner().invoke(ledger, asked)
    assert proven.exit_code == 0, proven.output
    assert "proven" in proven.output
    nothing = CliRunner().invoke(ledger, ["verify", "--from", "1", "--to", "2"])
    assert nothing.exit_code == 4
    change(store, "lcore_1s", f"DELETE WHERE {PLACE}")
    wrong = CliRunner().invoke(ledger, [*asked, "--json"])
    assert wrong.exit_code == 1
    answer = json.loads(wrong.output)
    assert answer["proven"] is False
    assert {"frames", "balance", "checks", "nodes"} <= answer.keys()


def test_a_pipeline_that_does_not_answer_is_no_proof() -> None:
    result = CliRunner().invoke(ledger, ["verify", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 4
    assert "does not answer" in result.output
