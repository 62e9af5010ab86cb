"""The committed JSON is fresh, keeps the rules, and each rule finds what it is for."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from dashboards.cli import dashboards
from dashboards.errors import LintError, StaleError
from dashboards.grafana import PROVISIONING, load_rendered
from dashboards.links import WAY
from dashboards.lint import lint
from dashboards.render import RENDERED, boards, check, files, render
from dashboards.target import PLUGIN

SCHEMA = json.loads(Path(__file__).with_name("dashboards_schema.json").read_text())
Json = dict[str, Any]
UIDS = frozenset(b.uid for b in boards().values())


@pytest.fixture
def board() -> Json:
    return load_rendered(RENDERED)["node.json"]


def panel(board: Json, title: str) -> Json:
    found: Json = next(p for p in board["panels"] if p["title"] == title)
    return found


def test_committed_files_are_fresh() -> None:
    check()


def test_rendering_is_the_same_every_time(tmp_path: Path) -> None:
    assert [str(p.relative_to(tmp_path)) for p in render(tmp_path)] == list(files())
    assert render(tmp_path) == []
    (tmp_path / "node.json").write_text("{}")
    with pytest.raises(StaleError, match=r"node\.json"):
        check(tmp_path)
    render(tmp_path)
    (tmp_path / "left_over.json").write_text("{}")
    with pytest.raises(StaleError, match=r"left_over\.json"):
        check(tmp_path)


def test_check_of_the_command_writes_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(dashboards, ["render", "--check", "--output", str(tmp_path)])
    assert result.exit_code == 1
    assert "popscope dashboards render" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", boards())
def test_committed_files_keep_the_rules(name: str) -> None:
    lint(load_rendered(RENDERED)[name], UIDS)


def test_panels_have_their_id_alone() -> None:
    """An alert names a panel by its id; the dashboard is found from it."""
    numbers = [p.id for b in boards().values() for p in b.panels]
    assert len(set(numbers)) == len(numbers)


def test_each_dashboard_links_to_the_next_with_its_choices() -> None:
    found = load_rendered(RENDERED)
    way = [f"popscope-{n.removesuffix('.json')}" for n in boards()]
    assert way == list(WAY)
    for here, following in pairwise(way):
        links = found[f"{here.removeprefix('popscope-')}.json"]["links"]
        [link] = [x for x in links if x.get("url") == f"/d/{following}"]
        assert (link["includeVars"], link["keepTime"]) == (True, True)


@pytest.mark.parametrize("name", boards())
def test_committed_files_fit_the_schema(name: str) -> None:
    found = Draft202012Validator(SCHEMA).iter_errors(load_rendered(RENDERED)[name])
    errors = [f"{list(e.path)}: {e.message}" for e in found]
    assert errors == []


FAULTS: list[tuple[str, Callable[[Json], object], str]] = [
    ("uid", lambda b: b.update(uid="x" * 41), "uid"),
    ("editable", lambda b: b.update(editable=True), "editable"),
    ("id", lambda b: b.update(id=7), "leave it out"),
    ("no title", lambda b: b.update(title=""), "lacks a title"),
    ("same id", lambda b: b["panels"][2].update(id=b["panels"][1]["id"]), "is there twice"),
    ("no id", lambda b: b["panels"][2].pop("id"), "has no id"),
    ("too wide", lambda b: panel(b, "Bits")["gridPos"].update(x=18), "outside of the grid"),
    ("overlap", lambda b: panel(b, "Bits")["gridPos"].update(x=0), "overlap"),
    ("no question", lambda b: panel(b, "Bits").update(description="Bits."), "the question"),
    ("kind", lambda b: panel(b, "Bits").update(type="graph"), "the kind 'graph'"),
    ("unit", lambda b: panel(b, "Bits")["fieldConfig"]["defaults"].update(unit="bits"), "unit"),
    ("no target", lambda b: panel(b, "Bits").update(targets=[]), "has no target"),
    ("same refId", lambda b: panel(b, "Bits")["targets"].append(target(b)), "not unique"),
    ("fixed source", lambda b: target(b)["datasource"].update(uid="abc"), "data source"),
    ("no filter", lambda b: edit(b, "$__timeFilter", "$__timeFil"), "not limited to the range"),
    ("seconds", lambda b: edit(b, "timeFilter_ms(ts)", "timeFilter(ts)"), "has milliseconds"),
    ("seconds 2", lambda b: edit(b, "$__timeFilter_ms(ts)", "$__timeFilter_ms(ts) AND ts > "
     "$__fromTime"), "has milliseconds"),
    ("no order", lambda b: edit(b, "ORDER BY time", ""), "ordered by time"),
    ("alias", lambda b: edit(b, "AS time", "AS ts"), "primary key"),
    ("database", lambda b: edit(b, "popscope.", ""), "no table with its database"),
    ("undeclared", lambda b: edit(b, "$pop", "$site"), "$site is used and not declared"),
    ("unused", lambda b: add_variable(b, "extra"), "$extra is declared and not used"),
    ("refresh", lambda b: b["templating"]["list"][1].update(refresh=1), "does not refresh"),
    ("order", lambda b: b["templating"]["list"].reverse(), "which comes after it"),
    ("thresholds", lambda b: thresholds(b).reverse(), "ascend"),
    ("link", lambda b: b.update(links=[{"url": "/d/gone?var-pop=x"}]), "'gone'"),
]  # fmt: skip


def target(board: Json) -> Json:
    found: Json = panel(board, "Bits")["targets"][0]
    return found


def edit(board: Json, old: str, new: str) -> None:
    assert old in target(board)["rawSql"]
    target(board)["rawSql"] = target(board)["rawSql"].replace(old, new)


def add_variable(board: Json, name: str) -> None:
    board["templating"]["list"].append({**board["templating"]["list"][1], "name": name})


def thresholds(board: Json) -> list[Json]:
    defaults = panel(board, "Oldest data")["fieldConfig"]["defaults"]
    found: list[Json] = defaults["thresholds"]["steps"]
    return found


@pytest.mark.parametrize(("fault", "says"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_planted_fault_is_found(board: Json, fault: Callable[[Json], object], says: str) -> None:
    fault(board)
    with pytest.raises(LintError) as raised:
        lint(board, UIDS)
    assert any(says in problem for problem in raised.value.problems), raised.value.problems


SCHEMA_FAULTS: list[tuple[str, Callable[[Json], object]]] = [
    ("misspelt key", lambda b: b.update(schemaVersio=42)),
    ("enum", lambda b: b.update(graphTooltip=7)),
    ("text for number", lambda b: panel(b, "Bits")["gridPos"].update(w="12")),
    ("field key", lambda b: panel(b, "Bits")["fieldConfig"]["defaults"].update(unti="bps")),
    ("variable kind", lambda b: b["templating"]["list"][1].update(type="qurey")),
    ("format as text", lambda b: target(b).update(format="0")),
    ("option", lambda b: panel(b, "Bits")["options"]["legend"].update(showLegend="yes")),
    ("no title", lambda b: b.pop("title")),
]


@pytest.mark.parametrize("fault", [f[1] for f in SCHEMA_FAULTS], ids=[f[0] for f in SCHEMA_FAULTS])
def test_the_schema_finds_a_planted_fault(board: Json, fault: Callable[[Json], object]) -> None:
    fault(board)
    assert list(Draft202012Validator(SCHEMA).iter_errors(board))


def test_legends_are_shown_and_idle_cells_are_not_hidden(board: Json) -> None:
    """Two defaults of the SDK that would hide what is there."""
    for item in board["panels"]:
        if item["type"] == "timeseries":
            assert item["options"]["legend"]["showLegend"]
        if item["type"] == "heatmap":
            assert item["options"]["filterValues"]["le"] < 0


def test_provisioning_names_what_the_dashboards_use() -> None:
    source = yaml.safe_load((PROVISIONING / "datasource.yaml").read_text())["datasources"][0]
    assert (source["type"], source["uid"]) == (PLUGIN, "popscope-clickhouse")
    assert "database" not in source["jsonData"]  # the plugin reads defaultDatabase
    assert source["jsonData"]["defaultDatabase"] == "popscope"
    provider = yaml.safe_load((PROVISIONING / "dashboards.yaml").read_text())["providers"][0]
    assert provider["folderUid"] == "popscope"
