"""Rules that a dashboard's JSON must keep, so that it works and reads alike everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, TypeAlias

from dashboards.errors import LintError
from dashboards.target import PLUGIN, PLUGIN_VERSION, PROMETHEUS

Json: TypeAlias = dict[str, Any]
UNITS = frozenset(
    (
        "short",
        "pps",
        "bps",
        "Bps",
        "ops",
        "rowsps",
        "s",
        "ms",
        "ns",
        "d",
        "percentunit",
        "dateTimeAsIso",
        "bytes",
    )
)
DRAWN = frozenset(("timeseries", "stat", "table", "heatmap"))
GRID = 24
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(?!__)(\w+)")
_LINKED_VARIABLE = re.compile(r"var-(\w+)=")
_BUILT_IN = frozenset(("__value", "__data", "__field", "__url_time_range"))
_LIMITED = re.compile(r"\$__(timeFilter|dateFilter)")
# What has no range: views that say how things stand now, and the size of the store.
_OF_NOW = re.compile(r"popscope\.capacity_(growth|headroom|forecast|loss|vip)|system\.tables")
_MILLISECONDS = re.compile(r"popscope\.(\w+_(1s|abs)|instances|frames|events|samples)\b")
_WHOLE_SECONDS = re.compile(r"\$__timeFilter\(|\bts\b[^,)]*\$__(from|to)Time\b")
_NEXT_SELECT = re.compile(r"\bSELECT\b|\bGROUP BY\b|\bORDER BY\b")
_ALIAS_OF_TIME = re.compile(r"\bAS ts\b", re.IGNORECASE)


def lint(dashboard: Json, known_uids: frozenset[str] = frozenset()) -> None:
    """Raises LintError with every rule that the dashboard breaks."""
    problems = [
        *_head(dashboard),
        *_ids(dashboard),
        *_layout(dashboard),
        *(p for panel in _drawn(dashboard) for p in _panel(panel)),
        *_variables(dashboard),
        *_annotations(dashboard),
        *_links(dashboard, known_uids | {dashboard.get("uid", "")}),
    ]
    if problems:
        raise LintError(problems)


def panels(dashboard: Json) -> list[Json]:
    """Panels and rows, those inside collapsed rows too."""
    return [q for p in dashboard.get("panels", []) for q in (p, *p.get("panels", []))]


def _drawn(dashboard: Json) -> list[Json]:
    return [p for p in panels(dashboard) if p.get("type") != "row"]


def _head(dashboard: Json) -> Iterator[str]:
    uid = dashboard.get("uid", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid):
        yield f"uid {uid!r} must be 1 to 40 letters, digits, - or _"
    for key in ("title", "description", "tags"):
        if not dashboard.get(key):
            yield f"the dashboard lacks a {key}"
    if dashboard.get("editable", True):
        yield "the dashboard is editable: what is generated must not be edited in Grafana"
    if dashboard.get("id") is not None:
        yield "id belongs to one Grafana: leave it out"


def _ids(dashboard: Json) -> Iterator[str]:
    seen: set[int] = set()
    for panel in panels(dashboard):
        number = panel.get("id")
        if not isinstance(number, int) or number <= 0:
            yield f"panel {panel.get('title')!r} has no id"
        elif number in seen:
            yield f"panel {panel.get('title')!r}: id {number} is there twice"
        else:
            seen.add(number)


def _layout(dashboard: Json) -> Iterator[str]:
    places = []
    for panel in dashboard.get("panels", []):
        at = panel.get("gridPos", {})
        x, y, w, h = (at.get(k, 0) for k in "xywh")
        if not (w > 0 and h > 0 and x >= 0 and y >= 0 and x + w <= GRID):
            yield f"panel {panel.get('title')!r} lies outside of the grid: {at}"
        places.append((panel.get("title"), x, y, x + w, y + h))
    for (a, ax, ay, ar, ab), (b, bx, by, br, bb) in combinations(places, 2):
        if ax < br and bx < ar and ay < bb and by < ab:
            yield f"panels {a!r} and {b!r} overlap"


def _panel(panel: Json) -> Iterator[str]:
    where = f"panel {panel.get('title')!r}"
    if not panel.get("title"):
        yield f"panel {panel.get('id')} lacks a title"
    question = panel.get("description", "")
    if "?" not in question:
        yield f"{where}: the description is not the question that the panel answers"
    if panel.get("type") not in DRAWN:
        yield f"{where}: the kind {panel.get('type')!r} is not one of {', '.join(sorted(DRAWN))}"
    yield from _targets(where, panel)
    yield from _units(where, panel)


def _targets(where: str, panel: Json) -> Iterator[str]:
    targets = panel.get("targets") or []
    if not targets:
        yield f"{where} has no target"
    references = [t.get("refId") for t in targets]
    if len(set(references)) != len(references):
        yield f"{where}: refIds are not unique: {references}"
    for target in targets:
        yield from _target(where, target)


def _target(where: str, target: Json) -> Iterator[str]:
    source = target.get("datasource") or {}
    if source.get("uid") != "${datasource}" or source.get("type") not in (PLUGIN, PROMETHEUS):
        yield f"{where}: the data source must be the variable, not {source.get('uid')!r}"
    if source.get("type") == PROMETHEUS:
        yield from _promql(where, target.get("expr", ""))
    else:
        yield from _sql(where, target)


def _promql(where: str, expr: str) -> Iterator[str]:
    for name in re.findall(r"(?<![\w:])popscope_\w+_total\b", expr):
        yield f"{where}: {name} is a counter: ask a recorded rate"
    if not re.search(r"popscope_\w+", expr):
        yield f"{where}: the query names no series of ours"


def _sql(where: str, target: Json) -> Iterator[str]:
    if target.get("pluginVersion") != PLUGIN_VERSION or target.get("format") not in (0, 1):
        yield f"{where}: pluginVersion or format is wrong"
    sql = target.get("rawSql", "")
    if "popscope." not in sql and "system.tables" not in sql:
        yield f"{where}: the query names no table with its database"
    if _ALIAS_OF_TIME.search(sql):
        yield f"{where}: an alias hides the time column ts, which defeats the primary key"
    yield from _range(where, sql)
    if target.get("format") == 0 and "ORDER BY time" not in sql:
        yield f"{where}: a time series must be ordered by time"


def _range(where: str, sql: str) -> Iterator[str]:
    if not _LIMITED.search(sql) and not _OF_NOW.search(sql):
        yield f"{where}: the query is not limited to the range"
    for match in _MILLISECONDS.finditer(sql):
        if _WHOLE_SECONDS.search(_own_conditions(sql[match.end() :])):
            yield f"{where}: {match[0]} has milliseconds: use the macros that end in _ms"


def _own_conditions(sql: str) -> str:
    """What stands behind a table, up to the next part of the query."""
    end = _NEXT_SELECT.search(sql)
    return sql[: end.start()] if end else sql


def _units(where: str, panel: Json) -> Iterator[str]:
    config = panel.get("fieldConfig", {})
    unit = config.get("defaults", {}).get("unit")
    if unit not in UNITS:
        yield f"{where}: the unit {unit!r} is not one that we use"
    properties = [p for o in config.get("overrides", []) for p in o.get("properties", [])]
    for setting in properties:
        if setting["id"] == "unit" and setting["value"] not in UNITS:
            yield f"{where}: the unit {setting['value']!r} is not one that we use"
    steps = [config.get("defaults", {}).get("thresholds")]
    steps += [p["value"] for p in properties if p["id"] == "thresholds"]
    for threshold in filter(None, steps):
        values = [s["value"] for s in threshold["steps"]]
        if values[:1] != [None] or values[1:] != sorted(set(values[1:])):
            yield f"{where}: thresholds must begin with null and ascend: {values}"


def _variables(dashboard: Json) -> Iterator[str]:
    declared = dashboard.get("templating", {}).get("list", [])
    names = [v["name"] for v in declared]
    body = json.dumps([panels(dashboard), dashboard.get("annotations"), declared])
    used = {a or b for a, b in _VARIABLE.findall(body)} - _BUILT_IN
    yield from (f"${name} is used and not declared" for name in sorted(used - set(names)))
    yield from (f"${name} is declared and not used" for name in sorted(set(names) - used))
    kinds = {v["query"] for v in declared if v["type"] == "datasource"}
    if not kinds & {PLUGIN, PROMETHEUS}:
        yield "there is no variable for the data source"
    for position, variable in enumerate(declared):
        if variable["type"] != "query":
            continue
        if variable.get("refresh") != 2:
            yield f"${variable['name']} does not refresh when the range changes"
        query = variable["query"].get("rawSql") or variable["query"]["query"]
        inside = {a or b for a, b in _VARIABLE.findall(query)}
        for later in sorted(inside & set(names[position:])):
            yield f"${variable['name']} depends on ${later}, which comes after it"


def _annotations(dashboard: Json) -> Iterator[str]:
    for annotation in dashboard.get("annotations", {}).get("list", []):
        target = annotation.get("target")
        if target is not None:
            yield from _target(f"annotation {annotation['name']!r}", target)


def _links(dashboard: Json, uids: frozenset[str]) -> Iterator[str]:
    text = json.dumps(dashboard)
    for uid in sorted(set(re.findall(r"/d/([\w-]+)", text)) - uids):
        yield f"a link goes to the dashboard {uid!r}, which is not one of ours"
    names = {v["name"] for v in dashboard.get("templating", {}).get("list", [])}
    if dashboard.get("uid") and f"/d/{dashboard['uid']}" in text:
        for name in sorted(set(_LINKED_VARIABLE.findall(text)) - names):
            yield f"a link sets the variable {name!r}, which the dashboard does not have"
