"""What verify says of a Grafana, against the stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from alerts.cli import alerts
from dashboards.cli import dashboards
from dashboards.render import boards
from tests.unit.dashboards_grafana_stub import TOKEN, State, running


@pytest.fixture
def grafana() -> Iterator[State]:
    with running() as state:
        prepare(state)
        yield state


def prepare(state: State) -> None:
    """Everything is pushed: the data source, the dashboards, the rules."""
    common = ["--url", state.url, "--token", TOKEN]
    for group, more in ((dashboards, ["--clickhouse", "http://127.0.0.1:8123"]), (alerts, [])):
        assert CliRunner().invoke(group, ["push", *common, *more]).exit_code == 0
    state.calls.clear()


def verify(state: State, *more: str) -> Result:
    arguments = ["verify", "--url", state.url, "--token", TOKEN, "--json", *more]
    return CliRunner().invoke(dashboards, arguments)


def found(result: Result) -> dict[str, tuple[str, str]]:
    return {f["check"]: (f["state"], f["detail"]) for f in json.loads(result.output)}


def test_verify_finds_a_good_grafana_good(grafana: State) -> None:
    result = verify(grafana)
    assert result.exit_code == 0, result.output
    checks = found(result)
    assert list(checks)[:3] == ["version", "plugin", "data source"]
    assert {state for state, _ in checks.values()} == {"ok"}
    parts = sum(len(b.panels) + len(b.variables) + len(b.annotations) for b in boards().values())
    rules = sum(len(g["rules"]) for g in grafana.alerting.groups.values())
    assert len(json.loads(result.output)) == 3 + parts + rules
    assert grafana.writes == []


@pytest.mark.parametrize(
    ("state", "check", "says"),
    [
        (State(version="11.5.2"), "version", "older"),
        (State(plugin=False), "plugin", "grafana cli plugins install"),
        (State(healthy=False), "data source", "connection refused"),
        (
            State(broken_sql="rx_missed_packets"),
            "Popscope: lcores and ports: Loss at the ports",
            "code: 47",
        ),
    ],
)
def test_verify_says_what_is_wrong(state: State, check: str, says: str) -> None:
    with running(state) as grafana:
        prepare(grafana)
        result = verify(grafana)
    assert result.exit_code == 1
    outcome, detail = found(result)[check]
    assert (outcome, says in detail) == ("failed", True)


def test_verify_tells_empty_from_failed() -> None:
    with running(State(empty_sql="popscope.vip_1s")) as grafana:
        prepare(grafana)
        result = verify(grafana)
    assert result.exit_code == 0
    checks = found(result)
    assert checks["Popscope: VIPs: VIPs"][0] == "empty"
    assert checks["Popscope: backends: Backends"][0] == "ok"


def test_verify_tells_the_health_of_each_rule(grafana: State) -> None:
    titles = [r["title"] for g in grafana.alerting.groups.values() for r in g["rules"]]
    grafana.alerting.health[titles[0]] = ("error", "code: 60, no such table")
    result = verify(grafana)
    assert result.exit_code == 1
    assert found(result)[f"rule {titles[0]}"] == ("failed", "code: 60, no such table")
    grafana.alerting.health[titles[0]] = ("nodata", "")
    assert found(verify(grafana))[f"rule {titles[0]}"][0] == "empty"
    grafana.alerting.groups.clear()
    assert found(verify(grafana))["rules"] == ("empty", "no rules: popscope alerts push")


def test_verify_without_the_data_source_says_which(grafana: State) -> None:
    result = verify(grafana, "--datasource", "other")
    assert result.exit_code == 1
    assert "no data source with the uid other" in result.output
