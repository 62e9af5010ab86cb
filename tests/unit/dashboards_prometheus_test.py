"""The set for Prometheus: its rules compute what they say, and its dashboard asks what exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dashboards import recording
from dashboards.boards import prometheus
from dashboards.grafana import load_rendered
from dashboards.render import PROMETHEUS_FOLDER, RENDERED
from tests.contract.names_catalogue_test import exporter_metrics
from tests.unit.dashboards_lint_test import SCHEMA

FILE = RENDERED / PROMETHEUS_FOLDER / "recording.rules.yml"
LCORE = 'pop="ams",node="d1",instance="core0",lcore="{}"'
NODE = '{node="d1", pop="ams"}'
# Two lcores, what each counts in 10 s.
COUNTS = {"rx_packets": 10_000, "tx_packets": 9_900, "rx_bytes": 640_000, "tx_bytes": 600_000}
# Series, and its value.
RECORDED = {
    f"node:popscope_rx_packets:rate1m{NODE}": 2_000,
    f"node:popscope_tx_packets:rate1m{NODE}": 1_980,
    f"node:popscope_rx_bytes:rate1m{NODE}": 128_000,
    'lcore:popscope_busy:ratio_rate1m{instance="core0", lcore="1", node="d1", pop="ams"}': 0.25,
    'lcore:popscope_busy:ratio_rate1m{instance="core0", lcore="2", node="d1", pop="ams"}': 0.5,
    'node_reason:popscope_dropped_packets:rate1m{node="d1", pop="ams", reason="no_backend"}': 20,
    f"node:popscope_dropped_packets:rate1m{NODE}": 20,
    f"node:popscope_loss:ratio_rate1m{NODE}": 0.01,
    f"node:popscope_connections:sum{NODE}": 350,
    f"node:popscope_connection_table:max_ratio{NODE}": 0.2,
}


def run(*arguments: str) -> str:
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _series() -> list[dict[str, str]]:
    found = []
    for lcore, busy, connections in ((1, 25, 100), (2, 50, 250)):
        labels = LCORE.format(lcore)
        steps = {
            **{f"{name}_total": amount for name, amount in COUNTS.items()},
            "busy_cycles_total": busy,
            "idle_cycles_total": 75 if lcore == 1 else 50,
        }
        found += [
            {"series": f"popscope_lcore_{name}{{{labels}}}", "values": f"0+{step}x20"}
            for name, step in steps.items()
        ]
        dropped = f'popscope_lcore_dropped_packets_total{{{labels},reason="no_backend"}}'
        found.append({"series": dropped, "values": "0+100x20"})
        for name, value in (("active", connections), ("max", 1_000 if lcore == 1 else 1_250)):
            metric = f"popscope_lcore_{name}_connections{{{labels}}}"
            found.append({"series": metric, "values": f"{value}+0x20"})
    return found


def test_recorded_series_are_what_was_counted(tmp_path: Path) -> None:
    assert "14 rules found" in run("check", "rules", str(FILE))
    cases: list[dict[str, Any]] = [
        {
            "expr": series,
            "eval_time": "2m",
            "exp_samples": [{"labels": series, "value": value}],
        }
        for series, value in RECORDED.items()
    ]
    test = {
        "rule_files": [str(FILE)],
        "evaluation_interval": "10s",
        "tests": [
            {"interval": "10s", "input_series": _series(), "promql_expr_test": cases},
        ],
    }
    path = tmp_path / "recording.test.yml"
    path.write_text(yaml.safe_dump(test))
    run("test", "rules", str(path))


def test_the_rules_read_what_the_exporter_serves() -> None:
    ours = {rule.name for rule in recording.rules()}
    for rule in recording.rules():
        named = set(re.findall(r"[\w:]*popscope_[\w:]+", rule.expr))
        assert named
        assert named <= exporter_metrics() | ours, rule.name


def _asked() -> dict[str, str]:
    return {
        f"{panel.title}: {legend}": expr
        for panel in prometheus.board().panels
        for legend, expr in panel.promql
    }


def test_the_dashboard_asks_what_exists_in_words_that_prometheus_reads(tmp_path: Path) -> None:
    known = exporter_metrics() | {rule.name for rule in recording.rules()}
    rules = []
    for where, asked in _asked().items():
        expr = asked.replace("$pop", "ams").replace("$node", "d1")
        named = set(re.findall(r"[\w:]*popscope_[\w:]+", expr))
        assert named, where
        assert named <= known, where
        rules.append({"record": "asked", "expr": expr, "labels": {"at": where}})
    path = tmp_path / "asked.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run("check", "rules", str(path))


def test_every_recorded_series_of_a_node_is_shown() -> None:
    shown = " ".join(_asked().values())
    hidden = [r.name for r in recording.rules() if r.name not in shown]
    assert hidden == ["node:popscope_dropped_packets:rate1m", "vip:popscope_dropped_packets:rate1m"]


@pytest.mark.parametrize("name", ["node.json"])
def test_the_dashboard_fits_the_schema(name: str) -> None:
    tree = load_rendered(RENDERED / PROMETHEUS_FOLDER)[name]
    errors = [e.message for e in Draft202012Validator(SCHEMA).iter_errors(tree)]
    assert errors == []
