"""Rollups: exact, computed anew when late data comes, found again from the tables alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporters.frames import Frame
from lb.catalogue import load
from pipeline import rollup, schema
from pipeline.ledger import rollups
from pipeline.ledger.model import Range
from pipeline.ledger.source import StoreSource
from pipeline.rollup import Rollup
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_filled import commit, prepare, tear
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import EVENING_MS, Node

AFTER = EVENING_MS / 1000 + 7200


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def store(opened: EmbeddedStore) -> EmbeddedStore:
    prepare(opened)
    return opened


def _sums(store: EmbeddedStore, scope: str, level: str) -> list[tuple[object, ...]]:
    """Everything that a level must agree on with raw, by key and hour."""
    counters = [e for e in load().scope(scope) if e.kind == "counter"]
    arrays = [e for e in load().scope(scope) if e.kind == "histogram"]
    gauges = [e for e in load().scope(scope) if e.kind == "gauge"]
    keys = ", ".join((*schema.row_key(scope), "boot"))
    values = [f"sum({e.id})" for e in counters] + [f"max({e.id})" for e in gauges]
    values += [f"sumForEach({e.id})" for e in arrays]
    samples = "count()" if level == "1s" else "sum(samples)"
    final = "" if level == "1s" else "FINAL"
    rows = store.query_arrow(
        f"SELECT toStartOfHour(ts, 'UTC') AS w, {keys}, {samples} AS n, {', '.join(values)} "
        f"FROM {scope}_{level} {final} GROUP BY w, {keys} ORDER BY w, {keys}"
    )
    return [tuple(row.values()) for row in rows.to_pylist()]


def _assert_equal_raw(store: EmbeddedStore) -> None:
    for scope in ("lcore", "port", "vip", "backend", "node"):
        raw, minutes, hours = (_sums(store, scope, level) for level in ("1s", "1m", "1h"))
        assert raw
        assert raw == minutes, scope
        assert raw == hours, scope


def test_rollups_equal_raw_over_midnight_and_boots(store: EmbeddedStore) -> None:
    node, other = Node(), Node(node="lb2", stream=2, seed=5)
    frames = node.frames(400)
    node.boot, node.totals = 8, {}
    frames += node.frames(60) + other.frames(200)
    commit(store, frames)
    assert rollup.once(store, now=AFTER) == 8 + 2
    _assert_equal_raw(store)
    assert rollup.once(store, now=AFTER) == 0


def test_only_windows_that_ended_are_computed(store: EmbeddedStore) -> None:
    commit(store, Node().frames(150))
    assert rollup.once(store, now=EVENING_MS / 1000 + 121) == 2
    rows = store.query("SELECT uniqExact(ts), sum(samples) FROM lcore_1m FINAL", "CSV")
    assert rows == b"2,238\n"
    assert rollup.once(store, now=EVENING_MS / 1000 + 151, include_open=True) == 2
    _assert_equal_raw(store)


def test_the_last_second_of_a_window_in_a_part_of_its_own(store: EmbeddedStore) -> None:
    frames = Node(start_ms=EVENING_MS + 500).frames(60)  # up to 59.5 s, and one at 60.5 s
    store.query("SYSTEM STOP MERGES")
    try:
        commit(store, frames[:58])
        commit(store, frames[58:])
        assert rollup.once(store, now=EVENING_MS / 1000 + 60) == 1
        rows = store.query("SELECT uniqExact(ts), sum(samples) FROM lcore_1m FINAL", "CSV")
        assert rows == b"1,118\n"
        asked = Range(EVENING_MS, EVENING_MS + 60_000)
        proof = rollups.check(StoreSource(store), load(), asked, now=AFTER)
        assert (proof.failed, proof.findings) == (0, [])
    finally:
        store.query("SYSTEM START MERGES")


def test_late_data_is_rolled_up_anew(store: EmbeddedStore) -> None:
    frames = Node().frames(200)
    commit(store, [f for f in frames if f.header.seq not in range(70, 90)])
    assert rollup.once(store, now=AFTER) == 5
    commit(store, frames[70:90])
    assert rollup.once(store, now=AFTER) == 2
    _assert_equal_raw(store)


def test_a_service_learns_of_commits_without_reading(store: EmbeddedStore) -> None:
    live = Rollup(store, load())
    live.recover(AFTER)
    frames = Node().frames(130)
    number = commit(store, frames[:100])
    live.note([f.header.ts_ms for f in frames[:100]], number)
    assert live.run(AFTER) == 3
    number = commit(store, frames[100:])
    live.note([f.header.ts_ms for f in frames[100:]], number)
    assert live.run(AFTER) == 3
    _assert_equal_raw(store)
    assert live.run(AFTER) == 0
    assert rollup.once(store, now=AFTER) == 0


def test_a_service_computes_a_window_when_it_ends(store: EmbeddedStore) -> None:
    live = Rollup(store, load())
    frames = Node().frames(130)
    number = commit(store, frames)
    live.note([f.header.ts_ms for f in frames], number)
    assert live.run(EVENING_MS / 1000 + 61) == 1
    assert live.run(EVENING_MS / 1000 + 61) == 0
    assert live.run(AFTER) == 3
    _assert_equal_raw(store)


def test_an_hour_claims_no_commit_that_its_minutes_lack(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, query = Rollup(store, load()), store.query
    frames = Node().frames(130)
    late = frames[70:90]
    number = commit(store, frames[:70] + frames[90:])
    live.note([f.header.ts_ms for f in frames], number)

    def meanwhile(sql: str, *args: Any) -> bytes:
        """Late frames are committed when all minutes, and no hour, are computed."""
        if "node_1m" in sql.split("(")[0]:
            live.note([f.header.ts_ms for f in late], commit(store, late))
        return query(sql, *args)

    monkeypatch.setattr(store, "query", meanwhile)
    live.run(AFTER)
    monkeypatch.undo()
    rollup.once(store, now=AFTER)  # as after a restart: it has nothing but the tables
    _assert_equal_raw(store)


def test_a_rollup_holds_only_what_is_committed(store: EmbeddedStore) -> None:
    number = commit(store, Node().frames(60))
    tear(store, "lcore_1s", "seq < 10")
    rollup.once(store, now=AFTER)
    for level in ("1m", "1h"):
        sums = store.query(f"SELECT sum(samples), max(version) FROM lcore_{level} FINAL", "CSV")
        assert sums == f"120,{number}\n".encode()


@pytest.mark.parametrize("interval_ms", [0, (1 << 32) - 1])
def test_an_interval_of_a_clock_that_was_set_stops_no_rollup(
    store: EmbeddedStore, interval_ms: int
) -> None:
    node = Node()
    frames = node.frames(5)
    odd = Frame(replace(frames[3].header, interval_ms=interval_ms), frames[3].tables)
    commit(store, [*frames[:3], odd, frames[4]])
    rollup.once(store, now=AFTER)
    _assert_equal_raw(store)


def test_computing_twice_changes_nothing(store: EmbeddedStore) -> None:
    commit(store, Node().frames(100))
    live = Rollup(store, load())
    for _ in range(3):
        live.recover(AFTER)
        live.note([EVENING_MS, EVENING_MS + 60_000], live.commit)
        live.run(AFTER)
    _assert_equal_raw(store)


def test_the_peak_is_the_largest_second(store: EmbeddedStore) -> None:
    node = Node(lcores=1)
    frames: list[Frame] = node.frames(20)
    commit(store, frames)
    rollup.once(store, now=AFTER)
    raw = store.query("SELECT max(rx_packets) FROM lcore_1s", "CSV")
    for level in ("1m", "1h"):
        assert store.query(f"SELECT rx_packets_peak FROM lcore_{level} FINAL", "CSV") == raw


def test_an_interval_of_ten_seconds_is_no_peak_of_a_second(store: EmbeddedStore) -> None:
    commit(store, [Node(lcores=1).frame(interval_ms=10_000)])
    rollup.once(store, now=AFTER)
    rows = store.query("SELECT rx_packets_peak = intDiv(rx_packets, 10) FROM lcore_1m FINAL", "CSV")
    assert rows == b"1\n"
