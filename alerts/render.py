"""Rules of Prometheus and of Grafana from the same data, as committed files."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from alerts.errors import StaleError
from alerts.grafana import groups
from alerts.links import Links, texts
from alerts.model import Alert, load
from alerts.provision import provisioning
from alerts.runbook import README, with_runbook

RENDERED = Path(__file__).with_name("rendered")
NOTICE = "# Generated from alerts/rules by `popscope alerts render`; do not edit.\n"
PROMETHEUS, GRAFANA = "popscope.rules.yml", "grafana.json"
FILES = "grafana-alerting.yaml"


def prometheus_rules(alerts: tuple[Alert, ...], links: Links) -> str:
    """A rule file of Prometheus."""
    tree = [
        {"name": f"popscope.{area}", "rules": [_rule(a, links) for a in members]}
        for area, members in groupby((a for a in alerts if a.promql), key=lambda a: a.area)
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
        "annotations": texts(alert, links),
    }


def rendered(links: Links | None = None) -> dict[str, str]:
    """File name and text of everything that is rendered into a folder."""
    links = links or Links()
    alerts = load()
    return {
        PROMETHEUS: prometheus_rules(alerts, links),
        GRAFANA: _json(groups(alerts, links)),
        FILES: provisioning(alerts, links),
    }


def _json(tree: object) -> str:
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def render(folder: Path = RENDERED, links: Links | None = None) -> list[Path]:
    """Write the rules, and the runbook with the committed ones; returns the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for path, text in _wanted(folder, links).items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


def check(folder: Path = RENDERED) -> None:
    """Raises StaleError when a file is missing or differs."""
    stale = [p for p, text in _wanted(folder).items() if not p.exists() or p.read_text() != text]
    if stale:
        raise StaleError([str(p) for p in stale], "popscope alerts render")


def _wanted(folder: Path, links: Links | None = None) -> dict[Path, str]:
    found = {folder / name: text for name, text in rendered(links).items()}
    if folder == RENDERED:
        found[README] = with_runbook(README.read_text(), load())
    return found
