"""Rules of Prometheus and of Grafana from the same data, as committed files."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from alerts.errors import StaleError
from alerts.grafana import groups
from alerts.links import Links
from alerts.model import Alert, load

RENDERED = Path(__file__).with_name("rendered")
NOTICE = "# Generated from alerts/rules by `popscope alerts render`; do not edit.\n"
PROMETHEUS, GRAFANA = "popscope.rules.yml", "grafana.json"


def prometheus_rules(alerts: tuple[Alert, ...], links: Links) -> str:
    """A rule file of Prometheus."""
    tree = [
        {"name": f"popscope.{area}", "rules": [_rule(a, links) for a in members]}
        for area, members in groupby(alerts, key=lambda a: a.area)
    ]
    return NOTICE + yaml.dump({"groups": tree}, Dumper=_Readable, sort_keys=False, width=100)


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Readable.add_representer(str, _text)


def _rule(alert: Alert, links: Links) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.promql + "\n" if "\n" in alert.promql else alert.promql,
        "for": f"{alert.wait}s",
        "keep_firing_for": f"{alert.keep_firing}s",
        "labels": {"severity": alert.severity, "area": alert.area},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "dashboard_url": links.dashboard(alert),
            "runbook_url": links.runbook_of(alert),
        },
    }


def rendered(links: Links | None = None) -> dict[str, str]:
    """File name and text of everything that is rendered."""
    links = links or Links()
    alerts = load()
    tree = groups(alerts, links)
    return {
        PROMETHEUS: prometheus_rules(alerts, links),
        GRAFANA: json.dumps(tree, indent=1, ensure_ascii=False) + "\n",
    }


def render(folder: Path = RENDERED, links: Links | None = None) -> list[Path]:
    """Write the rules; returns the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in rendered(links).items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


def check(folder: Path = RENDERED) -> None:
    """Raises StaleError when a file is missing or differs."""
    stale = [n for n, text in rendered().items() if _read(folder / n) != text]
    if stale:
        raise StaleError([f"alerts/rendered/{n}" for n in stale], "popscope alerts render")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
