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
from alerts.pieces import reasons
from alerts.render import PROMETHEUS, RENDERED
from alerts.scenarios import scenarios
from dashboards import sql as sql_of_dashboards
from dashboards.macros import ALL, TimeRange, expand, interpolate
from dashboards.render import boards
from exporters.metrics import FAULTS, TOTALS
from lb.catalogue import load as load_catalogue
from pipeline.metrics import Metrics
from tests.unit.dashboards_seed import Seed, seeded

RUNBOOK = Path(__file__).parents[2] / "alerts" / "README.md"
QUIET = Path(dashboards.__file__).with_name("quiet.toml")
VARIABLES = {name: [ALL] for name in sql_of_dashboards.VARIABLES}
# What Prometheus itself makes.
SYNTHETIC = {"up", "ALERTS"}
_TABLE = re.compile(r"TABLE id: (\d+),.*?table_name: popscope\.(\w+)")
_COLUMN = re.compile(r"COLUMN id: \d+, column_name: (\w+), .*?source_id: (\d+)")
_METRIC = re.compile(r"\b(popscope_\w+|up)\b")
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
    rules = (a.sql for a in load() if a.sql)
    return {c for sql in (*board_queries, *rules) for c in columns(seed, sql)}


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
    """Names of the samples that exporter and pipeline serve: the catalogue's, and their own."""
    names: set[str] = set()
    for c in load_catalogue().counters:
        names |= {c.family + s for s in _suffixes(c.kind)}
    source = (Path(__file__).parents[2] / "exporters" / "metrics.py").read_text()
    own = set(re.findall(r'"(popscope_(?:instance|lcore|exporter)_\w+)"', source)) | {
        "popscope_instance_info"
    }
    own |= {f"popscope_exporter_{n}_total" for n in (*TOTALS, "missed_ticks")}
    own |= {f"popscope_exporter_spool_{n}_total" for n in FAULTS}
    own |= {f"popscope_exporter_{n}" for n in re.findall(r'\("(spool_\w+)", "', source)}
    return names | own | pipeline_metrics()


def pipeline_metrics() -> set[str]:
    """As the pipeline's registry describes them."""
    return {
        family.name + suffix
        for family in Metrics().registry.collect()
        for suffix in _suffixes(family.type)
    }


def _suffixes(kind: str) -> tuple[str, ...]:
    return {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[
        kind
    ]


@pytest.mark.parametrize("alert", [a for a in load() if a.promql], ids=lambda a: a.name)
def test_metrics_of_an_alert_exist(alert: Alert) -> None:
    named = set(_METRIC.findall(alert.promql))
    assert named, alert.promql
    assert named <= exporter_metrics() | SYNTHETIC


def test_series_of_the_scenarios_exist() -> None:
    """A test that feeds a metric which nobody exports would prove nothing."""
    reasons = {dict(c.labels).get("reason") for c in load_catalogue().ledger("drop")}
    for scenario in scenarios():
        for series, _ in scenario.series:
            name, _, labels = series.partition("{")
            assert name in exporter_metrics() | SYNTHETIC
            reason = re.search(r'reason="(\w+)"', labels)
            assert reason is None or reason[1] in reasons


def test_panels_of_alerts_exist() -> None:
    panels = {(b.uid, p.id) for b in boards().values() for p in b.panels}
    assert {(a.board, a.panel) for a in load()} <= panels


def test_the_runbook_speaks_of_panels_that_exist() -> None:
    titles = {p.title for b in boards().values() for p in b.panels}
    marks = {a.name for b in boards().values() for a in b.annotations}
    for alert in load():
        for said in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", alert.look):
            assert any(t.startswith(said) for t in titles | marks), f"{alert.name}: {said}"


def test_reasons_of_the_runbook_are_in_the_catalogue() -> None:
    known = {dict(c.labels)["reason"] for c in load_catalogue().ledger("drop")}
    assert {r.name for r in reasons()} < known
    assert {r.service for r in reasons()} == {True, False}


def test_every_alert_is_rendered() -> None:
    groups = yaml.safe_load((RENDERED / PROMETHEUS).read_text())["groups"]
    names = [rule["alert"] for group in groups for rule in group["rules"]]
    assert names == [a.name for a in load() if a.promql]
    assert all(f"\n## {a.name}\n" in RUNBOOK.read_text() for a in load())


def test_metrics_are_found_wherever_they_stand() -> None:
    found = _METRIC.findall('rate(popscope_x_total{a="b"}[1m]) > 1 or popscope_y != 0')
    assert found == ["popscope_x_total", "popscope_y"]
