"""What every query reads of a fleet of 300 PoPs, by the engine's own estimate of rows.

The store has the keys of such a fleet and no counts: all nodes, and all series of three PoPs, one
of which is asked for. A query that forgets its PoP, its range or its level reads more than it may.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dashboards.macros import ALL, TimeRange, expand, interpolate
from dashboards.model import Annotation, Panel, Variable
from lb.catalogue import ROW_LABELS
from pipeline.store.embedded import EmbeddedStore
from tests.unit.dashboards_asking import BOARDS
from tests.unit.pipeline_stores import fresh_store

GRANULE = 8_192
POPS, NODES = 300, 8
# Rows of a node, by scope.
ROWS = {"lcore": 16, "port": 2, "port_queue": 8, "vip": 20, "backend": 20, "node": 1}
# What is stored: windows of each level, and of the rollup of nodes.
STORED = {"1s": 1_800, "1m": 600, "1h": 300, "abs": 30}
FLEET_STORED = {"1m": 180, "1h": 300}
SECONDS = {"1s": 1, "1m": 60, "1h": 3_600}
RANGES = {1_800: "1s", 6 * 3_600: "1m", 10 * 86_400: "1h"}
FLEET_RANGES = {1_800: "1m", 10_800: "1m", 10 * 86_400: "1h"}
THE_POP = "p200"


@dataclass(frozen=True, slots=True)
class Fleet:
    store: EmbeddedStore
    now: int


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    made = Fleet(store, int(time.time()) // 3_600 * 3_600)
    for level, windows in FLEET_STORED.items():
        _fill_nodes(made, level, windows)
    for scope, rows in ROWS.items():
        for level, windows in STORED.items():
            _fill_pops(made, scope, level, rows, windows)
    yield made
    store.close()


def _fill_nodes(fleet: Fleet, level: str, windows: int) -> None:
    """Every node of the fleet, in the order of the key."""
    nodes = POPS * NODES
    fleet.store.query(
        f"INSERT INTO popscope.fleet_{level} (ts, pop, node) SELECT "
        f"toDateTime({fleet.now} - {SECONDS[level]} * ({windows} - intDiv(number, {nodes}))), "
        f"concat('p', toString(100 + intDiv(number % {nodes}, {NODES}))), "
        f"concat('n', toString(number % {NODES})) FROM numbers({windows * nodes})",
        "Null",
    )


def _fill_pops(fleet: Fleet, scope: str, level: str, rows: int, windows: int) -> None:
    """All series of three PoPs, in the order of the key."""
    labels = ROW_LABELS[scope]
    seconds = SECONDS.get(level, 60)
    moment = f"toInt64({fleet.now} - {seconds} * ({windows} - number % {windows}))"
    ts = f"fromUnixTimestamp64Milli({moment} * 1000)" if level in ("1s", "abs") else moment
    named = f"toString(intDiv(number, {windows}) % {rows})"
    fleet.store.query(
        f"INSERT INTO popscope.{scope}_{level} (ts, pop, node, instance"
        f"{''.join(f', {label}' for label in labels)}) SELECT {ts}, "
        f"concat('p', toString(199 + intDiv(number, {windows * rows * NODES}))), "
        f"concat('n', toString(intDiv(number, {windows * rows}) % {NODES})), 'core0'"
        f"{f', {named}' * len(labels)} FROM numbers({3 * NODES * rows * windows})",
        "Null",
    )


def estimated(fleet: Fleet, sql: str, values: dict[str, list[str]], seconds: int) -> int:
    """Rows that the engine would read for the range that ends with the data."""
    end = fleet.now * 1_000
    span = TimeRange(end - seconds * 1_000, end, max(seconds * 1_000 // 1_000, 1_000))
    text = expand(interpolate(sql, values, {}), span)
    found = fleet.store.query_arrow(f"EXPLAIN ESTIMATE {text}").to_pylist()
    return sum(row["rows"] for row in found)


def budget(item: Any, is_fleet: bool, seconds: int, level: str) -> int:
    """Rows of what is chosen in the range, rounded up to granules of each series.

    Of the rollup of nodes: no granules of series, for it lies in the order of time.
    """
    reads = item.reads if isinstance(item, Panel) else 1
    windows = seconds // SECONDS[level]
    nodes_rollup = (windows + 2) * POPS * NODES + 4 * GRANULE
    if is_fleet or item.scope == "fleet":
        return reads * nodes_rollup
    series = NODES * ROWS.get(item.scope, 1)
    rows = series * min(windows + 2 * GRANULE, STORED[level])
    # Gauges of rows without a change come from the keyframes; the law is proven with them.
    keyframes = series * STORED["abs"]
    return reads * (rows + keyframes + 4 * GRANULE)


@pytest.mark.parametrize("file", [f for f in BOARDS if f != "capacity.json"])
def test_no_query_reads_more_of_a_fleet_than_its_budget(fleet: Fleet, file: str) -> None:
    board = BOARDS[file]
    is_fleet = all(variable.many for variable in board.variables)
    values = {v.name: [ALL] if v.many else [THE_POP] for v in board.variables}
    for item in (*board.panels, *board.variables, *board.annotations):
        for seconds, level in (FLEET_RANGES if is_fleet else RANGES).items():
            rows = estimated(fleet, item.sql, values, seconds)
            allowed = budget(item, is_fleet, seconds, level)
            assert rows <= allowed, f"{_name(item)}: {rows} rows of {allowed} for {seconds} s"


def test_the_estimate_sees_a_query_that_forgets_something(fleet: Fleet) -> None:
    whole = estimated(fleet, "SELECT sum(rx_packets) FROM popscope.fleet_1h", {}, 1_800)
    assert whole == FLEET_STORED["1h"] * POPS * NODES
    assert whole > budget(BOARDS["fleet.json"].panels[0], True, 1_800, "1m")
    every_pop = "SELECT sum(rx_packets) FROM popscope.lcore_1s WHERE $__timeFilter_ms(ts)"
    packets = next(p for p in BOARDS["node.json"].panels if p.id == 20)
    assert estimated(fleet, every_pop, {}, 1_800) > budget(packets, False, 1_800, "1s")


def _name(item: Panel | Variable | Annotation) -> str:
    return item.title if isinstance(item, Panel) else item.name
