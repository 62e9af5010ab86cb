"""Rules are read, rendered and tested: in Prometheus's own tools, and by Grafana's checks."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from alerts.cli import alerts
from alerts.errors import RuleError, ScenarioError, StaleError, ToolError
from alerts.grafana import problems
from alerts.links import Links
from alerts.model import Alert, load
from alerts.prometheus import run_tool
from alerts.render import FILES, GRAFANA, PROMETHEUS, RENDERED, check, render
from alerts.runbook import README, with_runbook
from alerts.scenarios import scenarios
from alerts.template import rendered

Json = dict[str, Any]
RULE = """
every = 10
[[alert]]
name = "PopscopeTest"
question = "Is it there?"
severity = "warning"
panel = "popscope-node/1"
labels = ["pop"]
summary = "s"
description = "d"
promql = 'up{job="x"} == {floor}'
sql = "SELECT {rx}"
given = { floor = 3 }
means = "m"
look = "l"
act = "a"
ends = "e"
"""


def test_committed_files_are_fresh() -> None:
    check()


def test_rendering_is_the_same_every_time(tmp_path: Path) -> None:
    assert {p.name for p in render(tmp_path)} == {PROMETHEUS, GRAFANA, FILES}
    assert render(tmp_path) == []
    (tmp_path / GRAFANA).write_text("[]")
    with pytest.raises(StaleError, match=r"grafana\.json"):
        check(tmp_path)


def read(folder: Path, text: str) -> tuple[Alert, ...]:
    (folder / "test.toml").write_text(text)
    return load.__wrapped__(folder)


def test_templates_are_filled(tmp_path: Path) -> None:
    (alert,) = read(tmp_path, RULE)
    assert (alert.promql, alert.sql) == ('up{job="x"} == 3', "SELECT rx_packets")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"warning"', '"fatal"', "severity must be one of"),
        ("PopscopeTest", "test_alert", "CamelCase"),
        ("given =", "gives =", "unknown keys gives"),
        ('summary = "s"', "", "lacks summary"),
        ("{floor}", "{limit}", "promql uses {limit}"),
        ("popscope-node/1", "node/1", "panel must be like"),
        ("there?", "there", "question mark"),
        ("every = 10", "every = 15", "multiple of 10"),
        ("every = 10", "", "must have `every`"),
        ("floor = 3", "floor = ", "test.toml: "),
        ("promql =", "given.promql =", "test.toml: "),
        ('ends = "e"', 'ends = "e"\ninhibits = [{ alerts = "x" }]', "an inhibition has"),
        ('ends = "e"', 'ends = "e"\nno_data = "Fine"', "no_data must be one of"),
    ],
)
def test_a_fault_in_a_file_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in RULE
    with pytest.raises(RuleError, match=r"test\.toml") as raised:
        read(tmp_path, RULE.replace(old, new))
    assert says in str(raised.value)


def test_two_alerts_need_two_names(tmp_path: Path) -> None:
    twice = RULE + RULE[RULE.index("[[alert]]") :]
    with pytest.raises(RuleError, match="same name"):
        read(tmp_path, twice)


def test_promtool_takes_the_rules() -> None:
    said = run_tool(["promtool", "check", "rules", str(RENDERED / PROMETHEUS)])
    assert f"{sum(bool(a.promql) for a in load())} rules found" in said


def test_there_are_rules_of_every_area() -> None:
    areas = {"availability", "dataplane", "services", "traffic", "capacity", "slo", "pipeline"}
    assert {a.area for a in load()} == areas
    assert len(load()) >= 32


def test_templates_of_annotations_are_checked_by_promtool(tmp_path: Path) -> None:
    rules = (RENDERED / PROMETHEUS).read_text().replace("$labels.node }}", "$labels.node }", 1)
    (tmp_path / PROMETHEUS).write_text(rules)
    with pytest.raises(ToolError):
        run_tool(["promtool", "check", "rules", str(tmp_path / PROMETHEUS)])


def test_a_missing_program_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="apt-get install prometheus-alertmanager"):
        run_tool(["amtool", "--version"])


def test_links_have_the_bases_that_were_asked_for(tmp_path: Path) -> None:
    render(tmp_path, Links("https://g.example.net/", "https://wiki.example.net/popscope"))
    rule = yaml.safe_load((tmp_path / PROMETHEUS).read_text())["groups"][0]["rules"][0]
    notes = rule["annotations"]
    assert notes["dashboard_url"].startswith("https://g.example.net/d/popscope-fleet?")
    assert "&var-pop={{ $labels.pop | urlquery }}" in notes["dashboard_url"]
    assert notes["runbook_url"] == "https://wiki.example.net/popscope#popscopepopdark"


def groups() -> list[Json]:
    tree: list[Json] = json.loads((RENDERED / GRAFANA).read_text())
    return tree


def test_grafana_would_take_the_groups() -> None:
    assert [p for g in groups() for p in problems(g)] == []
    assert len(groups()) == 7


def rule(group: Json) -> Json:
    found: Json = group["rules"][0]
    return found


FAULTS: list[tuple[str, Callable[[Json], object], str]] = [
    ("uid", lambda g: rule(g).update(uid="x" * 41), "invalid UID"),
    ("title", lambda g: rule(g).update(title=""), "1 to 190"),
    ("group title", lambda g: g.update(title="x" * 191), "1 to 190"),
    ("interval text", lambda g: g.update(interval="10s"), "interval"),
    ("interval", lambda g: g.update(interval=15), "interval"),
    ("for", lambda g: rule(g).update({"for": 10}), "duration"),
    ("no data state", lambda g: rule(g).update(noDataState="Ok"), "unknown noDataState"),
    ("error state", lambda g: rule(g).update(execErrState="NoData"), "unknown execErrState"),
    ("half a link", lambda g: rule(g)["annotations"].pop("__panelId__"), "both be there"),
    ("panel", lambda g: rule(g)["annotations"].update(__panelId__="x"), "must be a number"),
    ("reserved", lambda g: rule(g)["labels"].update(__grafana_x="1"), "reserved"),
    ("condition", lambda g: rule(g).update(condition="B"), "not one of its queries"),
    ("range", lambda g: rule(g)["data"][0].update(relativeTimeRange={"from": 0, "to": 0}), "range"),
    ("front end", lambda g: sql(g, "$__conditionalAll(1, $x)"), "front end only"),
    ("variable", lambda g: sql(g, "SELECT ${pop}"), "front end only"),
    ("expression", lambda g: rule(g)["data"][1]["model"].update(expression="Z"), "not there"),
    ("folder", lambda g: rule(g).update(folderUID="other"), "folder of its group"),
    ("no data", lambda g: rule(g).update(data=[], condition="C"), "needs queries"),
]  # fmt: skip


def sql(group: Json, text: str) -> None:
    rule(group)["data"][0]["model"]["rawSql"] = text


@pytest.mark.parametrize(("fault", "says"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_what_grafana_refuses_is_found(fault: Callable[[Json], object], says: str) -> None:
    group = copy.deepcopy(groups()[0])
    fault(group)
    assert any(says in p for p in problems(group)), problems(group)


def test_values_are_named_as_grafana_names_them() -> None:
    text = json.dumps(groups())
    assert "$values.A.Value" in text
    assert "{{ $value " not in text


def test_the_command_checks_freshness(tmp_path: Path) -> None:
    result = CliRunner().invoke(alerts, ["render", "--check", "--output", str(tmp_path)])
    assert result.exit_code == 1
    assert "popscope alerts render" in result.output


def test_links_must_be_absolute() -> None:
    with pytest.raises(RuleError, match=r"'alerts/README.md', must be like https://HOST/PATH"):
        Links(runbook="alerts/README.md")


def test_the_runbook_leads_nowhere_else_than_to_itself() -> None:
    """Links of one alert to another, as the wiki makes anchors of headings."""
    text = with_runbook(README.read_text(), load())
    anchors = {a.anchor for a in load()}
    assert set(re.findall(r"\]\(#(popscope\w+)\)", text)) <= anchors
    with pytest.raises(RuleError, match="lacks the line"):
        with_runbook("# Alerts\n", load())


def test_inhibitions_name_alerts_that_exist_and_labels_that_they_have() -> None:
    by_name = {a.name: a for a in load()}
    for source in load():
        for inhibition in source.inhibits:
            targets = [a for n, a in by_name.items() if re.fullmatch(inhibition.alerts, n)]
            assert targets, f"{source.name} holds back {inhibition.alerts}: nothing"
            assert set(inhibition.equal) <= set(source.labels)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{{ $value }}", 3.0, "3"),
        ("{{ $value }}", 0.25, "0.25"),
        ("{{ $value | humanize }}", 1_234_567.0, "1.235M"),
        ("{{ $value | humanize }}", 0.0, "0"),
        ("{{ $value | humanize }}", 0.05, "50m"),
        ("{{ $value | humanizePercentage }}", 0.12345, "12.35%"),
        ("{{ $value | humanizeDuration }}", 90_061.0, "1d 1h 1m 1s"),
        ("{{ $value | humanizeDuration }}", 59.5, "59.5s"),
        ("{{ $value | humanizeDuration }}", -61.0, "-1m 1s"),
        ("{{ $labels.pop | urlquery }}/{{$labels.none}}", 0.0, "a+b%2Fc/"),
    ],
)
def test_texts_are_filled_as_go_does(text: str, value: float, expected: str) -> None:
    assert rendered(text, {"pop": "a b/c"}, value) == expected


@pytest.mark.parametrize("text", ["{{ .Value }}", "{{ $value | title }}"])
def test_texts_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(RuleError, match="\\{\\{"):
        rendered(text, {}, 0)


SCENARIO = """
[[scenario]]
alert = "PopscopeRxMissed"
name = "x"
rows = [{ table = "port_1s", t = [0, 1] }]
series = ['a{} 1']
expect = [{ at = 10, fires = [{ port = "0" }] }]
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("RxMissed", "RxGone", "no alert of this name"),
        ("RxMissed", "PipelineSlow", "the alert no rule for them"),
        ("'a{} 1'", "'a 1'", "is not NAME"),
        ("at = 10", "when = 10", "an expectation has"),
        ('port = "0"', 'lcore = "0"', "is no label of"),
        ('port = "0"', "", "without port"),
        (", t = [0, 1]", "", "rows lack t"),
        ('name = "x"', 'name = "x"\nrow = []', "unknown keys row"),
        ('[{ at = 10, fires = [{ port = "0" }] }]', "[]", "expects nothing"),
        ("[[scenario]]", "[[scene]]", "must have"),
    ],
)
def test_a_fault_in_a_scenario_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in SCENARIO
    (tmp_path / "test.toml").write_text(SCENARIO.replace(old, new))
    with pytest.raises(ScenarioError, match=r"test\.toml") as raised:
        scenarios.__wrapped__(tmp_path)
    assert says in str(raised.value)


