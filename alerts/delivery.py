"""How an alert of Grafana reaches a person: message, contact point and policy, for its API.

The tree of policies is the user's: our one route is put into it, and all the others stay.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from alerts.errors import RuleError
from dashboards.grafana import FOLDER_TITLE

Json: TypeAlias = dict[str, Any]
# Whatever of ours has this name, or one that begins with it, is ours to change and to delete.
PREFIX = "popscope"
RECEIVER = "popscope on-call"
TEMPLATE = "popscope"
TITLE, MESSAGE = "popscope.title", "popscope.message"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
TEXT = """{{ define "popscope.title" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }} {{ len .Alerts.Firing }}{{ end }}] \
{{ .CommonLabels.alertname }} {{ .CommonLabels.pop }} {{ .CommonLabels.node }}
{{- end }}
{{ define "popscope.message" -}}
{{ range .Alerts }}
{{ .Status }}: {{ .Annotations.summary }}
{{ .Annotations.description }}
Panel: {{ or .PanelURL .DashboardURL .Annotations.dashboard_url }}
Runbook: {{ .Annotations.runbook_url }}
Silence: {{ .SilenceURL }}
{{ end }}
{{- end }}
"""


def template() -> Json:
    """The message, as PUT to templates/{name}."""
    return {"name": TEMPLATE, "template": TEXT}


def contact_point(address: str, number: int) -> Json:
    """Where messages go: a webhook's URL or an e-mail address; several make one contact point.

    Raises RuleError for anything else.
    """
    texts = {"title": f'{{{{ template "{TITLE}" . }}}}'}
    message = f'{{{{ template "{MESSAGE}" . }}}}'
    parts = urlsplit(address)
    common = {"uid": f"{PREFIX}-{number}", "name": RECEIVER, "disableResolveMessage": False}
    if parts.scheme in ("http", "https") and parts.hostname:
        settings = {"url": address, "httpMethod": "POST", **texts, "message": message}
        return common | {"type": "webhook", "settings": settings}
    if _EMAIL.fullmatch(address):
        subject = {"subject": texts["title"], "message": message}
        return common | {"type": "email", "settings": {"addresses": address, **subject}}
    raise RuleError(f"{address!r} is neither a webhook's URL nor an e-mail address")


def route() -> Json:
    """Our route: alerts of our folder, one message a node and alert; critical ones soon again."""
    return {
        "receiver": RECEIVER,
        "object_matchers": [["grafana_folder", "=", FOLDER_TITLE]],
        "group_by": ["alertname", "pop", "node"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "12h",
        "routes": [
            {
                "receiver": RECEIVER,
                "object_matchers": [["severity", "=", "critical"]],
                "repeat_interval": "1h",
            }
        ],
    }


def policies(tree: Json) -> Json:
    """The tree with our route first, so that no other one takes our alerts before."""
    others = [r for r in tree.get("routes") or [] if r.get("receiver") != RECEIVER]
    return {**tree, "routes": [route(), *others]}
