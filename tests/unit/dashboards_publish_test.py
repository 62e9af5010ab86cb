"""Publishing to, and verifying, a Grafana: against a stub that refuses what Grafana refuses."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from alerts.cli import alerts
from alerts.model import load
from dashboards.cli import dashboards
from dashboards.grafana import connect, contains, load_rendered, publish
from dashboards.render import RENDERED
from tests.unit.dashboards_grafana_stub import TOKEN, State, running

GROUPS = {f"popscope.{a.area}" for a in load() if a.sql}


@pytest.fixture
def grafana() -> Iterator[State]:
    with running() as state:
        yield state


def call(group: object, state: State, command: str, *more: str, token: str = TOKEN) -> Result:
    return CliRunner().invoke(
        group,  # type: ignore[arg-type]
        [command, "--url", state.url, "--token", token, "--json", *more],
    )


def changes(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [row["change"] for row in json.loads(result.output)]


def test_publishing_twice_changes_nothing_the_second_time(grafana: State) -> None:
    assert set(changes(call(dashboards, grafana, "publish"))) == {"created"}
    grafana.calls.clear()
    assert set(changes(call(dashboards, grafana, "publish"))) == {"unchanged"}
    assert grafana.writes == []


def test_a_dashboard_edited_in_grafana_is_brought_back(grafana: State) -> None:
    call(dashboards, grafana, "publish")
    grafana.dashboards["popscope-node"]["dashboard"]["panels"].pop()
    assert changes(call(dashboards, grafana, "publish")) == ["unchanged", "updated"]
    ours = load_rendered(RENDERED)["node.json"]
    assert contains(grafana.dashboards["popscope-node"]["dashboard"], ours)
    assert grafana.dashboards["popscope-node"]["dashboard"]["version"] == 2


def test_a_dashboard_in_another_folder_is_moved(grafana: State) -> None:
    call(dashboards, grafana, "publish")
    grafana.dashboards["popscope-node"]["meta"]["folderUid"] = "elsewhere"
    assert changes(call(dashboards, grafana, "publish")) == ["unchanged", "updated"]


def test_rules_are_published_once_and_pruned(grafana: State) -> None:
    assert set(changes(call(alerts, grafana, "publish"))) == {"created"}
    assert set(grafana.groups) == GROUPS
    grafana.calls.clear()
    assert set(changes(call(alerts, grafana, "publish"))) == {"unchanged"}
    assert grafana.writes == []
    ours = len(grafana.groups["popscope.dataplane"]["rules"])
    extra = {**grafana.groups["popscope.dataplane"]["rules"][0], "uid": "old", "title": "Old"}
    grafana.groups["popscope.dataplane"]["rules"].append(extra)
    assert changes(call(alerts, grafana, "publish")).count("updated") == 1
    assert len(grafana.groups["popscope.dataplane"]["rules"]) == ours


def test_rules_use_the_data_source_that_was_asked_for(grafana: State) -> None:
    call(alerts, grafana, "publish", "--datasource", "mine")
    queries = [q for g in grafana.groups.values() for r in g["rules"] for q in r["data"]]
    sources = {(q["datasourceUid"], q["model"]["datasource"]["uid"]) for q in queries}
    assert sources == {("mine", "mine"), ("__expr__", "__expr__")}


def test_rules_that_belong_to_a_file_are_left_alone_and_said(grafana: State) -> None:
    call(alerts, grafana, "publish")
    grafana.groups["popscope.dataplane"]["rules"][0]["provenance"] = "file"
    grafana.groups["popscope.dataplane"]["rules"][0]["title"] = "changed"
    result = call(alerts, grafana, "publish")
    assert result.exit_code == 1
    assert "write the group popscope.dataplane: " in result.output
    assert "cannot change provenance" in result.output


def test_a_wrong_token_is_explained(grafana: State) -> None:
    result = call(dashboards, grafana, "publish", token="wrong")
    assert result.exit_code == 1
    assert "service account with the role Editor" in result.output
    assert grafana.writes == []


@pytest.mark.parametrize("command", ["publish", "verify"])
def test_a_grafana_that_is_not_there_is_one_error(command: str) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, nobody else gets it
        taken.bind(("127.0.0.1", 0))
        nowhere = State(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        result = call(dashboards, nowhere, command)
    assert result.exit_code == 1
    assert result.output.count("cannot be reached") == 1


def test_verify_finds_a_good_grafana_good(grafana: State) -> None:
    result = call(dashboards, grafana, "verify")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert [f["check"] for f in found[:3]] == ["version", "plugin", "data source"]
    assert {f["state"] for f in found} == {"ok"}
    panels = [p for p in load_rendered(RENDERED)["node.json"]["panels"] if p["type"] != "row"]
    assert len(found) == 3 + len(panels)
    assert grafana.writes == []


@pytest.mark.parametrize(
    ("state", "check", "says"),
    [
        (State(version="11.5.2"), "version", "older"),
        (State(plugin=False), "plugin", "grafana cli plugins install"),
        (State(healthy=False), "data source", "connection refused"),
        (State(broken_sql="rx_missed_packets"), "Loss at the ports", "code: 47"),
    ],
)
def test_verify_says_what_is_wrong(state: State, check: str, says: str) -> None:
    with running(state) as grafana:
        result = call(dashboards, grafana, "verify")
    assert result.exit_code == 1
    failed = [f for f in json.loads(result.output) if f["state"] == "failed"]
    assert any(f["check"].endswith(check) and says in f["detail"] for f in failed)


def test_verify_tells_empty_from_failed() -> None:
    with running(State(empty_sql="popscope.vip_1s")) as grafana:
        result = call(dashboards, grafana, "verify")
    assert result.exit_code == 0
    states = {f["check"].split(": ")[-1]: f["state"] for f in json.loads(result.output)}
    assert states["VIPs"] == "empty"
    assert states["Backends"] == "ok"


def test_verify_without_the_data_source_says_which(grafana: State) -> None:
    result = call(dashboards, grafana, "verify", "--datasource", "other")
    assert result.exit_code == 1
    assert "no data source with the uid other" in result.output


def test_publish_needs_its_folder(grafana: State) -> None:
    with connect(grafana.url, TOKEN) as client:
        made = publish(client, {})
    assert [(c.what, c.change) for c in made] == [("folder", "created")]
    assert grafana.folders == {"popscope"}


def test_contains_sees_what_differs() -> None:
    ours = {"a": [1, {"for": "60s"}], "b": "x"}
    assert contains({"a": [1, {"for": "1m", "id": 3}], "b": "x", "more": 1}, ours)
    assert not contains({"a": [1, {"for": "61s"}], "b": "x"}, ours)
    assert not contains({"a": [1, {"for": "60s"}, 2], "b": "x"}, ours)
    assert not contains({"a": None, "b": "x"}, ours)
