"""The only true acceptance test: what the user's own Grafana says of our dashboards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboards.errors import GrafanaError, GrafanaUnreachable, MacroError
from dashboards.grafana import (
    FOLDER,
    FOLDER_TITLE,
    OLDEST_GRAFANA,
    Grafana,
    Json,
    ask,
    maybe,
    version,
)
from dashboards.lint import panels
from dashboards.macros import ALL, TimeRange, interpolate
from dashboards.target import PLUGIN

RULES = "/prometheus/grafana/api/v1/rules"
# A rule that was not evaluated yet is `unknown`.
HEALTHS = {"ok": "ok", "nodata": "empty", "unknown": "empty"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `state` is ok, empty (no rows: nothing may be wrong) or failed."""

    check: str
    state: str
    detail: str = ""


def verify(
    grafana: Grafana, dashboards: dict[str, Json], datasource_uid: str, span: TimeRange
) -> list[Finding]:
    """Version, plugin, data source, each query of each dashboard, and the health of each rule of
    our folder, by Grafana's own API.

    Raises GrafanaUnreachable; whatever else is wrong is a finding.
    """
    found = [_attempt(name, check, grafana, datasource_uid) for name, check in _CHECKS]
    if any(f.state == "failed" for f in found):
        return found
    for dashboard in dashboards.values():
        found += _dashboard(grafana, dashboard, datasource_uid, span)
    return [*found, *_rules(grafana)]


def _attempt(name: str, check: object, grafana: Grafana, uid: str) -> Finding:
    assert callable(check)
    try:
        return Finding(name, "ok", str(check(grafana, uid)))
    except GrafanaUnreachable:
        raise
    except GrafanaError as error:
        return Finding(name, "failed", str(error))


def _version(grafana: Grafana, _: str) -> str:
    found = version(grafana)
    if found < OLDEST_GRAFANA:
        raise GrafanaError(
            f"Grafana {found} is older than {OLDEST_GRAFANA}, which the plugin needs"
        )
    return ".".join(map(str, found))


def _plugin(grafana: Grafana, _: str) -> str:
    settings = maybe("read the plugin", grafana.client.GET, f"/plugins/{PLUGIN}/settings")
    if settings is None:
        raise GrafanaError(
            f"the plugin {PLUGIN} is not installed: grafana cli plugins install {PLUGIN}"
        )
    return str(settings.get("info", {}).get("version", ""))


def _datasource(grafana: Grafana, uid: str) -> str:
    source = maybe("read the data source", grafana.datasource.get_datasource_by_uid, uid)
    if source is None:
        raise GrafanaError(f"there is no data source with the uid {uid}: see dashboards/README.md")
    if source["type"] != PLUGIN:
        raise GrafanaError(f"the data source {uid} is of type {source['type']}, not {PLUGIN}")
    health = ask("ask the data source", grafana.client.GET, f"/datasources/uid/{uid}/health")
    if health.get("status") != "OK":
        raise GrafanaError(f"the data source {uid} is not healthy: {health.get('message')}")
    return str(health.get("message", ""))


_CHECKS = (("version", _version), ("plugin", _plugin), ("data source", _datasource))


def _dashboard(grafana: Grafana, dashboard: Json, uid: str, span: TimeRange) -> Iterator[Finding]:
    names = [v["name"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    values = {name: [ALL] for name in names}
    targets = [(p["title"], t) for p in panels(dashboard) for t in p.get("targets", [])]
    targets += [
        (f"${v['name']}", v["query"])
        for v in dashboard["templating"]["list"]
        if v["type"] == "query"
    ]
    targets += [(a["name"], a["target"]) for a in dashboard["annotations"]["list"] if "target" in a]
    for name, target in targets:
        check = f"{dashboard['title']}: {name}"
        yield _query(grafana, check, _request(target, uid, values, span))


def _request(target: Json, uid: str, values: dict[str, list[str]], span: TimeRange) -> Json:
    """The body that the browser would send, every variable at All."""
    query = {
        **target,
        "datasource": {"type": PLUGIN, "uid": uid},
        "rawSql": interpolate(target["rawSql"], values),
        "intervalMs": span.interval_ms,
        "maxDataPoints": 1_000,
    }
    return {"queries": [query], "from": str(span.start_ms), "to": str(span.end_ms)}


def _query(grafana: Grafana, check: str, body: Json) -> Finding:
    try:
        answer: Json = ask(check, grafana.client.POST, "/ds/query", json=body)
    except (GrafanaError, MacroError) as error:
        return Finding(check, "failed", str(error))
    result = answer["results"][body["queries"][0]["refId"]]
    if result.get("error"):
        return Finding(check, "failed", str(result["error"]))
    columns = [c for f in result.get("frames", []) for c in f["data"]["values"]]
    rows = max((len(c) for c in columns), default=0)
    return Finding(check, "ok" if rows else "empty", f"{rows} rows")


def _rules(grafana: Grafana) -> Iterator[Finding]:
    """The health of each rule of our folder, as Grafana's evaluation left it."""
    try:
        answer: Json = ask("read the rules", grafana.client.GET, RULES)
    except GrafanaError as error:
        yield Finding("rules", "failed", str(error))
        return
    groups = answer.get("data", {}).get("groups", [])
    ours = [g for g in groups if g.get("folderUid") == FOLDER or g.get("file") == FOLDER_TITLE]
    rules = [r for g in ours for r in g["rules"]]
    if not rules:
        yield Finding("rules", "empty", "no rules: popscope alerts push")
    for rule in rules:
        state = HEALTHS.get(rule.get("health", ""), "failed")
        yield Finding(f"rule {rule['name']}", state, str(rule.get("lastError") or ""))