def command(*args: str) -> Result:
    return CliRunner().invoke(alerts, args)


def test_list_and_show() -> None:
    rows = json.loads(command("list", "--area", "capacity", "--json").output)
    assert [r["area"] for r in rows] == ["capacity"] * 3
    assert "PopscopeRxMissed" in command("list").output
    text = command("show", "LcoreStuck").output
    assert "## PopscopeLcoreStuck" in text
    assert "amtool silence add alertname=PopscopeLcoreStuck pop=" in text
    assert "loop_iterations" in text
    assert json.loads(command("show", "PopscopeLcoreStuck", "--json").output)["every"] == 10
    for args, says in (
        (("list", "--area", "nothing"), "there are availability, "),
        (("show", "Stuck"), "PopscopeLcoreStuck"),
        (("test", "PopscopeX"), "no alert 'PopscopeX'"),
    ):
        done = command(*args)
        assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


def test_one_alert_is_tested_by_the_command() -> None:
    done = command("test", "--no-sql", "--json", "PopscopeRxMissed")
    assert done.exit_code == 0, done.output
    assert {row["result"] for row in json.loads(done.output)} == {"ok"}


def test_a_webhook_that_is_no_address_is_refused(tmp_path: Path) -> None:
    args = ["configure", "--target", "127.0.0.1:9109=ams/d1", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(alerts, [*args, "--webhook", "localhost:8000"])
    assert done.exit_code == 2
    assert "'localhost:8000' is no URL, such as http://127.0.0.1:8000/alerts" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["render", "configure"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    args = [command, "--output", str(tmp_path / "file" / "out")]
    if command == "configure":
        args += ["--target", "127.0.0.1:9109=ams/d1", "--webhook", "http://127.0.0.1:1/"]
    done = CliRunner().invoke(alerts, args)
    assert (done.exit_code, done.stderr) == (
        1,
        f"Error: {tmp_path / 'file' / 'out'}: Not a directory\n",
    )


def test_to_test_nothing_is_a_mistake() -> None:
    done = CliRunner().invoke(alerts, ["test", "--no-promtool", "--no-sql"])
    assert done.exit_code == 2
    assert "nothing is left to test" in done.stderr


def test_published_links_lead_to_the_grafana_that_gets_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def groups(alerts: tuple[Alert, ...], links: Links) -> Json:
        seen.append(links.grafana)
        raise RuleError("that is enough")

    monkeypatch.setattr("alerts.grafana.groups", groups)
    args = ["push", "--url", "http://grafana:3000"]
    for more in ([], ["--grafana-url", "https://grafana.example.net"]):
        assert CliRunner().invoke(alerts, [*args, *more]).exit_code == 1
    assert seen == ["http://grafana:3000", "https://grafana.example.net"]


def test_the_file_for_grafana_has_all_rules_and_no_dollar_that_grafana_would_fill() -> None:
    tree = yaml.safe_load((RENDERED / FILES).read_text())
    rules = [r for g in tree["groups"] for r in g["rules"]]
    assert [r["title"] for r in rules] == [a.name for a in load() if a.sql]
    assert all(g["interval"].endswith("0s") for g in tree["groups"])
    texts = [text for r in rules for text in (*r["annotations"].values(), *r["labels"].values())]
    assert not [text for text in texts if re.search(r"(?<!\$)\$(?!\$)", text)]
    assert all(isinstance(r["panelId"], int) and r["dashboardUid"] for r in rules)
    queries = [q["model"].get("rawSql", "") for r in rules for q in r["data"]]
    assert any("$__timeFilter" in q for q in queries)
