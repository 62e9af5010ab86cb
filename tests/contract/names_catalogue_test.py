"""The keystone: dashboards and alerts name only what exists, and show all that is counted."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import dashboards
from alerts.model import Alert, load
from alerts.render import PROMETHEUS, RENDERED
from dashboards.macros import ALL, TimeRange, expand, interpolate
from dashboards.render import boards
from lb.catalogue import load as load_catalogue
from tests.unit.dashboards_seed import Seed, seeded

TESTS = Path(__file__).parents[1] / "alerts"
RUNBOOK = Path(__file__).parents[2] / "alerts" / "README.md"
QUIET = Path(dashboards.__file__).with_name("quiet.toml")
VARIABLES = {name: [ALL] for name in ("pop", "node", "instance", "lcore")}
# What Prometheus itself makes.
SYNTHETIC = {"up", "ALERTS"}
_TABLE = re.compile(r"TABLE id: (\d+),.*?table_name: popscope\.(\w+)")
_COLUMN = re.compile(r"COLUMN id: \d+, column_name: (\w+), .*?source_id: (\d+)")
_METRIC = re.compile(r"\b(popscope_\w+|up)\b(?=\s*[{\[=!<>]|\s*$|\s*>)")
_LEVEL = re.compile(r"_(1s|1m|1h|abs)$")


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded(tmp_path_factory.mktemp("store"), fill=False) as found:
        yield found


def columns(seed: Seed, sql: str) -> set[tuple[str, str]]:
    """Scope and column of every column of a table that a query uses, as ClickHouse resolves it."""
    now = seed.now * 1_000
    text = expand(interpolate(sql, VARIABLES), TimeRange(now - 1_800_000, now))
    tree = seed.store.query(f"EXPLAIN QUERY TREE {text}", "TSVRaw").decode()
    tables = {number: _LEVEL.sub("", name) for number, name in _TABLE.findall(tree)}
    return {(tables[source], name) for name, source in _COLUMN.findall(tree) if source in tables}


def shown(seed: Seed) -> set[tuple[str, str]]:
    board_queries = (i.sql for b in boards().values() for i in (*b.panels, *b.annotations))
    return {c for sql in (*board_queries, *(a.sql for a in load())) for c in columns(seed, sql)}


def catalogue() -> set[tuple[str, str]]:
    return {(c.scope, c.id) for c in load_catalogue().counters}


def quiet() -> dict[str, str]:
    found: dict[str, str] = tomllib.loads(QUIET.read_text())["quiet"]
    return found


def test_every_counter_is_shown_or_quiet_with_a_reason(seed: Seed) -> None:
    silent = {tuple(name.split(".")) for name in quiet()}
    missing = catalogue() - shown(seed) - silent
    assert not missing, f"show it, alert on it, or list it in dashboards/quiet.toml: {missing}"


def test_quiet_list_is_of_counters_that_exist_and_are_not_shown(seed: Seed) -> None:
    silent = {tuple(name.split(".")) for name in quiet()}
    assert silent <= catalogue()
    assert not silent & shown(seed)
    assert all(len(reason) >= 20 for reason in quiet().values())


def exporter_metrics() -> set[str]:
    """Names of the samples that the exporter serves: the catalogue's, and its own."""
    names: set[str] = set()
    for c in load_catalogue().counters:
        names |= {c.family + s for s in _suffixes(c.kind)}
    source = (Path(__file__).parents[2] / "exporters" / "metrics.py").read_text()
    return names | set(re.findall(r'"(popscope_(?:instance|lcore)_\w+)"', source))


def _suffixes(kind: str) -> tuple[str, ...]:
    return {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[
        kind
    ]


@pytest.mark.parametrize("alert", load(), ids=lambda a: a.name)
def test_metrics_of_an_alert_exist(alert: Alert) -> None:
    named = set(_METRIC.findall(alert.promql))
    assert named, alert.promql
    assert named <= exporter_metrics() | SYNTHETIC


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.yml")), ids=lambda p: p.name)
def test_series_of_the_unit_tests_exist(path: Path) -> None:
    """A test that feeds a metric which nobody exports would prove nothing."""
    reasons = {dict(c.labels).get("reason") for c in load_catalogue().ledger("drop")}
    for test in yaml.safe_load(path.read_text())["tests"]:
        for item in test["input_series"]:
            name, _, labels = item["series"].partition("{")
            assert name in exporter_metrics() | SYNTHETIC
            reason = re.search(r'reason="(\w+)"', labels)
            assert reason is None or reason[1] in reasons


@pytest.mark.parametrize("alert", load(), ids=lambda a: a.name)
def test_alert_has_a_runbook_a_firing_test_and_a_near_miss(alert: Alert) -> None:
    assert f"\n## {alert.name}\n" in RUNBOOK.read_text()
    assert any(s.fires for s in alert.scenarios), "no scenario in SQL that fires"
    assert any(not s.fires for s in alert.scenarios), "no near miss in SQL"
    expected = [
        bool(case["exp_alerts"])
        for path in TESTS.glob("*.test.yml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == alert.name
    ]
    assert True in expected
    assert False in expected


def test_panels_of_alerts_exist() -> None:
    numbers = {p.id for b in boards().values() for p in b.panels}
    assert {a.panel for a in load()} <= numbers


def test_reasons_of_the_drop_alert_are_in_the_catalogue() -> None:
    rules = tomllib.loads((RENDERED.parent / "rules" / "drops.toml").read_text())["alert"][0]
    reasons = {dict(c.labels)["reason"] for c in load_catalogue().ledger("drop")}
    assert set(rules["service"]) < reasons


def test_every_alert_is_rendered() -> None:
    groups = yaml.safe_load((RENDERED / PROMETHEUS).read_text())["groups"]
    names = [rule["alert"] for group in groups for rule in group["rules"]]
    assert names == [a.name for a in load()]


def test_metrics_are_found_wherever_they_stand() -> None:
    found = _METRIC.findall('rate(popscope_x_total{a="b"}[1m]) > 1 or popscope_y != 0')
    assert found == ["popscope_x_total", "popscope_y"]
