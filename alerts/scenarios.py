"""Scenarios: what happens over time, and which alerts must stand at given instants.

They are in `scenarios/`, one file an area, beside the rules. `rows` are played to the SQL rule,
`series` to the PromQL rule. Seconds count from the scenario's beginning.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alerts.errors import ScenarioError
from alerts.model import Alert, load

FOLDER = Path(__file__).with_name("scenarios")
PLACE = {"pop": "ams", "node": "ams-d1", "instance": "core0"}
_KEYS = {"alert", "name", "rows", "series", "step", "alive", "expect"}
_EXPECT_KEYS = {"at", "fires", "pending"}
_ROW_KEYS = {"table", "t"}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table from `start` to `end`, one each `every` seconds, all with these columns."""

    table: str
    start: int
    end: int
    every: int
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that must stand: its labels, and where the scenario says so value and summary."""

    labels: Mapping[str, str]
    value: float | None
    says: str


@dataclass(frozen=True, slots=True)
class Instant:
    """What must be at this second: alerts that fire, and alerts that wait for their `for`."""

    at: int
    fires: tuple[Expected, ...]
    pending: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `step`: seconds between two samples of `series`.

    `rows` have the frames and states of their nodes, also where the file leaves them out.
    """

    alert: Alert
    name: str
    rows: tuple[Rows, ...]
    series: tuple[tuple[str, str], ...]
    step: int
    instants: tuple[Instant, ...]

    @property
    def fires(self) -> bool:
        """Whether anything fires in it; else it is a near miss."""
        return any(i.fires for i in self.instants)

    @property
    def end(self) -> int:
        return max(i.at for i in self.instants)


@cache
def scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """Every scenario of the folder. Raises ScenarioError, naming the file and what is wrong."""
    alerts = {a.name: a for a in load()}
    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            tree = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise ScenarioError(f"{path.name}: {error}") from error
        if tree.keys() != {"scenario"}:
            raise ScenarioError(f"{path.name}: must have [[scenario]], nothing else")
        found += [_scenario(raw, alerts, path.name) for raw in tree["scenario"]]
    return tuple(found)


def _scenario(raw: dict[str, Any], alerts: Mapping[str, Alert], file: str) -> Scenario:
    where = f"{file}: {raw.get('alert')}: {raw.get('name')}"
    alert = _checked(raw, alerts, where)
    instants = tuple(_instant(e, alert, where) for e in raw["expect"])
    rows = [_rows(r, where) for r in raw.get("rows", [])]
    if "rows" in raw:
        rows += _alive(raw.get("alive", [0, max(i.at for i in instants)]), rows)
    return Scenario(
        alert=alert,
        name=raw["name"],
        rows=tuple(rows),
        series=tuple(_series(s, where) for s in raw.get("series", [])),
        step=raw.get("step", 5),
        instants=instants,
    )


def _checked(raw: Mapping[str, Any], alerts: Mapping[str, Alert], where: str) -> Alert:
    """The alert that the scenario is of."""
    if unknown := raw.keys() - _KEYS:
        raise ScenarioError(f"{where}: unknown keys {', '.join(sorted(unknown))}")
    if missing := {"alert", "name", "expect"} - raw.keys():
        raise ScenarioError(f"{where}: lacks {', '.join(sorted(missing))}")
    alert = alerts.get(raw["alert"])
    if alert is None:
        raise ScenarioError(f"{where}: there is no alert of this name")
    for key, rule in (("rows", alert.sql), ("series", alert.promql)):
        if key in raw and not rule:
            raise ScenarioError(f"{where}: has {key}, and the alert no rule for them")
    if not {"rows", "series"} & raw.keys():
        raise ScenarioError(f"{where}: has neither rows nor series")
    if not raw["expect"]:
        raise ScenarioError(f"{where}: expects nothing")
    return alert


def _instant(raw: dict[str, Any], alert: Alert, where: str) -> Instant:
    if "at" not in raw or (raw.keys() - _EXPECT_KEYS):
        raise ScenarioError(f"{where}: an expectation has at, fires and pending: {raw}")
    fires, pending = (
        tuple(_expected(e, alert, where) for e in raw.get(key, [])) for key in ("fires", "pending")
    )
    return Instant(raw["at"], fires, pending)


def _expected(raw: dict[str, Any], alert: Alert, where: str) -> Expected:
    given = {k: str(v) for k, v in raw.items() if k not in ("value", "says")}
    if unknown := given.keys() - set(alert.labels):
        raise ScenarioError(f"{where}: {', '.join(unknown)} is no label of {alert.name}")
    labels = {k: v for k, v in (PLACE | given).items() if k in alert.labels}
    if missing := set(alert.labels) - labels.keys():
        raise ScenarioError(f"{where}: expects an alert without {', '.join(sorted(missing))}")
    return Expected(labels, raw.get("value"), raw.get("says", ""))


def _series(text: str, where: str) -> tuple[str, str]:
    """A series of Prometheus with the labels of the place, and its values."""
    series, _, values = text.rpartition("} ")
    name, _, labels = series.partition("{")
    if not name.strip() or not values:
        raise ScenarioError(f"{where}: {text!r} is not NAME{{LABELS}} VALUES")
    given = {pair.partition("=")[0].strip() for pair in labels.split(",") if pair.strip()}
    wanted = PLACE if name.startswith("popscope_") else {}
    if name.startswith(("popscope_pipeline_", "popscope_exporter_")):
        wanted = {}
    common = [f'{k}="{v}"' for k, v in wanted.items() if k not in given]
    return f"{name}{{{','.join([*common, labels] if labels else common)}}}", values


def _rows(raw: dict[str, Any], where: str) -> Rows:
    if missing := _ROW_KEYS - raw.keys():
        raise ScenarioError(f"{where}: rows lack {', '.join(sorted(missing))}")
    table = raw["table"]
    spaced = {"abs": 60, "1m": 60, "1h": 3_600, "hours": 3_600}.get(table.rpartition("_")[2], 1)
    columns = {k: v for k, v in raw.items() if k not in (*_ROW_KEYS, "every")}
    return Rows(table, raw["t"][0], raw["t"][1], raw.get("every", spaced), columns)


def _alive(span: list[int], rows: list[Rows]) -> list[Rows]:
    """Frames and states of the nodes of the rows, once a second, where the rows have none."""
    said = {r.table for r in rows}
    nodes = {
        (PLACE | dict(r.columns))["pop"] + "/" + (PLACE | dict(r.columns))["node"] for r in rows
    }
    found = []
    for pop, node in sorted(n.split("/") for n in nodes):
        for table in ("instances", "frames"):
            if table not in said and span:
                found.append(Rows(table, span[0], span[1], 1, {"pop": pop, "node": node}))
    return found
