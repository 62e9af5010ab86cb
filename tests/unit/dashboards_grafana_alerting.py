"""The provisioning of alert rules and of their delivery, as Grafana answers and refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from alerts.grafana import problems
from tests.unit.dashboards_grafana_answers import Json, message, uid_problem

BASE = "/api/v1/provisioning"
DENIED = "cannot change provenance from '{}' to '{}'"
_DURATION = re.compile(r"\d+[smhd]")


@dataclass(slots=True)
class AlertingState:
    """Groups by name, contact points by uid, the tree of policies, templates by name."""

    groups: dict[str, Json] = field(default_factory=dict)
    points: dict[str, Json] = field(default_factory=dict)
    policies: Json = field(
        default_factory=lambda: {
            "receiver": "grafana-default-email",
            "group_by": ["grafana_folder", "alertname"],
            "provenance": "",
            "routes": [{"receiver": "team b", "object_matchers": [["team", "=", "b"]]}],
        }
    )
    templates: dict[str, Json] = field(default_factory=dict)
    health: dict[str, tuple[str, str]] = field(default_factory=dict)  # of a rule, by its title

    @property
    def receivers(self) -> set[str]:
        return {"grafana-default-email", "team b", *(p["name"] for p in self.points.values())}


def _provenance(request: web.Request) -> str:
    return "" if request.headers.get("X-Disable-Provenance") else "api"


def _denied(before: Json | None, wanted: str) -> web.Response | None:
    """Once something belongs to the API or to a file, only that may change it."""
    owner = (before or {}).get("provenance", "")
    if owner and owner != wanted:
        return message(409, DENIED.format(owner, wanted))
    return None


def _receivers(tree: Json) -> Iterator[Json]:
    yield tree
    for route in tree.get("routes") or []:
        yield from _receivers(route)


class Alerting:
    def __init__(self, state: AlertingState, folders: dict[str, Json]) -> None:
        self.state, self.folders = state, folders

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        group = BASE + "/folder/{folder}/rule-groups/{group}"
        return [
            ("GET", group, self.group),
            ("PUT", group, self.put_group),
            ("GET", BASE + "/alert-rules", self.rules),
            ("DELETE", BASE + "/alert-rules/{uid}", self.delete_rule),
            ("GET", BASE + "/contact-points", self.points),
            ("POST", BASE + "/contact-points", self.create_point),
            ("PUT", BASE + "/contact-points/{uid}", self.put_point),
            ("DELETE", BASE + "/contact-points/{uid}", self.delete_point),
            ("GET", BASE + "/policies", self.policies),
            ("PUT", BASE + "/policies", self.put_policies),
            ("GET", BASE + "/templates/{name}", self.template),
            ("PUT", BASE + "/templates/{name}", self.put_template),
            ("GET", "/api/prometheus/grafana/api/v1/rules", self.healths),
        ]

    async def group(self, request: web.Request) -> web.Response:
        found = self.state.groups.get(request.match_info["group"])
        return web.json_response(found) if found else message(404, "rule group does not exist")

    async def put_group(self, request: web.Request) -> web.Response:
        """All of the group, or nothing."""
        body, name = await request.json(), request.match_info["group"]
        if request.match_info["folder"] not in self.folders:
            return message(400, "folder does not exist")
        if found := problems(body):
            return message(400, "; ".join(found))
        others = [r for g, t in self.state.groups.items() if g != name for r in t["rules"]]
        for rule in body["rules"]:
            if any(rule["uid"] == o["uid"] or rule["title"] == o["title"] for o in others):
                return message(409, "conflicting alert rule found: uid or title is taken")
        for before in self.state.groups.get(name, {}).get("rules", []):
            if (denied := _denied(before, _provenance(request))) is not None:
                return denied
        added = {"id": 1, "orgID": 1, "updated": "2026-01-01T00:00:00Z"}
        rules = [
            {**r, **added, "provenance": _provenance(request), "for": _go(r["for"])}
            for r in body["rules"]
        ]
        self.state.groups[name] = {**body, "rules": rules}
        return web.json_response(self.state.groups[name])

    async def rules(self, _: web.Request) -> web.Response:
        return web.json_response([r for g in self.state.groups.values() for r in g["rules"]])

    async def delete_rule(self, request: web.Request) -> web.Response:
        for name, group in list(self.state.groups.items()):
            group["rules"] = [r for r in group["rules"] if r["uid"] != request.match_info["uid"]]
            if not group["rules"]:
                del self.state.groups[name]
        return web.Response(status=204)

    async def points(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.state.points.values()))

    async def create_point(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("uid") in self.state.points:
            return message(409, "a contact point with this uid already exists")
        return self._keep_point(request, body)

    async def put_point(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        if uid not in self.state.points:
            return message(404, "contact point not found")
        if (denied := _denied(self.state.points[uid], _provenance(request))) is not None:
            return denied
        return self._keep_point(request, {**await request.json(), "uid": uid})

    def _keep_point(self, request: web.Request, body: Json) -> web.Response:
        needed = {"webhook": "url", "email": "addresses"}.get(body.get("type", ""))
        if needed is None or not body.get("settings", {}).get(needed):
            return message(400, f"invalid contact point: {needed or 'type'} is missing")
        if problem := uid_problem(body["uid"]):
            return message(400, problem)
        if not body.get("name"):
            return message(400, "name should not be an empty string")
        self.state.points[body["uid"]] = {**body, "provenance": _provenance(request)}
        return web.json_response(self.state.points[body["uid"]], status=202)

    async def delete_point(self, request: web.Request) -> web.Response:
        point = self.state.points[request.match_info["uid"]]
        same = [p for p in self.state.points.values() if p["name"] == point["name"]]
        used = {r["receiver"] for r in _receivers(self.state.policies)}
        if point["name"] in used and len(same) == 1:
            return message(409, "contact point is currently used by a notification policy")
        del self.state.points[request.match_info["uid"]]
        return message(202, "contactpoint deleted")

    async def policies(self, _: web.Request) -> web.Response:
        return web.json_response(self.state.policies)

    async def put_policies(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (denied := _denied(self.state.policies, _provenance(request))) is not None:
            return denied
        for route in _receivers(body):
            if route["receiver"] not in self.state.receivers:
                return message(400, f"receiver '{route['receiver']}' does not exist")
            for key in ("group_wait", "group_interval", "repeat_interval"):
                if key in route and not _DURATION.fullmatch(route[key]):
                    return message(400, f"{key} is no duration")
        self.state.policies = {**body, "provenance": _provenance(request)}
        return message(202, "policies updated")

    async def template(self, request: web.Request) -> web.Response:
        found = self.state.templates.get(request.match_info["name"])
        return web.json_response(found) if found else message(404, "template not found")

    async def put_template(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.json()
        before = self.state.templates.get(name)
        if (denied := _denied(before, _provenance(request))) is not None:
            return denied
        text = body.get("template", "")
        if not text or text.count("{{") != text.count("}}"):
            return message(400, "invalid template")
        if before and body.get("version", before["version"]) != before["version"]:
            return message(409, "version conflict: the template was changed by someone else")
        version = f"v{int(before['version'][1:]) + 1}" if before else "v1"
        kept = {"name": name, "template": text, "version": version}
        self.state.templates[name] = kept | {"provenance": _provenance(request)}
        return web.json_response(self.state.templates[name], status=202)

    async def healths(self, _: web.Request) -> web.Response:
        groups = [
            {
                "name": name,
                "file": "Popscope",
                "folderUid": group["folderUid"],
                "rules": [self._health(rule["title"]) for rule in group["rules"]],
            }
            for name, group in self.state.groups.items()
        ]
        return web.json_response({"status": "success", "data": {"groups": groups}})

    def _health(self, title: str) -> Json:
        health, error = self.state.health.get(title, ("ok", ""))
        return {"name": title, "type": "alerting", "health": health, "lastError": error}


def _go(duration: str) -> str:
    """A duration as Grafana writes it: 60s is 1m."""
    seconds = int(duration.removesuffix("s"))
    return f"{seconds // 60}m" if seconds and seconds % 60 == 0 else duration
