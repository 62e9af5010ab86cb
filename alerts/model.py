"""Alert rules as data: one TOML file an area, read and checked here.

`promql` and `sql` are templates: `{floor}`, `{window}`, ... are keys of the alert, and a few more
come from the counter catalogue (`pieces`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alerts.errors import RuleError
from lb.catalogue import load as load_catalogue

FOLDER = Path(__file__).with_name("rules")
SEVERITIES = ("critical", "warning", "info")
_NAME = re.compile(r"Popscope[A-Z][A-Za-z]{2,40}")
_REQUIRED = {"name", "severity", "panel", "labels", "summary", "description", "promql", "sql"}
_OPTIONAL = {"window", "for", "keep_firing", "floor", "floor_others", "floor_heartbeat", "service"}
_KEYS = _REQUIRED | _OPTIONAL | {"lookback", "threshold", "scenario"}
_SCENARIO_KEYS = {"name", "fires", "increments", "absolute", "newest_age", "stored_age"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Data of one lcore, and the labels of the alerts that it must raise with the SQL rule.

    `increments` a second and `absolute` values by counter; `newest_age` and `stored_age`: seconds
    since the newest data was counted and since it was stored.
    """

    name: str
    fires: tuple[Mapping[str, str], ...]
    increments: Mapping[str, int]
    absolute: Mapping[str, int]
    newest_age: int
    stored_age: int


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times in seconds; `panel` is where its dashboard link leads."""

    name: str
    area: str
    severity: str
    panel: int
    labels: tuple[str, ...]
    summary: str
    description: str
    promql: str
    sql: str
    threshold: float
    lookback: int
    wait: int
    keep_firing: int
    scenarios: tuple[Scenario, ...]

    @property
    def linked(self) -> tuple[str, ...]:
        """Labels that the dashboard link sets; without an lcore, `instance` is a scrape target."""
        return self.labels if "lcore" in self.labels else ("pop", "node")

    @property
    def anchor(self) -> str:
        """Of its heading in the runbook."""
        return self.name.lower()


@cache
def load(folder: Path = FOLDER) -> tuple[Alert, ...]:
    """Every alert of the folder. Raises RuleError, naming the file and what is wrong."""
    alerts: list[Alert] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            tree = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise RuleError(f"{path.name}: {error}") from error
        if "area" not in tree or tree.keys() != {"area", "alert"}:
            raise RuleError(f"{path.name}: must have `area` and [[alert]], nothing else")
        alerts += [_alert(tree["area"], raw, path.name) for raw in tree["alert"]]
    names = [a.name for a in alerts]
    if len(set(names)) != len(names):
        raise RuleError(f"two alerts have the same name: {sorted(names)}")
    return tuple(alerts)


def _alert(area: str, raw: dict[str, Any], file: str) -> Alert:
    where = f"{file}: {raw.get('name', 'an alert without a name')}"
    if missing := _REQUIRED - raw.keys():
        raise RuleError(f"{where}: lacks {', '.join(sorted(missing))}")
    if unknown := raw.keys() - _KEYS:
        raise RuleError(f"{where}: unknown keys {', '.join(sorted(unknown))}")
    if not _NAME.fullmatch(raw["name"]):
        raise RuleError(f"{where}: the name must be CamelCase and begin with Popscope")
    if raw["severity"] not in SEVERITIES:
        raise RuleError(f"{where}: severity must be one of {', '.join(SEVERITIES)}")
    return Alert(
        name=raw["name"],
        area=area,
        severity=raw["severity"],
        panel=raw["panel"],
        labels=tuple(raw["labels"]),
        summary=raw["summary"],
        description=raw["description"],
        promql=_filled(raw["promql"], raw, where),
        sql=_filled(raw["sql"], raw, where),
        threshold=raw.get("threshold", 0),
        lookback=raw.get("lookback", 600),
        wait=raw.get("for", 0),
        keep_firing=raw.get("keep_firing", 0),
        scenarios=tuple(_scenario(s, where) for s in raw.get("scenario", [])),
    )


def _scenario(raw: dict[str, Any], where: str) -> Scenario:
    if unknown := raw.keys() - _SCENARIO_KEYS:
        raise RuleError(f"{where}: a scenario has unknown keys {', '.join(sorted(unknown))}")
    newest = raw.get("newest_age", 2)
    return Scenario(
        name=raw["name"],
        fires=tuple(raw["fires"]),
        increments=raw.get("increments", {}),
        absolute=raw.get("absolute", {}),
        newest_age=newest,
        stored_age=raw.get("stored_age", newest),
    )


def _filled(template: str, raw: Mapping[str, Any], where: str) -> str:
    numbers = {k: v for k, v in raw.items() if isinstance(v, int | float)}
    service = raw.get("service", [])
    try:
        return template.strip().format(
            labels=", ".join(raw["labels"]),
            service="|".join(service),
            service_list=", ".join(f"'{s}'" for s in service),
            **numbers,
            **pieces(),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise RuleError(f"{where}: a template cannot be filled: {error}") from error


@cache
def pieces() -> Mapping[str, str]:
    """Pieces of SQL from the catalogue: the terms of the ledger law, sums and pairs of drops."""
    catalogue = load_catalogue()
    terms = {
        term: " + ".join(c.id for c in catalogue.ledger(term))
        for term in ("rx", "originated", "tx", "drop", "consumed", "held")
    }
    drops = catalogue.ledger("drop")
    return terms | {
        "drop_sums": ", ".join(f"sum({c.id}) AS {c.id}" for c in drops),
        "drop_pairs": ", ".join(f"('{dict(c.labels)['reason']}', {c.id})" for c in drops),
    }
