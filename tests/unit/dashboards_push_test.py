"""Dashboards and rules into a Grafana: against a stand-in that refuses what Grafana refuses."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import delivery
from alerts.cli import alerts
from alerts.grafana import groups
from alerts.links import Links
from alerts.model import load
from dashboards.cli import dashboards
from dashboards.grafana import load_rendered
from dashboards.reconcile import differences
from dashboards.render import RENDERED, boards
from tests.unit.dashboards_grafana_stub import TOKEN, State, running

GROUPS = {g["title"] for g in groups(load(), Links())}
SOURCE = ("--clickhouse", "http://127.0.0.1:8123", "--clickhouse-password", "s3cret")
NOTIFY = ("--notify", "https://pager.example.net/hook", "--notify", "on-call@example.net")


@pytest.fixture
def grafana() -> Iterator[State]:
    with running() as state:
        yield state


def call(group: object, state: State, command: str, *more: str, token: str = TOKEN) -> Result:
    return CliRunner().invoke(
        group,  # type: ignore[arg-type]
        [command, "--url", state.url, "--token", token, *more],
    )


def rows(result: Result, code: int = 0) -> list[dict[str, str]]:
    assert result.exit_code == code, result.output
    found: list[dict[str, str]] = json.JSONDecoder().raw_decode(result.stdout)[0]
    return found


def changed(result: Result, code: int = 0) -> dict[str, str]:
    """What became of each thing that is not as it was."""
    return {r["name"]: r["change"] for r in rows(result, code) if r["change"] != "unchanged"}


def push_all(state: State) -> None:
    assert set(changed(call(dashboards, state, "push", "--json", *SOURCE)).values()) == {"created"}
    made = changed(call(alerts, state, "push", "--json", *NOTIFY))
    assert set(made.values()) == {"created", "updated"}


def test_a_second_push_changes_nothing_and_says_so(grafana: State) -> None:
    push_all(grafana)
    assert set(grafana.dashboards) == {b.uid for b in boards().values()}
    assert set(grafana.alerting.groups) == GROUPS
    grafana.calls.clear()
    for group, more in ((dashboards, SOURCE), (alerts, NOTIFY)):
        assert changed(call(group, grafana, "push", "--json", *more)) == {}
        assert "nothing to change" in call(group, grafana, "push", *more).output
    assert grafana.writes == []


def test_a_dry_run_shows_what_differs_and_writes_nothing(grafana: State) -> None:
    first = changed(call(dashboards, grafana, "push", "--dry-run", "--json", *SOURCE))
    assert set(first.values()) == {"create"}
    assert grafana.writes == []
    push_all(grafana)
    grafana.calls.clear()
    grafana.dashboards["popscope-node"]["dashboard"]["panels"][3]["title"] = "Mine"
    shown = rows(call(dashboards, grafana, "push", "--dry-run", "--json"))
    [update] = [r for r in shown if r["change"] == "update"]
    assert update["name"] == "Popscope: node"
    assert update["detail"].endswith("title: 'Mine' there, 'Cores not live' here")
    assert grafana.writes == []


def test_the_password_is_sent_once_and_never_shown(grafana: State) -> None:
    push_all(grafana)
    assert grafana.secrets["popscope-clickhouse"] == {"password": "s3cret"}
    source = grafana.sources["popscope-clickhouse"]
    assert (source["jsonData"]["port"], source["jsonData"]["protocol"]) == (8123, "http")
    again = call(dashboards, grafana, "push", "--json", "--clickhouse", "native://ch1:9000")
    [source] = [r for r in rows(again) if r["what"] == "data source"]
    assert "jsonData.port: 8123 there, 9000 here" in source["detail"]
    assert grafana.secrets["popscope-clickhouse"] == {"password": "s3cret"}
    wrong = call(dashboards, grafana, "push", "--clickhouse", "ch1:9000")
    assert wrong.exit_code == 1
    assert "'ch1:9000' is no address of ClickHouse" in wrong.output


def test_drift_is_shown_pulled_and_undone(grafana: State, tmp_path: Path) -> None:
    push_all(grafana)
    assert call(dashboards, grafana, "diff").exit_code == 0
    grafana.dashboards["popscope-node"]["dashboard"]["panels"].pop()
    drift = rows(call(dashboards, grafana, "diff", "--json"), code=1)
    assert [(r["name"], r["change"]) for r in drift] == [("Popscope: node", "update")]
    pulled = call(dashboards, grafana, "pull", "--output", str(tmp_path))
    assert pulled.exit_code == 0, pulled.output
    ours = {name: (RENDERED / name).read_text() for name in boards()}
    theirs = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert [name for name in ours if ours[name] != theirs[name]] == ["node.json"]
    assert changed(call(dashboards, grafana, "push", "--json")) == {"Popscope: node": "updated"}
    assert grafana.dashboards["popscope-node"]["dashboard"]["version"] == 2
    assert call(dashboards, grafana, "diff").exit_code == 0


def test_a_dashboard_in_another_folder_is_moved(grafana: State) -> None:
    push_all(grafana)
    grafana.dashboards["popscope-node"]["meta"]["folderUid"] = "elsewhere"
    assert changed(call(dashboards, grafana, "push", "--json")) == {"Popscope: node": "updated"}
    assert grafana.dashboards["popscope-node"]["meta"]["folderUid"] == "popscope"


def test_what_is_ours_no_longer_is_deleted_and_nothing_else(grafana: State) -> None:
    push_all(grafana)
    node = grafana.dashboards["popscope-node"]
    for uid, tags in (("popscope-old", ["popscope"]), ("mine", ["other"])):
        tree = {**node["dashboard"], "uid": uid, "title": uid, "tags": tags}
        grafana.dashboards[uid] = {"dashboard": tree, "meta": node["meta"]}
    state = grafana.alerting
    [first, *_] = sorted(GROUPS)
    rule = {**state.groups[first]["rules"][0], "uid": "old", "title": "Old"}
    state.groups[first]["rules"].append(rule)
    gone = {**rule, "uid": "gone", "title": "Gone", "ruleGroup": "popscope.gone"}
    state.groups["popscope.gone"] = {"folderUid": "popscope", "rules": [gone]}
    other = {**rule, "uid": "theirs", "title": "Theirs", "folderUID": "f", "ruleGroup": "theirs"}
    state.groups["theirs"] = {"folderUid": "f", "rules": [other]}
    assert changed(call(dashboards, grafana, "push", "--no-prune", "--json")) == {}
    assert changed(call(dashboards, grafana, "push", "--json")) == {"popscope-old": "deleted"}
    assert "mine" in grafana.dashboards
    done = changed(call(alerts, grafana, "push", "--json"))
    assert done == {first: "updated", "popscope.gone Gone": "deleted"}
    assert set(state.groups) == {*GROUPS, "theirs"}


def test_the_routes_of_others_stay_and_ours_comes_first(grafana: State) -> None:
    push_all(grafana)
    tree = grafana.alerting.policies
    assert [r["receiver"] for r in tree["routes"]] == ["popscope on-call", "team b"]
    assert (tree["receiver"], tree["provenance"]) == ("grafana-default-email", "")
    types = sorted(p["type"] for p in grafana.alerting.points.values())
    assert types == ["email"] * 3 + ["webhook"] * 3
    again = call(alerts, grafana, "push", "--json", *NOTIFY[:2])
    assert changed(again) == {
        f"popscope {name} (popscope-{name}-2)": "deleted" for name in ("on-call", "tickets", "log")
    }
    assert {p["type"] for p in grafana.alerting.points.values()} == {"webhook"}
    wrong = call(alerts, grafana, "push", "--notify", "pager")
    assert wrong.exit_code == 1
    assert "'pager' is neither a webhook's URL nor an e-mail address" in wrong.output


def test_what_belongs_to_the_api_is_written_as_the_api(grafana: State) -> None:
    push_all(grafana)
    grafana.alerting.policies.update(provenance="api", routes=[])
    grafana.alerting.templates["popscope"].update(provenance="api", template="{{ x }}")
    done = changed(call(alerts, grafana, "push", "--json", *NOTIFY))
    assert done == {"popscope": "updated", delivery.BRANCH: "updated"}
    assert grafana.alerting.policies["provenance"] == "api"


@pytest.mark.parametrize(("version", "keeps"), [("11.6.4", False), ("12.0.0", True)])
def test_what_an_older_grafana_does_not_know_is_not_sent(version: str, keeps: bool) -> None:
    with running(State(version=version)) as grafana:
        call(alerts, grafana, "push")
        rules = [r for g in grafana.alerting.groups.values() for r in g["rules"]]
        assert {"keep_firing_for" in r for r in rules} == {keeps}
        assert changed(call(alerts, grafana, "push", "--json")) == {}


def test_rules_use_the_data_source_that_was_asked_for(grafana: State) -> None:
    call(alerts, grafana, "push", "--datasource", "mine")
    found = [q for g in grafana.alerting.groups.values() for r in g["rules"] for q in r["data"]]
    sources = {(q["datasourceUid"], q["model"]["datasource"]["uid"]) for q in found}
    assert sources == {("mine", "mine"), ("__expr__", "__expr__")}


def test_what_fails_does_not_end_the_rest_and_is_named(grafana: State) -> None:
    push_all(grafana)
    [first, *others] = sorted(GROUPS)
    for rule in grafana.alerting.groups[first]["rules"]:
        rule.update(provenance="file")
    for name in (first, *others):
        grafana.alerting.groups[name]["interval"] += 10
    result = call(alerts, grafana, "push", "--json")
    assert changed(result, 1) == {first: "failed", **dict.fromkeys(others, "updated")}
    assert "cannot change provenance" in result.stdout
    assert f"left to do: rule group {first}" in result.output
    grafana.dashboards["popscope-pop"]["meta"]["provisioned"] = True
    for uid in ("popscope-pop", "popscope-vip"):
        grafana.dashboards[uid]["dashboard"]["title"] = "edited"
    result = call(dashboards, grafana, "push", "--json")
    assert changed(result, 1) == {"Popscope: PoP": "failed", "Popscope: VIPs": "updated"}
    assert "Cannot save provisioned dashboard" in result.stdout


def test_a_push_that_was_cut_off_says_what_is_left_and_goes_on_later(grafana: State) -> None:
    grafana.dies_after = 4
    done = changed(call(dashboards, grafana, "push", "--json"), 1)
    assert sorted(set(done.values())) == ["created", "failed", "left"]
    assert list(done.values()).count("created") == 4
    grafana.dies_after = -1
    later = changed(call(dashboards, grafana, "push", "--json"))
    assert set(later) == {name for name, change in done.items() if change != "created"}


def test_what_somebody_saves_meanwhile_is_not_overwritten(
    grafana: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_all(grafana)
    kept = grafana.dashboards["popscope-node"]["dashboard"]
    kept["title"] = "edited"
    from dashboards import push

    def saved_meanwhile(*arguments: object) -> list[object]:
        kept["version"] += 1
        return []

    monkeypatch.setattr(push, "_prune", saved_meanwhile)
    result = call(dashboards, grafana, "push", "--json")
    assert changed(result, 1) == {"Popscope: node": "failed"}
    assert "somebody changed it meanwhile" in result.stdout
    assert grafana.dashboards["popscope-node"]["dashboard"]["title"] == "edited"


def test_a_wrong_token_is_explained(grafana: State) -> None:
    result = call(dashboards, grafana, "push", token="wrong")
    assert result.exit_code == 1
    assert "service account with the role Editor" in " ".join(result.output.split())
    assert grafana.writes == []


@pytest.mark.parametrize("command", ["push", "verify", "diff"])
def test_a_grafana_that_is_not_there_is_one_error(command: str) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, nobody else gets it
        taken.bind(("127.0.0.1", 0))
        nowhere = State(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        result = call(dashboards, nowhere, command)
    assert result.exit_code == 1
    assert result.output.count("cannot be reached") == 1


def test_differences_are_named_by_title() -> None:
    ours = {"panels": [{"title": "A", "for": "60s", "w": [1]}], "b": "x"}
    same = {"panels": [{"title": "A", "for": "1m", "w": [1], "id": 3}], "b": "x", "more": 1}
    assert list(differences(same, ours)) == []
    other = {"panels": [{"title": "A", "for": "61s", "w": [1, 2]}]}
    assert list(differences(other, ours)) == [
        "panels[A].for: '61s' there, '60s' here",
        "panels[A].w: 2 there, 1 here",
        "b: None there, 'x' here",
    ]


LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "60s", "1m", "x"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_nothing_differs_from_itself(tree: object) -> None:
    assert list(differences(tree, tree)) == []


def test_load_rendered_has_every_dashboard() -> None:
    assert set(load_rendered(RENDERED)) == set(boards())
