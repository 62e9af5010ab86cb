"""Rule groups and how they are delivered, into a Grafana: one call a group, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from alerts import delivery
from alerts.grafana import DATASOURCE_UID, Json
from dashboards.grafana import FOLDER, Grafana, ask, maybe, version
from dashboards.push import folder_step
from dashboards.reconcile import Change, Step, planned, step

# The first version that keeps an alert firing for a while.
KEEPS_FIRING = (12,)


def plan(
    grafana: Grafana,
    groups: Sequence[Json],
    datasource_uid: str,
    notify: Sequence[str],
    prune: bool,
) -> list[Step]:
    """What a push does. Without `notify`, contact points and policies are left as they are.

    Raises GrafanaUnreachable, RuleError for an address.
    """
    given = delivery.addresses(notify) if notify else {}
    points = delivery.contact_points(given)
    steps = [folder_step(grafana)]
    unknown = () if version(grafana) >= KEEPS_FIRING else ("keep_firing_for",)
    for group in groups:
        ours = _with(group, datasource_uid, unknown)
        steps.append(planned("rule group", group["title"], partial(_group, grafana, ours)))
    if points:
        name = delivery.TEMPLATE
        steps.append(planned("template", name, partial(_template, grafana)))
        steps += _points(grafana, points)
        steps.append(planned("policy", delivery.BRANCH, partial(_policy, grafana, given)))
        steps += _unused_points(grafana, {p["uid"] for p in points}) if prune else ()
    if prune:
        steps += _unused_rules(grafana, {g["title"] for g in groups})
    return steps


def _with(group: Json, datasource_uid: str, unknown: Sequence[str]) -> Json:
    """The group for this Grafana: what it does not know, it would not tell again either."""
    rules = [
        {k: v for k, v in rule.items() if k not in unknown}
        | {"data": [_at(query, datasource_uid) for query in rule["data"]]}
        for rule in group["rules"]
    ]
    return {**group, "rules": rules}


def _at(query: Json, uid: str) -> Json:
    if query["datasourceUid"] != DATASOURCE_UID:
        return query
    source = {**query["model"]["datasource"], "uid": uid}
    return {**query, "datasourceUid": uid, "model": {**query["model"], "datasource": source}}


def _group(grafana: Grafana, group: Json) -> Step:
    """A group is replaced as a whole: rules of it that are ours no longer go with it."""
    title, api = group["title"], grafana.alertingprovisioning
    there = maybe(f"read the group {title}", api.get_rule_group, FOLDER, title)
    write = partial(ask, f"write the group {title}", api.update_rule_group, FOLDER, title, group)
    return step("rule group", title, there, group, write)


def _unused_rules(grafana: Grafana, groups: set[str]) -> Iterator[Step]:
    """Rules of our folder in groups that we do not have: a group ends with its last rule."""
    api = grafana.alertingprovisioning
    for rule in ask("list the rules", api.get_alertrules_all):
        if rule["folderUID"] == FOLDER and rule["ruleGroup"] not in groups:
            name = f"{rule['ruleGroup']} {rule['title']}"
            delete = partial(ask, f"delete the rule {name}", api.delete_alertrule, rule["uid"])
            yield Step("rule", name, Change.DELETE, ("it is ours no longer",), delete)


def _is_locked(there: Json | None) -> bool:
    """Whether it was written by the API, so that it cannot be edited in the browser.

    What is new stays editable; Grafana refuses a write that would change this.
    """
    return bool((there or {}).get("provenance"))


def _template(grafana: Grafana) -> Step:
    ours, api = delivery.template(), grafana.alertingprovisioning
    there = maybe("read the template", api.get_template, ours["name"])

    def write() -> object:
        version = {"version": there["version"]} if there and there.get("version") else {}
        body = {"template": ours["template"], **version}
        put = api.create_or_update_template
        return ask("write the template", put, ours["name"], body, not _is_locked(there))

    return step("template", ours["name"], there, ours, write)


def _points(grafana: Grafana, points: Sequence[Json]) -> Iterator[Step]:
    """Contact points. Their secrets are not told again, so that a URL's is not compared."""
    api = grafana.alertingprovisioning
    found = {p["uid"]: p for p in ask("list the contact points", api.get_contactpoints)}
    for ours in points:
        there, name = found.get(ours["uid"]), f"{ours['name']} ({ours['uid']})"
        if there is None:
            write = partial(ask, f"create {name}", api.create_contactpoint, ours, True)
        else:
            put, free = api.update_contactpoint, not _is_locked(there)
            write = partial(ask, f"write {name}", put, ours["uid"], ours, free)
        yield step("contact point", name, there, ours, write)


def _unused_points(grafana: Grafana, ours: set[str]) -> Iterator[Step]:
    api = grafana.alertingprovisioning
    for point in ask("list the contact points", api.get_contactpoints):
        uid = point["uid"]
        if uid.startswith(f"{delivery.PREFIX}-") and uid not in ours:
            name = f"{point['name']} ({uid})"
            delete = partial(ask, f"delete {name}", api.delete_contactpoint, uid)
            yield Step("contact point", name, Change.DELETE, ("it is ours no longer",), delete)


def _policy(grafana: Grafana, given: delivery.Addresses) -> Step:
    api = grafana.alertingprovisioning
    there = ask("read the policies", api.get_notification_policy_tree)
    ours = delivery.policies(there, given)
    put = api.set_notification_policy_tree
    write = partial(ask, "write the policies", put, ours, not _is_locked(there))
    return step("policy", delivery.BRANCH, there, {"routes": ours["routes"]}, write)
