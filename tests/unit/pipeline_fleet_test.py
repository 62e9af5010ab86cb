"""The rollup of nodes says what the raw rows of their lcores say, whenever they came in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from lb.catalogue import load
from pipeline import rollup
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_filled import commit, prepare
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import EVENING_MS, Node

AFTER = EVENING_MS / 1000 + 7200
KEY = "toStartOfInterval(ts, toIntervalSecond({})) AS w, pop, node"
SUMS = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "busy_cycles", "idle_cycles")
TERMS = ("originated", "consumed", "drop")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def store(opened: EmbeddedStore) -> EmbeddedStore:
    prepare(opened)
    return opened


def _expected(store: EmbeddedStore, seconds: int) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Sums and reasons of each window and node, added up row by row from raw data."""
    found: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(
        lambda: {
            "sums": Counter(), "drops": Counter(), "lcores": set(), "full": defaultdict(int),
            "boots": set(),
        }
    )  # fmt: skip
    query = f"SELECT {KEY.format(seconds)}, * FROM lcore_1s"
    for row in store.query_arrow(query).to_pylist():
        at = found[row["w"], row["pop"], row["node"]]
        lcore = (row["instance"], row["lcore"])
        at["lcores"].add(lcore)
        at["boots"].add(row["boot"])
        at["full"][lcore] = max(at["full"][lcore], row["active_connections"])
        at["sums"].update({c: row[c] for c in SUMS})
        for term in TERMS:
            at["sums"][term] += sum(row[c.id] for c in load().ledger(term))
        drops = {dict(c.labels)["reason"]: row[c.id] for c in load().ledger("drop") if row[c.id]}
        at["drops"].update(drops)
    return dict(found)


def _stored(store: EmbeddedStore, level: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = store.query_arrow(f"SELECT * FROM fleet_{level} FINAL").to_pylist()
    return {(r["ts"], r["pop"], r["node"]): r for r in rows}


def _assert_equal_raw(store: EmbeddedStore) -> None:
    for level, seconds in (("1m", 60), ("1h", 3600)):
        expected, stored = _expected(store, seconds), _stored(store, level)
        assert expected
        assert stored.keys() == expected.keys()
        for key, row in stored.items():
            raw = expected[key]
            assert {c: row[c] for c in SUMS} == {c: raw["sums"][c] for c in SUMS}
            assert (row["originated_packets"], row["consumed_packets"], row["dropped_packets"]) == (
                tuple(raw["sums"][term] for term in TERMS)
            )
            assert dict(row["drops"]) == dict(raw["drops"])
            assert sum(dict(row["drops"]).values()) == row["dropped_packets"]
            assert row["lcores"] == len(raw["lcores"])
            assert row["boots"] == sorted(raw["boots"])
            assert row["active_connections"] == sum(raw["full"].values())


def test_nodes_equal_raw_over_midnight_boots_and_late_data(store: EmbeddedStore) -> None:
    node, other = Node(), Node(node="lb2", stream=2, seed=5)
    frames = node.frames(200)
    node.boot, node.totals = 8, {}  # a restart in the middle of a minute
    frames += node.frames(60)
    late = [f for f in frames if f.header.seq in range(70, 90)]
    commit(store, [f for f in frames if f not in late] + other.frames(130))
    assert rollup.once(store, now=AFTER) > 0
    _assert_equal_raw(store)
    assert {len(r["boots"]) for r in _stored(store, "1m").values()} == {1, 2}
    commit(store, late)
    assert rollup.once(store, now=AFTER) > 0
    _assert_equal_raw(store)
    assert rollup.once(store, now=AFTER) == 0


def test_a_store_without_the_rollup_of_nodes_gets_it(store: EmbeddedStore) -> None:
    """A crash between the two, or a store of an earlier version."""
    commit(store, Node().frames(130))
    rollup.once(store, now=AFTER)
    store.query("TRUNCATE TABLE fleet_1m")
    assert rollup.once(store, now=AFTER) == 3
    _assert_equal_raw(store)
