"""Alert rules into a Grafana: one call a group, which replaces the group as a whole."""

from __future__ import annotations

from alerts.grafana import DATASOURCE_UID, FOLDER, Json
from dashboards.grafana import Change, Grafana, ask, contains, ensure_folder, maybe


def publish(grafana: Grafana, groups: list[Json], datasource_uid: str) -> list[Change]:
    """Bring the groups into the folder; a group that is already the same is left alone.

    Rules of a group that are no longer ours are removed with it. Raises GrafanaError.
    """
    return [ensure_folder(grafana), *(_publish(grafana, _with(g, datasource_uid)) for g in groups)]


def _with(group: Json, datasource_uid: str) -> Json:
    rules = []
    for rule in group["rules"]:
        data = [_at(query, datasource_uid) for query in rule["data"]]
        rules.append({**rule, "data": data})
    return {**group, "rules": rules}


def _at(query: Json, uid: str) -> Json:
    if query["datasourceUid"] != DATASOURCE_UID:
        return query
    source = {**query["model"]["datasource"], "uid": uid}
    return {**query, "datasourceUid": uid, "model": {**query["model"], "datasource": source}}


def _publish(grafana: Grafana, group: Json) -> Change:
    title, api = group["title"], grafana.alertingprovisioning
    there = maybe(f"read the group {title}", api.get_rule_group, FOLDER, title)
    if there and contains(there, group):
        return Change("rule group", title, "unchanged")
    ask(f"write the group {title}", api.update_rule_group, FOLDER, title, group)
    return Change("rule group", title, "updated" if there else "created")
