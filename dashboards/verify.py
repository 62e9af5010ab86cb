"""The only true acceptance test: what the user's own Grafana says of our dashboards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboards.errors import GrafanaError, GrafanaUnreachable, MacroError
from dashboards.grafana import OLDEST_GRAFANA, Grafana, Json, ask, maybe, version
from dashboards.lint import panels
from dashboards.macros import ALL, TimeRange, interpolate
from dashboards.target import PLUGIN


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `state` is ok, empty (no rows: nothing may be wrong) or failed."""

    check: str
    state: str
    detail: str = ""


def verify(
    grafana: Grafana, dashboards: dict[str, Json], datasource_uid: str, span: TimeRange
) -> list[Finding]:
    """Version, plugin, data source, and each query of each dashboard, by Grafana's own API.

    Raises GrafanaUnreachable; whatever else is wrong is a finding.
    """
    found = [_attempt(name, check, grafana, datasource_uid) for name, check in _CHECKS]
    if any(f.state == "failed" for f in found):
        return found
    for dashboard in dashboards.values():
        found += _dashboard(grafana, dashboard, datasource_uid, span)
    return found


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
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            check = f"{dashboard['title']}: {panel['title']}"
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
