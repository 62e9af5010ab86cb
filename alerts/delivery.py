"""How an alert of Grafana reaches a person: `routing.toml` as Grafana's API and its files take it.

The tree of policies is the user's: our one branch is put into it, and all the others stay. It takes
the alerts of our folder, and those that Grafana raises itself about our rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from alerts.errors import RuleError
from alerts.routing import MATCHER, TEMPLATES, Route, load_routing
from dashboards.grafana import FOLDER_TITLE

Json: TypeAlias = dict[str, Any]
Addresses: TypeAlias = Mapping[str, Sequence[str]]
# Whatever of ours has this name, or one that begins with it, is ours to change and to delete.
PREFIX = "popscope"
TEMPLATE = "popscope"
BRANCH = "popscope alerts"
SUBJECT = '{{ template "popscope.subject" . }}'
SILENCES = "{{ range .Alerts.Firing }}Silence: {{ .SilenceURL }}\n{{ end }}"
MESSAGE = '{{ template "popscope.text" . }}' + SILENCES
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def template() -> Json:
    """The message, as PUT to templates/{name}."""
    return {"name": TEMPLATE, "template": TEMPLATES.read_text()}


def contact(receiver: str) -> str:
    """The name of a receiver's contact point."""
    return f"{PREFIX} {receiver}"


def addresses(given: Sequence[str]) -> dict[str, list[str]]:
    """Addresses by receiver from `ADDRESS` and `RECEIVER=ADDRESS`.

    An address without a receiver is of every receiver that has none of its own, but for optional
    ones. Raises RuleError for what is no address, or when a receiver would get nothing.
    """
    receivers = load_routing().receivers
    found: dict[str, list[str]] = {r.name: [] for r in receivers}
    others = []
    for text in given:
        name, _, address = text.partition("=")
        if name in found:
            found[name].append(address)
        else:
            others.append(text)
    for receiver in receivers:
        if not found[receiver.name] and not receiver.optional:
            found[receiver.name] = others
    if missing := [r.name for r in receivers if not (found[r.name] or r.optional)]:
        raise RuleError(f"no address of the receivers {', '.join(missing)}")
    return {name: there for name, there in found.items() if there}


def contact_points(given: Addresses) -> list[Json]:
    """Contact points; several addresses make one of several. Raises RuleError for an address."""
    return [
        _contact_point(receiver, address, number)
        for receiver, there in given.items()
        for number, address in enumerate(there, 1)
    ]


def _contact_point(receiver: str, address: str, number: int) -> Json:
    parts = urlsplit(address)
    uid = f"{PREFIX}-{receiver}-{number}"
    common = {"uid": uid, "name": contact(receiver), "disableResolveMessage": False}
    if address.startswith("$") or (parts.scheme in ("http", "https") and parts.hostname):
        settings = {"url": address, "httpMethod": "POST", "title": SUBJECT, "message": MESSAGE}
        return common | {"type": "webhook", "settings": settings}
    if _EMAIL.fullmatch(address):
        settings = {"addresses": address, "subject": SUBJECT, "message": MESSAGE}
        return common | {"type": "email", "settings": settings}
    raise RuleError(f"{address!r} is neither a webhook's URL nor an e-mail address")


def branch(given: Addresses) -> Json:
    """Our branch of the tree; routes to receivers without an address are left out."""
    routing = load_routing()
    return {
        "receiver": contact(routing.receivers[0].name),
        "object_matchers": [["grafana_folder", "=", FOLDER_TITLE]],
        "group_by": list(routing.group.by),
        "group_wait": f"{routing.group.wait}s",
        "group_interval": f"{routing.group.interval}s",
        "repeat_interval": f"{routing.group.repeat}s",
        "routes": [_route(r) for r in routing.routes if r.receiver in given],
    }


def _route(route: Route) -> Json:
    parts = [MATCHER.fullmatch(m) for m in route.matchers]
    found: Json = {"receiver": contact(route.receiver)}
    if route.matchers:
        found["object_matchers"] = [list(p.groups()) for p in parts if p]
    if route.by:
        found["group_by"] = list(route.by)
    waits = {"group_wait": route.wait, "group_interval": route.interval}
    for key, seconds in (waits | {"repeat_interval": route.repeat}).items():
        if seconds is not None:
            found[key] = f"{seconds}s"
    return found


def policies(tree: Json, given: Addresses) -> Json:
    """The tree with our branch first, so that no other one takes our alerts before."""
    ours = f"{PREFIX} "
    others = [r for r in tree.get("routes") or [] if not r.get("receiver", "").startswith(ours)]
    return {**tree, "routes": [branch(given), *others]}
