"""Alert rules of Grafana: groups for the provisioning API, and the checks that Grafana makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, TypeAlias

from alerts.links import Links, texts
from alerts.model import BASE_INTERVAL, NO_DATA, Alert
from dashboards.target import PLUGIN

Json: TypeAlias = dict[str, Any]
FOLDER, FOLDER_TITLE = "popscope", "Popscope"
DATASOURCE_UID = "popscope-clickhouse"
EXPRESSION = "__expr__"
_STATES = {
    "noDataState": NO_DATA,
    "execErrState": ("Alerting", "Error", "OK", "KeepLast"),
}
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_DURATION = re.compile(r"\d+(s|m|h)")
# Macros that only Grafana's front end expands: an alert rule is evaluated without it.
_FRONT_END = re.compile(r"\$__(conditionalAll|adHocFilters)|\$\{|\$(?!__)\w")


def groups(alerts: tuple[Alert, ...], links: Links) -> list[Json]:
    """One rule group an area with SQL rules, as PUT to the provisioning API."""
    in_sql = (a for a in alerts if a.sql)
    return [
        {
            "title": f"popscope.{area}",
            "folderUid": FOLDER,
            "interval": every,
            "rules": [_rule(alert, links) for alert in members],
        }
        for (area, every), members in groupby(in_sql, key=lambda a: (a.area, a.every))
    ]


def _rule(alert: Alert, links: Links) -> Json:
    return {
        "uid": f"popscope-{alert.name.removeprefix('Popscope').lower()}"[:40],
        "title": alert.name,
        "ruleGroup": f"popscope.{alert.area}",
        "folderUID": FOLDER,
        "condition": "C",
        "for": f"{alert.wait}s",
        "keep_firing_for": f"{alert.keep_firing}s",
        "noDataState": alert.no_data,
        "execErrState": "Error",
        "labels": {"severity": alert.severity, "area": alert.area},
        "annotations": {
            **{key: _template(text) for key, text in texts(alert, links).items()},
            "__dashboardUid__": alert.board,
            "__panelId__": str(alert.panel),
        },
        "data": [_query(alert), _condition(alert)],
    }


def _template(text: str) -> str:
    """Prometheus calls the value $value, Grafana by the query's refId."""
    return text.replace("$value", "$values.A.Value")


def _query(alert: Alert) -> Json:
    return {
        "refId": "A",
        "datasourceUid": DATASOURCE_UID,
        "relativeTimeRange": {"from": alert.lookback, "to": 0},
        "model": {
            "refId": "A",
            "datasource": {"type": PLUGIN, "uid": DATASOURCE_UID},
            "editorType": "sql",
            "queryType": "table",
            "format": 1,
            "rawSql": alert.sql,
            "intervalMs": 1_000,
            "maxDataPoints": 43_200,
        },
    }


def _condition(alert: Alert) -> Json:
    return {
        "refId": "C",
        "datasourceUid": EXPRESSION,
        "relativeTimeRange": {"from": 0, "to": 0},
        "model": {
            "refId": "C",
            "type": "threshold",
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
            "expression": "A",
            "conditions": [{"evaluator": {"type": "gt", "params": [alert.threshold]}}],
        },
    }


def problems(group: Json) -> list[str]:
    """What Grafana would refuse, or silently not do, in a rule group."""
    found = [f"group {group.get('title')!r}: {p}" for p in _group_problems(group)]
    for rule in group.get("rules", []):
        where = f"rule {rule.get('title')!r}"
        found += [f"{where}: {p}" for p in (*_rule_problems(rule), *_data_problems(rule))]
        if rule.get("folderUID") != group.get("folderUid"):
            found.append(f"{where}: is not in the folder of its group")
    return found


def _group_problems(group: Json) -> Iterator[str]:
    if not 1 <= len(group.get("title", "")) <= 190:
        yield "the title must have 1 to 190 characters"
    interval = group.get("interval")
    if not isinstance(interval, int) or interval <= 0 or interval % BASE_INTERVAL:
        yield f"interval must be whole seconds, a multiple of {BASE_INTERVAL}"


def _rule_problems(rule: Json) -> Iterator[str]:
    if not _UID.fullmatch(rule.get("uid", "")):
        yield "invalid UID: 1 to 40 letters, digits, - or _"
    if not 1 <= len(rule.get("title", "")) <= 190:
        yield "the title must have 1 to 190 characters"
    for key in ("for", "keep_firing_for"):
        if not _DURATION.fullmatch(str(rule.get(key, "0s" if key != "for" else ""))):
            yield f"`{key}` must be a duration such as 30s"
    for key, allowed in _STATES.items():
        if rule.get(key) not in allowed:
            yield f"unknown {key} {rule.get(key)!r}"
    for key in (k for k in rule.get("labels", {}) if k.startswith("__grafana")):
        yield f"label {key} is reserved"
    yield from _link_problems(rule.get("annotations", {}))


def _link_problems(annotations: Json) -> Iterator[str]:
    if ("__dashboardUid__" in annotations) != ("__panelId__" in annotations):
        yield "__dashboardUid__ and __panelId__ must both be there, or neither"
    if not str(annotations.get("__panelId__", "0")).isdigit():
        yield "__panelId__ must be a number"


def _data_problems(rule: Json) -> Iterator[str]:
    data = rule.get("data", [])
    references = [q.get("refId") for q in data]
    if not data or len(set(references)) != len(references):
        yield "needs queries with distinct refIds"
    if rule.get("condition") not in references:
        yield f"condition {rule.get('condition')!r} is not one of its queries"
    for query in data:
        model, ref = query.get("model", {}), query.get("refId")
        if query.get("datasourceUid") == EXPRESSION:
            if model.get("expression") not in references:
                yield f"{ref}: the expression uses {model.get('expression')!r}, which is not there"
            continue
        span = query.get("relativeTimeRange", {})
        if not span.get("from", 0) > span.get("to", 0) >= 0:
            yield f"{ref}: invalid relative time range {span}"
        if match := _FRONT_END.search(model.get("rawSql", "")):
            yield f"{ref}: {match[0]} is expanded by the front end only"
