"""The SQL of the Grafana rules, on data that must fire and data that must not."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator

import pytest

from alerts.errors import ScenarioError
from alerts.model import Alert, Scenario, load
from alerts.scenarios import TABLES, firing, run, scratch_store, seed
from dashboards.macros import TimeRange, expand
from pipeline.store.embedded import EmbeddedStore
from tests.unit.dashboards_seed import Seed, fill_raw, fill_state

CASES = [(a, s) for a in load() for s in a.scenarios]


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    with scratch_store() as found:
        yield found


def alert(name: str) -> Alert:
    return next(a for a in load() if a.name == name)


@pytest.mark.parametrize(("rule", "scenario"), CASES, ids=[f"{a.area}: {s.name}" for a, s in CASES])
def test_scenario(store: EmbeddedStore, rule: Alert, scenario: Scenario) -> None:
    assert run(store, rule, scenario).problem == ""


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("PopscopePacketsDropped", ", 1, 100)", ", 5, 100)"),
        ("PopscopePacketsDropped", ", 1, 100)", ", 0, 100)"),
        ("PopscopePacketsDropped", ", 1, 100)", ", 1, 200)"),
        ("PopscopePacketsDropped", "watermark - INTERVAL", "now() - INTERVAL"),
        ("PopscopeLedgerResidual", "held_neighbour_queue", "0"),
        ("PopscopeExporterSilent", "'late'", "'none'"),
    ],
)
def test_a_changed_query_fails_a_scenario(
    store: EmbeddedStore, name: str, old: str, new: str
) -> None:
    rule = alert(name)
    assert old in rule.sql
    changed = dataclasses.replace(rule, sql=rule.sql.replace(old, new))
    assert any(run(store, changed, s).problem for s in rule.scenarios)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("toString(lcore)", "toUInt16(lcore)", "must be a wide series but got type not"),
        ("SELECT pop,", "SELECT now() AS time, pop,", "got type long"),
        ("SELECT pop,", "SELECT pop, popp,", "popp"),
        ("$__timeFilter(ts)", "$__conditionalAll(1, $pop)", "conditionalAll"),
    ],
)
def test_what_grafana_cannot_evaluate_is_a_problem(
    store: EmbeddedStore, old: str, new: str, says: str
) -> None:
    rule = alert("PopscopeLedgerResidual")
    assert old in rule.sql
    changed = dataclasses.replace(rule, sql=rule.sql.replace(old, new))
    outcome = run(store, changed, rule.scenarios[0])
    assert says in outcome.problem


def test_no_data_is_no_alert(store: EmbeddedStore) -> None:
    for table in TABLES:
        store.query(f"TRUNCATE TABLE popscope.{table}", "Null")
    assert [firing(store, rule, int(time.time())) for rule in load()] == [[], [], []]


def test_a_counter_that_does_not_exist_is_named(store: EmbeddedStore) -> None:
    rule = alert("PopscopePacketsDropped")
    strange = dataclasses.replace(rule.scenarios[0], increments={"drop_gremlins": 1})
    with pytest.raises(ScenarioError, match="drop_gremlins"):
        seed(store, strange, int(time.time()))


def test_each_node_is_judged_at_its_own_watermark(store: EmbeddedStore) -> None:
    """A node whose data ends 4 minutes ago is judged there, beside one that is up to date."""
    rule, now = alert("PopscopePacketsDropped"), int(time.time())
    for table in TABLES:
        store.query(f"TRUNCATE TABLE popscope.{table}", "Null")
    quiet = {"drop_no_backend": 0, "drop_arp_not_for_us": 0}
    fresh = Seed(store, now, quiet, (("ams", "ams-d1"),))
    late = Seed(store, now - 240, {**quiet, "drop_no_backend": 9}, (("fra", "fra-d2"),))
    for data in (fresh, late):
        fill_state(data, 120)
        fill_raw(data, "lcore", 120)
    fired = firing(store, rule, now)
    assert {(f["node"], f["lcore"], f["reason"]) for f in fired} == {
        ("fra-d2", "1", "no_backend"),
        ("fra-d2", "2", "no_backend"),
    }


def test_the_search_for_silence_does_not_read_the_day(store: EmbeddedStore) -> None:
    rule, now = alert("PopscopeExporterSilent"), int(time.time())
    store.query("TRUNCATE TABLE popscope.frames", "Null")
    store.query(
        "INSERT INTO popscope.frames (stream, seq, first, exporter, pop, node, ts, stored_at) "
        "SELECT number % 4, n, n, 'ams/x', 'ams', 'x', at, at FROM (SELECT number, "
        "intDiv(number, 4) AS n, fromUnixTimestamp64Milli(1000 * toInt64("
        f"{now} - 86400 + n)) AS at FROM numbers(4 * 86400))",
        "Null",
    )
    sql = expand(rule.sql, TimeRange((now - rule.lookback) * 1_000, now * 1_000))
    plan = store.query(f"EXPLAIN indexes = 1 {sql}", "TSVRaw").decode()
    parts = re.findall(r"by_(ts|stored_at).*?Granules: (\d+)/(\d+)", plan, re.S)
    assert {name for name, _, _ in parts} == {"ts", "stored_at"}, plan
    read = {name: int(read) for name, read, _ in parts}
    all_ = store.query(
        "SELECT sum(marks) FROM system.parts WHERE table = 'frames' AND active", "TSV"
    )
    assert int(all_) > 40
    assert read["ts"] <= 16, "four streams of an hour each, and what shares a granule with it"
    assert read["stored_at"] <= 8
