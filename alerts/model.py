"""Alert rules as data: one TOML file an area in `rules/`, read and checked here.

`promql` and `sql` are templates: `{floor}` is a key of the rule's `given`, `{labels}` its labels,
and the rest is in `alerts.pieces`. Braces around anything but a lower-case word stay as they are.
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
from alerts.pieces import fill

FOLDER = Path(__file__).with_name("rules")
SEVERITIES = ("critical", "warning", "info", "none")
NO_DATA = ("OK", "NoData", "Alerting", "KeepLast")
# Grafana evaluates a group at a multiple of this many seconds.
BASE_INTERVAL = 10
_NAME = re.compile(r"Popscope[A-Z][A-Za-z]{2,40}")
_PANEL = re.compile(r"(popscope-[a-z]+)/(\d+)")
_REQUIRED = {
    "name", "question", "severity", "panel", "labels", "summary", "description",
    "means", "look", "act", "ends",
}  # fmt: skip
_OPTIONAL = {
    "given", "promql", "sql", "for", "keep_firing", "lookback", "threshold", "no_data", "range",
    "inhibits",
}  # fmt: skip
_INHIBIT_KEYS = {"alerts", "where", "equal"}


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While the alert fires, others whose names match say nothing new.

    `alerts`: a regular expression of names; `where`: matchers of Alertmanager; `equal`: labels that
    must be the same.
    """

    alerts: str
    where: tuple[str, ...]
    equal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times in seconds. `promql` or `sql` may be empty, never both.

    `board` and `panel` are where its link leads, `range` what is shown there. `every` is the time
    between two evaluations by Grafana. `no_data` is the state when the query has no rows.
    """

    name: str
    area: str
    question: str
    severity: str
    board: str
    panel: int
    range: str
    labels: tuple[str, ...]
    summary: str
    description: str
    promql: str
    sql: str
    threshold: float
    lookback: int
    every: int
    wait: int
    keep_firing: int
    no_data: str
    inhibits: tuple[Inhibition, ...]
    means: str
    look: str
    act: str
    ends: str

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
        if tree.keys() != {"every", "alert"}:
            raise RuleError(f"{path.name}: must have `every` and [[alert]], nothing else")
        every = tree["every"]
        if not isinstance(every, int) or every <= 0 or every % BASE_INTERVAL:
            raise RuleError(f"{path.name}: every must be a multiple of {BASE_INTERVAL} s")
        alerts += [_alert(path.stem, every, raw, path.name) for raw in tree["alert"]]
    names = [a.name for a in alerts]
    if twice := {n for n in names if names.count(n) > 1}:
        raise RuleError(f"two alerts have the same name: {', '.join(sorted(twice))}")
    return tuple(alerts)


def named(name: str) -> Alert:
    """The alert of this name. Raises RuleError that lists similar ones."""
    found = {a.name: a for a in load()}
    if name not in found:
        part = name.removeprefix("Popscope").lower()
        near = [n for n in found if part in n.lower()] or sorted(found)
        raise RuleError(f"no alert {name!r}; there are {', '.join(near)}")
    return found[name]


def _alert(area: str, every: int, raw: dict[str, Any], file: str) -> Alert:
    where = f"{file}: {raw.get('name', 'an alert without a name')}"
    _check(raw, where)
    match = _PANEL.fullmatch(raw["panel"])
    if match is None:
        raise RuleError(f"{where}: panel must be like popscope-node/30")
    return Alert(
        name=raw["name"],
        area=area,
        question=raw["question"],
        severity=raw["severity"],
        board=match[1],
        panel=int(match[2]),
        range=raw.get("range", "1h"),
        labels=tuple(raw["labels"]),
        summary=raw["summary"],
        description=_filled(raw, "description", where),
        promql=_filled(raw, "promql", where),
        sql=_filled(raw, "sql", where),
        threshold=raw.get("threshold", 0),
        lookback=raw.get("lookback", 600),
        every=every,
        wait=raw.get("for", 0),
        keep_firing=raw.get("keep_firing", 60),
        no_data=raw.get("no_data", "OK"),
        inhibits=tuple(_inhibition(i, where) for i in raw.get("inhibits", [])),
        means=_filled(raw, "means", where),
        look=_filled(raw, "look", where),
        act=_filled(raw, "act", where),
        ends=raw["ends"].strip(),
    )


def _check(raw: Mapping[str, Any], where: str) -> None:
    if missing := _REQUIRED - raw.keys():
        raise RuleError(f"{where}: lacks {', '.join(sorted(missing))}")
    if unknown := raw.keys() - _REQUIRED - _OPTIONAL:
        raise RuleError(f"{where}: unknown keys {', '.join(sorted(unknown))}")
    if not _NAME.fullmatch(raw["name"]):
        raise RuleError(f"{where}: the name must be CamelCase and begin with Popscope")
    for key, allowed in (("severity", SEVERITIES), ("no_data", NO_DATA)):
        if raw.get(key, allowed[0]) not in allowed:
            raise RuleError(f"{where}: {key} must be one of {', '.join(allowed)}")
    if not raw["question"].endswith("?"):
        raise RuleError(f"{where}: the question must end with a question mark")
    if not (raw.keys() & {"promql", "sql"}):
        raise RuleError(f"{where}: needs promql, sql, or both")


def _inhibition(raw: Mapping[str, Any], where: str) -> Inhibition:
    if not {"alerts", "equal"} <= raw.keys() <= _INHIBIT_KEYS:
        raise RuleError(f"{where}: an inhibition has alerts, equal, and perhaps where")
    return Inhibition(raw["alerts"], tuple(raw.get("where", [])), tuple(raw["equal"]))


def _filled(raw: Mapping[str, Any], key: str, where: str) -> str:
    given = {"labels": ", ".join(raw["labels"]), **raw.get("given", {})}
    try:
        return fill(raw.get(key, ""), given).strip()
    except KeyError as error:
        raise RuleError(f"{where}: {key} uses {{{error.args[0]}}}, which is not given") from error
