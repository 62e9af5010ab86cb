"""The views for capacity planning, on hours that were made up to be easy to reckon with."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.store import QueryLimits
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_filled import prepare
from tests.unit.pipeline_stores import fresh_store

TODAY = int(time.time()) // 86400 * 86400


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """Ten days of two hours each, two lcores a node. ams1 grows by 3600 packets and 1 % a day."""
    opened = fresh_store(tmp_path_factory.mktemp("store"))
    prepare(opened)
    for version, factor in ((1, 7), (2, 1)):  # the second version of a row is the one that counts
        for pop, growth in (("ams1", 1), ("fra1", 0)):
            opened.query(
                "INSERT INTO lcore_1h (ts, pop, node, instance, lcore, boot, samples, version,"
                " rx_packets, rx_packets_peak, busy_cycles, idle_cycles, active_connections,"
                " max_connections) "
                f"SELECT toDateTime({TODAY} - 86400 * (9 - number % 10) + 3600 * hour, 'UTC'),"
                f" '{pop}', 'lb1', 'lb', toString(lcore), 1, 3600, {version},"
                f" {factor} * (360000 * (1 + hour) + 1800 * (number % 10) * {growth}),"
                f" {factor} * (200 + hour), {factor} * (50 + hour + {growth} * (number % 10)),"
                f" {factor} * (50 - hour - {growth} * (number % 10)), 25, 100 "
                "FROM numbers(10) ARRAY JOIN [0, 0, 1, 1] AS hour, [0, 1, 0, 1] AS lcore"
            )
    yield opened
    opened.close()


def test_hours_are_of_a_node_and_counted_once(store: EmbeddedStore) -> None:
    rows = store.query_arrow(
        "SELECT * FROM capacity_hours WHERE pop = 'fra1' ORDER BY ts LIMIT 2"
    ).to_pylist()
    assert [row["rx_packets"] for row in rows] == [720_000, 1_440_000]
    assert [row["rx_packets_per_second"] for row in rows] == [200, 400]
    assert [row["rx_packets_peak"] for row in rows] == [400, 402]
    assert [row["busiest_lcore_peak"] for row in rows] == [200, 201]
    assert [row["busy_share"] for row in rows] == [0.5, 0.51]
    assert [row["connection_share"] for row in rows] == [0.25, 0.25]


def test_a_day_is_its_busiest_hour(store: EmbeddedStore) -> None:
    rows = store.query_arrow("SELECT * FROM capacity_days WHERE pop = 'fra1'").to_pylist()
    assert len(rows) == 10
    assert {row["busiest_hour_packets_per_second"] for row in rows} == {400}
    assert {row["busy_share"] for row in rows} == {0.51}


def test_growth_says_when_a_pop_is_full(store: EmbeddedStore) -> None:
    grows, stays = store.query_arrow("SELECT * FROM capacity_growth ORDER BY pop").to_pylist()
    assert (grows["pop"], grows["days"]) == ("ams1", 9)  # not the day that still runs
    assert grows["busy_share"] == pytest.approx(0.59)
    assert grows["packets_per_second_a_day"] == pytest.approx(1)
    assert grows["busy_share_a_day"] == pytest.approx(0.01)
    assert grows["days_to_full"] == pytest.approx(40)
    assert stays["packets_per_second_a_day"] == pytest.approx(0, abs=1e-6)
    assert stays["days_to_full"] is None or stays["days_to_full"] > 1e6


def test_headroom_is_the_least_that_was_left(store: EmbeddedStore) -> None:
    rows = store.query_arrow("SELECT * FROM capacity_headroom ORDER BY pop").to_pylist()
    assert [row["cycles_left"] for row in rows] == pytest.approx([0.4, 0.49])
    assert [row["connections_left"] for row in rows] == [0.75, 0.75]


def test_the_views_can_be_read_read_only(store: EmbeddedStore) -> None:
    with store.read_only(QueryLimits()) as session:
        for view in ("hours", "days", "growth", "headroom"):
            assert session.query(f"SELECT * FROM capacity_{view}", "CSV")


def test_a_day_that_has_just_begun_does_not_make_a_pop_look_empty(store: EmbeddedStore) -> None:
    growth = "SELECT * FROM capacity_growth ORDER BY pop"
    before = store.query(growth, "CSV")
    store.query(
        "INSERT INTO lcore_1h (ts, pop, node, instance, lcore, boot, samples, version, rx_packets,"
        f" busy_cycles, idle_cycles) VALUES (toDateTime({TODAY} + 10800, 'UTC'), 'ams1', 'lb2',"
        " 'lb', '1', 1, 3600, 9, 1, 1, 99)"
    )
    assert store.query(growth, "CSV") == before
