"""What the live page is given: columns from the store, states of nodes, pushes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from pipeline.live import LiveOptions
from pipeline.live.collect import Json, View, affordable, collect, span
from pipeline.live.roster import Roster
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_live_seed import DROPPING, RESTARTED, seed
from tests.unit.pipeline_stores import fresh_store

END = int(time.time()) - 7200  # the seeded story ends with this second
NOW = END + 0.5
OPTIONS = LiveOptions()
ALL, D2 = View(), View("ams", "d2")
Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    seed(store, END)
    yield store
    store.close()


@pytest.fixture(scope="module")
def answer(store: EmbeddedStore) -> Json:
    return collect(store, ALL, span(END, 600), OPTIONS)


def test_a_span_has_at_most_600_buckets_and_ends_now() -> None:
    for seconds in (10, 600, 601, 1800, 3600):
        over = span(NOW, seconds)
        assert over.count <= 600
        assert over.start % over.step == 0
        assert abs(over.start + (over.count - 1) * over.step - NOW) <= over.step


def test_a_span_holds_the_second_that_it_is_asked_for() -> None:
    for now in range(1_800_000_000, 1_800_000_024):
        for seconds in (600, 3600, 7200):
            assert span(now, seconds).until_ms > now * 1000


def test_traffic_has_a_value_for_every_second_of_every_node(answer: Json) -> None:
    assert [node["name"] for node in answer["nodes"]] == ["ams/d1", "ams/d2"]
    for node in answer["nodes"]:
        for column in ("rx", "tx", "rx_bits", "tx_bits"):
            assert len(node[column]) == 600
            assert None not in node[column]
        assert node["rx_bits"][7] == pytest.approx(node["rx"][7] * 700 * 8)


def test_drops_are_counted_to_the_packet(store: EmbeddedStore, answer: Json) -> None:
    stored = store.query("SELECT sum(drop_neighbour_unresolved) FROM lcore_1s", "TabSeparated")
    assert set(answer["drops"]) == {"neighbour_unresolved", "arp_not_for_us"}
    assert sum(answer["drops"]["neighbour_unresolved"]) == int(stored)
    lost = answer["drops"]["neighbour_unresolved"]
    assert sum(1 for packets in lost if packets) == DROPPING


def test_lcores_tell_busy_share_drops_and_packets(answer: Json) -> None:
    names = [lcore["name"] for lcore in answer["lcores"]]
    assert names == [f"ams/{node}/lb/{number}" for node in ("d1", "d2") for number in (1, 2)]
    worst = answer["lcores"][1]
    assert sum(worst["drops"]) > sum(answer["drops"]["neighbour_unresolved"])
    assert all(0 < busy <= 1000 for busy in worst["busy"])


def test_the_law_holds_and_one_lost_packet_shows(store: EmbeddedStore, answer: Json) -> None:
    assert sum(answer["residual"]["packets"]) == 0
    # The first row of each lcore, and of its boot after the restart, has none before it.
    assert sum(answer["residual"]["unjudged"]) == 6
    broken = END - 300
    assert answer["residual"]["packets"][-301] == 0
    change = "INSERT INTO lcore_1s (ts, pop, node, instance, boot, interval_ms, lcore, rx_packets)"
    for second, packets in ((broken - 1, 0), (broken, 3)):
        at = f"toDateTime64({second}, 3, 'UTC')"
        store.query(f"{change} SELECT {at}, 'zrh', 'x', 'lb', 5, 1000, '1', {packets}")
    try:
        again = collect(store, ALL, span(END, 600), OPTIONS)
        assert again["residual"]["packets"][-301] == 3
        assert sum(again["residual"]["packets"]) == 3
        assert sum(collect(store, D2, span(END, 600), OPTIONS)["residual"]["packets"]) == 0
    finally:
        store.query("ALTER TABLE lcore_1s DELETE WHERE pop = 'zrh' SETTINGS mutations_sync = 2")


def test_a_row_after_a_gap_is_not_judged(store: EmbeddedStore) -> None:
    insert = (
        "INSERT INTO lcore_1s (ts, pop, node, instance, boot, interval_ms, lcore, rx_packets,"
        " held_neighbour_queue) SELECT toDateTime64({}, 3, 'UTC'), 'gap', 'x', 'lb', 5, 1000, '1',"
        " {}, {}"
    )
    for second, received, held in ((END - 50, 9, 9), (END - 47, 4, 2), (END - 46, 1, 3)):
        store.query(insert.format(second, received, held))
    try:
        found = collect(store, View("gap", "x"), span(END, 60), OPTIONS)["residual"]
        assert sum(n or 0 for n in found["unjudged"]) == 2
        assert sum(n or 0 for n in found["packets"]) == 0
    finally:
        store.query("ALTER TABLE lcore_1s DELETE WHERE pop = 'gap' SETTINGS mutations_sync = 2")


def test_tables_have_rates_and_levels_and_put_the_worst_first(answer: Json) -> None:
    vips = answer["vips"]
    assert [vip["vip"] for vip in vips] == ["web-443", "dns-53", "web-80"]
    assert vips[0]["packets"] == pytest.approx(2 * 27_000)
    assert vips[0]["drops"] == pytest.approx(2 * 820)
    assert vips[0]["active"] == 2 * 6000
    assert answer["backends"][0]["backend"] == "b3"
    assert answer["backends"][1]["new"] == pytest.approx(2 * 300)


def test_a_row_that_does_not_change_keeps_its_level(store: EmbeddedStore) -> None:
    # The frames leave it out; only the keyframe has it.
    store.query(
        "INSERT INTO vip_abs (ts, pop, node, instance, vip, address, port, protocol,"
        f" active_connections) SELECT toDateTime64({END - 70}, 3, 'UTC'), 'ams', 'd2', 'lb',"
        " 'idle-1', '198.51.100.9', '25', 'tcp', 17"
    )
    found = collect(store, D2, span(END, 60), OPTIONS)["vips"]
    idle = next(vip for vip in found if vip["vip"] == "idle-1")
    assert (idle["packets"], idle["active"]) == (0, 17)


def test_a_restart_and_its_new_configuration_are_one_event(answer: Json) -> None:
    (event,) = answer["events"]
    assert (event["node"], event["restart"], event["generation"]) == ("d1", 1, 7)
    assert abs(event["ms"] / 1000 - (END - RESTARTED)) <= 2


def test_a_selection_shows_one_node(store: EmbeddedStore) -> None:
    found = collect(store, D2, span(END, 600), OPTIONS)
    assert [node["name"] for node in found["nodes"]] == ["ams/d2"]
    assert len(found["lcores"]) == 2
    assert found["vips"][0]["drops"] == pytest.approx(820)
    assert found["events"] == []


def test_wide_buckets_hold_the_same_packets(store: EmbeddedStore, answer: Json) -> None:
    found = collect(store, ALL, span(END, 3600), OPTIONS)
    assert found["step"] == 6
    lost = [packets for packets in found["drops"]["neighbour_unresolved"] if packets]
    assert sum(lost) == sum(answer["drops"]["neighbour_unresolved"])
    rates = [rate for rate in found["nodes"][1]["rx"] if rate]
    fine = answer["nodes"][1]["rx"]
    assert sum(rates) / len(rates) == pytest.approx(sum(fine) / len(fine), rel=0.02)


def test_seconds_without_data_are_empty(store: EmbeddedStore) -> None:
    found = collect(store, ALL, span(END + 300, 600), OPTIONS)
    assert found["nodes"][0]["rx"][-1] is None
    assert found["nodes"][0]["rx"][250] is not None
    nothing = collect(store, ALL, span(END + 9000, 600), OPTIONS)
    assert nothing["nodes"] == nothing["lcores"] == nothing["vips"] == []
    assert nothing["residual"]["packets"] == [None] * 600
    json.dumps(found, allow_nan=False)


def test_a_large_fleet_is_shown_in_part(store: EmbeddedStore) -> None:
    few = LiveOptions(series=1, lcores=3)
    found = collect(store, ALL, span(END, 60), few)
    assert len(found["nodes"]) == 2
    assert found["nodes"][1]["name"] == "other nodes"
    assert len(found["lcores"]) == 3
    assert "ams/d1/lb/2" in [lcore["name"] for lcore in found["lcores"]]  # the one that drops
    assert affordable(store, ALL, END, 600, LiveOptions(rows_budget=400)) == 100
    assert affordable(store, ALL, END, 600, OPTIONS) == 600
    assert affordable(store, ALL, END + 9000, 600, OPTIONS) == 600


def test_nodes_are_up_silent_dead_or_stopped(store: EmbeddedStore) -> None:
    roster = Roster(store, OPTIONS)
    assert roster.report(END * 1000, ALL)["age_ms"] is None
    roster.refresh(END * 1000 + 500)
    report = roster.report(END * 1000 + 500, ALL)
    assert report["states"] == {"live": 2}
    assert report["names"] == ["ams/d1", "ams/d2"]
    assert report["age_ms"] == 480
    assert [row["generation"] for row in report["instances"]] == [7, 6]
    late = roster.report(END * 1000 + 9000, D2)
    assert late["states"] == {"silent": 2}
    assert [(row["node"], row["silent_ms"]) for row in late["instances"]] == [("d2", 8980)]


@pytest.mark.parametrize(("state", "after", "shown"), [
    ("dead", 1000, "dead"), ("stopped", 1000, "stopped"), ("stopped", 60_000, "stopped"),
    ("dead", 60_000, "silent"), ("odd", 1000, "dead"),
])  # fmt: skip
def test_an_instance_is_in_the_worst_state_that_is_known(
    store: EmbeddedStore, state: str, after: int, shown: str
) -> None:
    insert = (
        "INSERT INTO instances (ts, pop, node, instance, boot, state, start)"
        f" SELECT toDateTime64({END}, 3, 'UTC'), 'bru', 'd9', 'lb', 1, "
    )
    try:
        # The boot before it is dead and still reported: it does not count.
        store.query(f"{insert} 'live', toDateTime64({END - 900}, 3, 'UTC')")
        store.query(f"{insert} '{state}', toDateTime64({END - 100}, 3, 'UTC')")
        roster = Roster(store, OPTIONS)
        roster.refresh(END * 1000 + after)
        report = roster.report(END * 1000 + after, View("bru", "d9"))
        assert report["instances"][0]["state"] == shown
    finally:
        store.query("ALTER TABLE instances DELETE WHERE pop = 'bru' SETTINGS mutations_sync = 2")
