"""Rules are read, rendered and tested: in Prometheus's own tools, and by Grafana's checks."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from alerts.cli import TESTS, alerts
from alerts.errors import RuleError, StaleError, ToolError
from alerts.grafana import problems
from alerts.links import Links
from alerts.model import FOLDER, Alert, load
from alerts.prometheus import run_tool
from alerts.render import GRAFANA, PROMETHEUS, RENDERED, check, render

Json = dict[str, Any]
RULE = """
area = "test"
[[alert]]
name = "PopscopeTest"
severity = "warning"
panel = 1
labels = ["pop"]
summary = "s"
description = "d"
promql = "up == {floor}"
sql = "SELECT {rx}"
floor = 3
"""


def test_committed_files_are_fresh() -> None:
    check()


def test_rendering_is_the_same_every_time(tmp_path: Path) -> None:
    assert {p.name for p in render(tmp_path)} == {PROMETHEUS, GRAFANA}
    assert render(tmp_path) == []
    (tmp_path / GRAFANA).write_text("[]")
    with pytest.raises(StaleError, match=r"grafana\.json"):
        check(tmp_path)


def read(folder: Path, text: str) -> tuple[Alert, ...]:
    (folder / "test.toml").write_text(text)
    return load.__wrapped__(folder)


def test_templates_are_filled(tmp_path: Path) -> None:
    (alert,) = read(tmp_path, RULE)
    assert (alert.promql, alert.sql) == ("up == 3", "SELECT rx_packets")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"warning"', '"fatal"', "severity must be one of"),
        ("PopscopeTest", "test_alert", "CamelCase"),
        ("floor = 3", "limit = 3", "unknown keys limit"),
        ('summary = "s"', "", "lacks summary"),
        ("{floor}", "{limit}", "cannot be filled"),
        ("{rx}", "{", "cannot be filled"),
        ('area = "test"', "", "must have `area`"),
        ("floor = 3", "floor = ", "test.toml: "),
        (
            "floor = 3",
            "floor = 3\n[[alert.scenario]]\nname='x'\nfires=[]\nincrement={}",
            "scenario",
        ),
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


def test_areas_are_the_names_of_the_files() -> None:
    assert {a.area for a in load()} == {p.stem for p in FOLDER.glob("*.toml")}


def test_promtool_takes_the_rules() -> None:
    assert "3 rules found" in run_tool(["promtool", "check", "rules", str(RENDERED / PROMETHEUS)])


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.yml")), ids=lambda p: p.name)
def test_promtool_scenarios(path: Path) -> None:
    run_tool(["promtool", "test", "rules", str(path)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[60s])) > 1\n", "[60s])) > 10\n"),
        ("[60s])) > 1\n", "[60s])) >= 1\n"),
        ("[60s])) > 100\n", "[60s])) > 50\n"),
        ("packets != 0", "packets > 0"),
        ("for: 10s", "for: 0s"),
        ("== 0)", "== 1)"),
        ("seconds > 10)", "seconds > 5)"),
        ("keep_firing_for: 60s", "keep_firing_for: 600s"),
    ],
)
def test_a_changed_rule_fails_its_tests(tmp_path: Path, old: str, new: str) -> None:
    """The scenarios hold the floors from both sides."""
    rules = (RENDERED / PROMETHEUS).read_text()
    assert old in rules
    (tmp_path / PROMETHEUS).write_text(rules.replace(old, new))
    tests = []
    for path in TESTS.glob("*.test.yml"):
        tree = yaml.safe_load(path.read_text())
        tree["rule_files"] = [str(tmp_path / PROMETHEUS)]
        (tmp_path / path.name).write_text(yaml.safe_dump(tree))
        tests.append(str(tmp_path / path.name))
    with pytest.raises(ToolError, match="FAILED"):
        run_tool(["promtool", "test", "rules", *tests])


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
    assert notes["dashboard_url"].startswith("https://g.example.net/d/popscope-node?")
    assert notes["runbook_url"] == "https://wiki.example.net/popscope#popscopepacketsdropped"


def groups() -> list[Json]:
    tree: list[Json] = json.loads((RENDERED / GRAFANA).read_text())
    return tree


def test_grafana_would_take_the_groups() -> None:
    assert [problems(g) for g in groups()] == [[], [], []]


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


def test_the_runbook_says_what_to_do_for_each_reason_with_the_low_floor() -> None:
    (alert,) = tomllib.loads((FOLDER / "drops.toml").read_text())["alert"]
    runbook = (FOLDER.parent / "README.md").read_text()
    rows = [row for row in runbook.splitlines() if row.startswith("| `")]
    assert {r for r in alert["service"] if not any(f"`{r}`" in row for row in rows)} == set()


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
    args = ["publish", "--url", "http://grafana:3000"]
    for more in ([], ["--grafana-url", "https://grafana.example.net"]):
        assert CliRunner().invoke(alerts, [*args, *more]).exit_code == 1
    assert seen == ["http://grafana:3000", "https://grafana.example.net"]
