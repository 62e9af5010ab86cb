"""Every rule, in SQL and in PromQL, on scenarios that must fire and on near misses."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts import promtests
from alerts.errors import ScenarioError
from alerts.model import Alert, load, named
from alerts.play import Stage, firing, scratch_store, stage
from alerts.prometheus import run_tool
from alerts.scenarios import Rows, Scenario, scenarios
from alerts.seed import seed
from dashboards.macros import TimeRange, expand
from pipeline.store.embedded import EmbeddedStore

IN_SQL = [a for a in load() if a.sql]
# Their value depends on the day on which the test runs.
WITH_TODAYS_DATE = {"PopscopePopFullSoon"}
IN_PROMQL = [a for a in load() if a.promql]


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    with scratch_store() as found:
        yield found


@pytest.fixture(scope="module")
def played(store: EmbeddedStore) -> Iterator[Stage]:
    with stage(store, scenarios()) as found:
        yield found


@pytest.mark.parametrize("alert", IN_SQL, ids=lambda a: a.name)
def test_sql_scenarios(played: Stage, alert: Alert) -> None:
    outcomes = played.judge(alert)
    assert outcomes
    assert [(o.scenario, o.problem) for o in outcomes if o.problem] == []


@pytest.mark.parametrize("alert", IN_PROMQL, ids=lambda a: a.name)
def test_promql_scenarios(tmp_path: Path, alert: Alert) -> None:
    outcomes = promtests.run(tmp_path, [alert], scenarios())
    assert outcomes
    assert [o.problem for o in outcomes if o.problem] == []


@pytest.mark.parametrize("alert", load(), ids=lambda a: a.name)
def test_every_form_has_a_scenario_that_fires_and_a_near_miss(alert: Alert) -> None:
    mine = [s for s in scenarios() if s.alert is alert]
    for rule, of_form in (
        (alert.sql, [s for s in mine if s.rows]),
        (alert.promql, [s for s in mine if s.series]),
    ):
        assert {s.fires for s in of_form} == ({True, False} if rule else set())
    said = any(e.says for s in mine for i in s.instants for e in i.fires)
    assert said or alert.name in WITH_TODAYS_DATE


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("PopscopePacketsDropped", ", 1, 100)", ", 5, 100)"),
        ("PopscopePacketsDropped", ", 1, 100)", ", 0, 100)"),
        ("PopscopePacketsDropped", ", 1, 100)", ", 1, 200)"),
        ("PopscopePacketsDropped", "watermark - INTERVAL", "$__toTime - INTERVAL"),
        ("PopscopeLedgerResidual", "held_neighbour_queue", "0"),
        ("PopscopeExporterSilent", "'late'", "'none'"),
        ("PopscopeCoreDead", "= 'dead'", "!= 'live'"),
        ("PopscopeLcoreStuck", "sum(loop_iterations)", "sum(rx_packets)"),
        ("PopscopeSynFlood", "vip_abs", "vip_1s"),
        ("PopscopeTrafficCollapse", "LEFT JOIN", "INNER JOIN"),
        ("PopscopeVipNotAdvertised", "'maintenance', ", ""),
        ("PopscopeErrorBudgetBurnsSlowly", "INTERVAL 21600", "INTERVAL 259200"),
    ],
)
def test_a_changed_query_fails_a_scenario(played: Stage, name: str, old: str, new: str) -> None:
    rule = named(name)
    assert old in rule.sql
    assert any(
        o.problem for o in played.judge(dataclasses.replace(rule, sql=rule.sql.replace(old, new)))
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"threshold": 0.96}, "fires nothing"),
        ({"threshold": 0.8}, "and should not"),
        ({"wait": 0}, "pending nothing"),
        (
            {"summary": "Lcore {{ $labels.lcore }} is {{ $value }} busy"},
            "it says 'Lcore 1 is 0.95 busy'",
        ),
    ],
)
def test_a_changed_rule_is_told_from_the_right_one(
    played: Stage, change: dict[str, object], says: str
) -> None:
    changed = dataclasses.replace(named("PopscopeLcoreSaturated"), **change)  # type: ignore[arg-type]
    assert any(says in o.problem for o in played.judge(changed))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[60s])) > 1\n", "[60s])) > 10\n"),
        ("[60s])) > 1\n", "[60s])) >= 1\n"),
        ("[60s])) > 100\n", "[60s])) > 50\n"),
        ("keep_firing_for: 60s", "keep_firing_for: 600s"),
        ("for the reason", "because of"),
    ],
)
def test_a_changed_rule_fails_its_promtool_tests(tmp_path: Path, old: str, new: str) -> None:
    """The scenarios hold the floors from both sides, and the texts."""
    rule = named("PopscopePacketsDropped")
    assert promtests.run(tmp_path, [rule], scenarios())
    rules = tmp_path / promtests.PROMETHEUS
    assert old in rules.read_text()
    rules.write_text(rules.read_text().replace(old, new))
    files = [str(p) for p in tmp_path.glob("*.test.yml")]
    with pytest.raises(promtests.ToolError, match="FAILED"):
        run_tool(["promtool", "test", "rules", *files])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("toString(lcore)", "toUInt16(lcore)", "must be a wide series but got type not"),
        ("SELECT pop,", "SELECT $__toTime AS time, pop,", "got type long"),
        ("SELECT pop,", "SELECT pop, popp,", "popp"),
        ("$__timeFilter(ts)", "$__conditionalAll(1, $pop)", "conditionalAll"),
    ],
)
def test_what_grafana_cannot_evaluate_is_a_problem(
    played: Stage, old: str, new: str, says: str
) -> None:
    rule = named("PopscopeLedgerResidual")
    assert old in rule.sql
    outcomes = played.judge(dataclasses.replace(rule, sql=rule.sql.replace(old, new)))
    assert says in outcomes[0].problem


def test_rows_that_the_schema_does_not_have_are_named(store: EmbeddedStore) -> None:
    rows = (Rows("lcore_1s", 0, 1, 1, {"drop_gremlins": 1}),)
    strange = Scenario(named("PopscopePacketsDropped"), "x", rows, (), 1, ())
    with pytest.raises(ScenarioError, match=r"lcore_1s.*drop_gremlins"):
        seed(store, [(9_999, strange)], int(time.time()))


def test_without_data_nothing_fires(played: Stage) -> None:
    """A year before all scenarios: no rule takes nothing for something."""
    now = played.zero - 365 * 86_400
    clockless = [a for a in IN_SQL if "capacity_" not in a.sql]
    assert [a.name for a in clockless if firing(played.session, a, now)] == []


def test_the_search_for_silence_does_not_read_the_day(store: EmbeddedStore) -> None:
    """The last test: it empties a table of the store that all share."""
    rule, now = named("PopscopeExporterSilent"), int(time.time())
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
