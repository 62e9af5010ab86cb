"""Rules, contact points and the message as a file that Grafana reads at its start.

In such a file Grafana fills `$NAME` from its environment, also in texts, so that a dollar sign is
doubled there; in the model of a query it is not. Policies would replace the user's whole tree: they
are left to `popscope alerts push`, or to the user.
"""

from __future__ import annotations

from typing import Any

import yaml

from alerts import delivery
from alerts.grafana import Json, groups
from alerts.links import Links
from alerts.model import Alert
from alerts.routing import load_routing
from dashboards.grafana import FOLDER_TITLE

_ORG = 1


def provisioning(alerts: tuple[Alert, ...], links: Links) -> str:
    """The file. Addresses are `$POPSCOPE_NOTIFY_<RECEIVER>`."""
    tree = {
        "apiVersion": 1,
        "groups": [_group(g) for g in groups(alerts, links)],
        "contactPoints": list(_contact_points()),
        "templates": [{"orgId": _ORG, **delivery.template()}],
    }
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=10_000)
    return "# Generated from alerts/rules by `popscope alerts render`; do not edit.\n" + text


def _group(group: Json) -> Json:
    return {
        "orgId": _ORG,
        "name": group["title"],
        "folder": FOLDER_TITLE,
        "interval": f"{group['interval']}s",
        "rules": [_rule(r) for r in group["rules"]],
    }


def _rule(rule: Json) -> Json:
    notes = dict(rule["annotations"])
    board, panel = notes.pop("__dashboardUid__"), notes.pop("__panelId__")
    kept = {k: v for k, v in rule.items() if k not in ("annotations", "ruleGroup", "folderUID")}
    texts = {k: v.replace("$", "$$") for k, v in notes.items()}
    return {**kept, "dashboardUid": board, "panelId": int(panel), "annotations": texts}


def _contact_points() -> list[dict[str, Any]]:
    given = {
        r.name: [f"$POPSCOPE_NOTIFY_{r.name.upper().replace('-', '_')}"]
        for r in load_routing().receivers
    }
    points = delivery.contact_points(given)
    return [
        {
            "orgId": _ORG,
            "name": p["name"],
            "receivers": [{k: v for k, v in p.items() if k != "name"}],
        }
        for p in points
    ]
