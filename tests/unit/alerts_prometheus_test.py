"""The configurations that are written are valid, and route as `routing.toml` says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from alerts import delivery
from alerts.cli import alerts
from alerts.errors import RuleError
from alerts.model import load
from alerts.prometheus import Target, Watch, alertmanager_config, run_tool, write
from alerts.routing import ROUTING, load_routing

WATCH = Watch(
    targets=(Target("127.0.0.1:9109", "ams", "ams-d1"), Target("127.0.0.1:9110", "fra", "fra-d1")),
    webhook="http://127.0.0.1:9/alerts",
    pipelines=("127.0.0.1:8080",),
)
URLS = {r.name: f"https://{r.name}.example.net/hook" for r in load_routing().receivers}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("watch")
    write(made, WATCH)
    return made


def test_configurations_are_valid(folder: Path) -> None:
    assert "SUCCESS" in run_tool(["promtool", "check", "config", str(folder / "prometheus.yml")])
    said = run_tool(["amtool", "check-config", str(folder / "alertmanager.yml")])
    assert "SUCCESS" in said
    assert "1 templates" in said


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=PopscopeCoreDead severity=critical pop=ams", "on-call"),
        ("alertname=PopscopePacketsDropped severity=warning pop=ams", "tickets"),
        ("alertname=PopscopeLcoreImbalance severity=info pop=ams", "log"),
        ("alertname=PopscopeDeadMansSwitch severity=none pop=ams", "dead-mans-switch"),
        ("alertname=DatasourceError severity=warning rulename=PopscopeRxMissed", "on-call"),
        ("alertname=SomebodyElses", "tickets"),
    ],
)
def test_routes(folder: Path, labels: str, receiver: str) -> None:
    config = ["--config.file", str(folder / "alertmanager.yml")]
    receivers = receiver if "severity=none" in labels else f"pipelines,{receiver}"
    route = ["amtool", "config", "routes", "test", *config, "--verify.receivers", receivers]
    run_tool([*route, *labels.split()])


def test_pipelines_are_told_of_all_but_the_dead_mans_switch() -> None:
    config = alertmanager_config(WATCH)
    first, *others = config["route"]["routes"]
    assert (first["receiver"], first["continue"]) == ("pipelines", True)
    hooks = {r["name"]: r for r in config["receivers"]}["pipelines"]["webhook_configs"]
    assert [h["url"] for h in hooks] == ["http://127.0.0.1:8080/v1/alerts"]
    without = alertmanager_config(Watch(WATCH.targets, WATCH.webhook))
    assert without["route"]["routes"] == others


def test_every_severity_of_the_rules_is_routed_above() -> None:
    assert {a.severity for a in load()} == {"critical", "warning", "info", "none"}


def test_a_message_says_what_where_and_what_next(folder: Path) -> None:
    notes = {"summary": "S", "description": "D", "dashboard_url": "http://g/p", "runbook_url": "R"}
    alert = {"labels": {}, "annotations": notes}
    both = [{**alert, "status": "firing"}, {**alert, "status": "resolved"}]
    common = {"alertname": "A", "pop": "ams", "node": "ams-d1"}
    data = folder / "data.json"
    data.write_text(json.dumps({"status": "firing", "alerts": both, "commonLabels": common}))
    render = ["amtool", "template", "render", "--template.glob", str(folder / "*.tmpl")]
    render += ["--template.data", str(data), "--template.text"]
    subject = run_tool([*render, '{{ template "popscope.subject" . }}'])
    assert subject == "1 firing: A in ams on ams-d1"
    text = run_tool([*render, '{{ template "popscope.text" . }}'])
    assert text == "S\nD\nPanel: http://g/p\nRunbook: R\n\nEnded: S"


def test_receivers_are_where_they_are_said_to_be() -> None:
    plain = {r["name"]: r for r in alertmanager_config(WATCH)["receivers"]}
    assert plain["dead-mans-switch"] == {"name": "dead-mans-switch"}
    assert plain["tickets"]["webhook_configs"][0]["url"] == WATCH.webhook
    given = Watch(WATCH.targets, WATCH.webhook, receivers={"dead-mans-switch": "https://w.net/d"})
    there = {r["name"]: r for r in alertmanager_config(given)["receivers"]}
    assert there["dead-mans-switch"]["webhook_configs"][0]["url"] == "https://w.net/d"


def test_grafana_gets_the_same_routes() -> None:
    given = delivery.addresses([f"{name}={url}" for name, url in URLS.items()])
    points = delivery.contact_points(given)
    assert {p["name"]: p["settings"]["url"] for p in points} == {
        delivery.contact(name): url for name, url in URLS.items()
    }
    assert all(len(p["uid"]) <= 40 for p in points)
    branch = delivery.branch(given)
    assert branch["object_matchers"] == [["grafana_folder", "=", "Popscope"]]
    assert [r["receiver"] for r in branch["routes"]] == [
        delivery.contact(r.receiver) for r in load_routing().routes
    ]
    assert ["severity", "=", "critical"] in branch["routes"][2]["object_matchers"]


def test_addresses_of_receivers() -> None:
    given = delivery.addresses(["log=a@example.net", "https://x.net/?a=b"])
    url = ["https://x.net/?a=b"]
    assert given == {"on-call": url, "tickets": url, "log": ["a@example.net"]}
    assert len(delivery.branch(given)["routes"]) == len(load_routing().routes) - 1
    with pytest.raises(RuleError, match="no address of the receivers on-call, tickets"):
        delivery.addresses(["log=a@example.net"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('receiver = "log"', 'receiver = "lug"', "leads to lug, which is no receiver"),
        ('severity="info"', "severity is info", "is no matcher"),
        ("matchers = []", "matchers = ['a=\"b\"']", "the last route must take everything"),
        ("repeat = 14400", "", "repeat is missing"),
        ("[group]", "[group", "routing.toml: "),
    ],
)
def test_a_fault_in_the_routing_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = ROUTING.read_text()
    assert old in text
    (tmp_path / "routing.toml").write_text(text.replace(old, new))
    with pytest.raises(RuleError, match=r"routing\.toml") as raised:
        load_routing.__wrapped__(tmp_path / "routing.toml")
    assert says in str(raised.value)


def test_the_command_writes_what_promtool_takes(tmp_path: Path) -> None:
    said = ["--webhook", WATCH.webhook, "--output", str(tmp_path)]
    good = ["configure", "--target", "127.0.0.1:9109=ams/ams-d1", *said]
    result = CliRunner().invoke(alerts, [*good, "--receiver", "log=http://127.0.0.1:9/log"])
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.output.splitlines()] == [
        "prometheus",
        "prometheus-alertmanager",
    ]
    run_tool(["promtool", "check", "config", str(tmp_path / "prometheus.yml")])
    for more, says in (
        (["--target", "ams-d1:9109"], "HOST:PORT=POP/NODE"),
        (["--receiver", "log"], "NAME=URL"),
        (["--receiver", "lug=http://127.0.0.1:9/"], "no receiver lug; there are on-call"),
        (["--pipeline", "here"], "HOST:PORT"),
    ):
        bad = CliRunner().invoke(alerts, [*good, *more])
        assert (bad.exit_code, says in bad.output) == (2, True), bad.output


def test_commands_stay_on_the_loopback(tmp_path: Path) -> None:
    commands = write(tmp_path, WATCH)
    for line in (commands.prometheus, commands.alertmanager):
        assert [a for a in line if a.startswith("--web.listen-address=127.0.0.1:")]
    assert "--cluster.listen-address=" in commands.alertmanager
