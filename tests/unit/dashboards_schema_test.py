"""The committed JSON is what Grafana's published types say that a dashboard is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dashboards.lint import panels
from dashboards.render import RENDERED

FOLDER = Path(__file__).with_name("grafana_schema")
Json = dict[str, Any]


def closed(schema: Any) -> Any:
    """The schema with unknown keys as errors: a misspelt key does nothing in Grafana."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(part) for key, part in schema.items()}
    return {"additionalProperties": False, **found} if "properties" in schema else found


SCHEMAS = {
    p.stem: Draft7Validator(closed(json.loads(p.read_text()))) for p in FOLDER.glob("*.json")
}
FILES = sorted(RENDERED.rglob("*.json"))


def load(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    for annotation in found["annotations"]["list"]:
        del annotation["target"]  # of the plugin, which the type does not know
    return found


def problems(tree: Json) -> Iterator[str]:
    yield from (f"{list(e.path)}: {e.message}" for e in SCHEMAS["dashboard"].iter_errors(tree))
    for panel in panels(tree):
        if panel["type"] == "row":
            continue
        where = f"panel {panel['title']}"
        for error in SCHEMAS[panel["type"]].iter_errors(panel["options"]):
            yield f"{where}: options: {list(error.path)}: {error.message}"
        if panel["type"] == "timeseries":
            custom = panel["fieldConfig"]["defaults"]["custom"]
            for error in SCHEMAS["fieldconfig"].iter_errors(custom):
                yield f"{where}: custom: {list(error.path)}: {error.message}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(RENDERED)))
def test_dashboards_are_of_grafanas_types(path: Path) -> None:
    assert list(problems(load(path))) == []


def first(tree: Json, kind: str) -> Json:
    found: Json = next(p for p in tree["panels"] if p["type"] == kind)
    return found


FAULTS: dict[str, Callable[[Json], object]] = {
    "key": lambda t: t.update(schemaVersio=42),
    "tooltip": lambda t: t.update(graphTooltip=7),
    "width": lambda t: first(t, "stat")["gridPos"].update(w="12"),
    "field": lambda t: first(t, "stat")["fieldConfig"]["defaults"].update(unti="s"),
    "variable": lambda t: t["templating"]["list"][1].update(type="qurey"),
    "colour mode": lambda t: first(t, "stat")["options"].update(colorMode="back"),
    "legend": lambda t: first(t, "timeseries")["options"]["legend"].update(showLegend="yes"),
    "heat": lambda t: first(t, "heatmap")["options"].update(cellGap="0"),
    "link": lambda t: t["links"][0].update(keepTime="yes"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    tree = copy.deepcopy(load(RENDERED / ("pop.json" if name == "heat" else "node.json")))
    FAULTS[name](tree)
    assert list(problems(tree)) != []
