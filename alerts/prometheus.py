"""Configuration of a Prometheus and an Alertmanager that watch exporters with these rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from alerts.errors import RuleError, ToolError
from alerts.links import Links
from alerts.model import load
from alerts.render import PROMETHEUS, prometheus_rules

JOB = "popscope"
_TARGET = re.compile(r"([^=\s]+:\d+)=([^/\s]+)/([^/\s]+)")
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
# Which alert says what another one would only repeat.
_INHIBITED = {"source": "PopscopeExporterSilent", "target": "Popscope.*", "equal": ["pop", "node"]}


@dataclass(frozen=True, slots=True)
class Target:
    """An exporter: `host:port`, and the labels of the node on which it runs."""

    address: str
    pop: str
    node: str


def target(text: str) -> Target:
    """`host:port=pop/node`. Raises RuleError when it is not of this form."""
    match = _TARGET.fullmatch(text)
    if match is None:
        raise RuleError(f"{text!r} is not HOST:PORT=POP/NODE, as in 127.0.0.1:9109=ams/ams-d1")
    return Target(*match.groups())


@dataclass(frozen=True, slots=True)
class Watch:
    """What to watch, where to listen (loopback), and where alerts go (a webhook's URL)."""

    targets: tuple[Target, ...]
    webhook: str
    prometheus_port: int = 9090
    alertmanager_port: int = 9093
    scrape_seconds: int = 15
    group_wait_seconds: int = 5
    host: str = "127.0.0.1"
    links: Links = field(default_factory=Links)

    def __post_init__(self) -> None:
        """Raises RuleError for a webhook that Alertmanager would not take."""
        parts = urlsplit(self.webhook)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RuleError(f"{self.webhook!r} is no URL, such as http://127.0.0.1:8000/alerts")


@dataclass(frozen=True, slots=True)
class Commands:
    """Command lines of the two programs; each runs in the foreground."""

    prometheus: tuple[str, ...]
    alertmanager: tuple[str, ...]


def write(folder: Path, watch: Watch) -> Commands:
    """Write rules and configurations into the folder; returns how to start the programs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROMETHEUS).write_text(prometheus_rules(load(), watch.links))
    prometheus, alertmanager = folder / "prometheus.yml", folder / "alertmanager.yml"
    prometheus.write_text(_yaml(prometheus_config(watch)))
    alertmanager.write_text(_yaml(alertmanager_config(watch)))
    return Commands(
        prometheus=(
            "prometheus",
            f"--config.file={prometheus}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={watch.host}:{watch.prometheus_port}",
            f"--rules.alert.resend-delay={max(watch.scrape_seconds * 2, 2)}s",
            "--log.level=warn",
        ),
        alertmanager=(
            "prometheus-alertmanager",
            f"--config.file={alertmanager}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={watch.host}:{watch.alertmanager_port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
    )


def prometheus_config(watch: Watch) -> dict[str, Any]:
    """`pop` and `node` are labels of the target too: a scrape that fails has no other source."""
    every = f"{watch.scrape_seconds}s"
    static = [
        {"targets": [t.address], "labels": {"pop": t.pop, "node": t.node}} for t in watch.targets
    ]
    manager = f"{watch.host}:{watch.alertmanager_port}"
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
        },
        "rule_files": [PROMETHEUS],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager]}]}]},
        "scrape_configs": [{"job_name": JOB, "honor_labels": True, "static_configs": static}],
    }


def alertmanager_config(watch: Watch) -> dict[str, Any]:
    """One receiver, grouped by node; a silent node's other alerts are held back."""
    return {
        "route": {
            "receiver": "on-call",
            "group_by": ["alertname", "pop", "node"],
            "group_wait": f"{watch.group_wait_seconds}s",
            "group_interval": f"{max(watch.scrape_seconds, 1)}s",
            "repeat_interval": "4h",
        },
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{_INHIBITED["source"]}"'],
                "target_matchers": [
                    f'alertname=~"{_INHIBITED["target"]}"',
                    f'alertname!="{_INHIBITED["source"]}"',
                ],
                "equal": _INHIBITED["equal"],
            }
        ],
        "receivers": [
            {
                "name": "on-call",
                "webhook_configs": [{"url": watch.webhook, "send_resolved": True}],
            }
        ],
    }


def run_tool(arguments: Sequence[str], folder: Path | None = None) -> str:
    """Run promtool or amtool; returns what it printed. Raises ToolError with its output."""
    program = arguments[0]
    if shutil.which(program) is None:
        raise ToolError(f"{program} is not installed: apt-get install {PACKAGES[program]}")
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    output = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise ToolError(f"{' '.join(arguments[:3])} failed:\n{output}")
    return output


def _yaml(tree: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text
