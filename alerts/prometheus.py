"""Configuration of a Prometheus and an Alertmanager that watch exporters with these rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from alerts.errors import RuleError, ToolError
from alerts.links import Links
from alerts.model import Alert, load
from alerts.render import PROMETHEUS, prometheus_rules
from alerts.routing import TEMPLATES, Receiver, Route, load_routing

JOB = "popscope"
PIPELINES = "pipelines"
# All but the dead man's switch.
REAL = 'severity!="none"'
_ADDRESS = re.compile(r"[^=\s/]+:\d+")
_TARGET = re.compile(r"([^=\s]+:\d+)=([^/\s]+)/([^/\s]+)")
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}


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
    """What to watch, where to listen (loopback), and where alerts go.

    `webhook` is the URL of every receiver but the optional ones; `receivers` names others.
    `pipelines`: `host:port` of each pipeline's metrics. Waits of None are those of the routing.
    """

    targets: tuple[Target, ...]
    webhook: str
    prometheus_port: int = 9090
    alertmanager_port: int = 9093
    scrape_seconds: int = 15
    group_wait_seconds: int | None = None
    host: str = "127.0.0.1"
    links: Links = field(default_factory=Links)
    receivers: Mapping[str, str] = field(default_factory=dict)
    pipelines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises RuleError for a URL that Alertmanager would not take, or an unknown receiver."""
        for url in (self.webhook, *self.receivers.values()):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise RuleError(f"{url!r} is no URL, such as http://127.0.0.1:8000/alerts")
        known = [r.name for r in load_routing().receivers]
        if unknown := set(self.receivers) - set(known):
            raise RuleError(f"no receiver {', '.join(unknown)}; there are {', '.join(known)}")
        for pipeline in self.pipelines:
            if not _ADDRESS.fullmatch(pipeline):
                raise RuleError(f"{pipeline!r} is not HOST:PORT, as in 127.0.0.1:8080")

    def url(self, receiver: Receiver) -> str:
        """Where a receiver is; "" for an optional one that was not given: it gets nothing."""
        return self.receivers.get(receiver.name, "" if receiver.optional else self.webhook)


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
    (folder / TEMPLATES.name).write_text(TEMPLATES.read_text())
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
        "scrape_configs": [
            {"job_name": JOB, "honor_labels": True, "static_configs": static},
            {
                "job_name": f"{JOB}-pipeline",
                "static_configs": [{"targets": list(watch.pipelines)}],
            },
        ],
    }


def alertmanager_config(watch: Watch) -> dict[str, Any]:
    """Routes and receivers of the routing, and what the rules hold back."""
    routing = load_routing()
    wait = watch.group_wait_seconds
    root = {
        "receiver": routing.receivers[0].name,
        "group_by": list(routing.group.by),
        "group_wait": f"{routing.group.wait if wait is None else wait}s",
        "group_interval": f"{min(routing.group.interval, max(watch.scrape_seconds, 1))}s",
        "repeat_interval": f"{routing.group.repeat}s",
    }
    routes = [_route(r) for r in routing.routes]
    receivers = [_receiver(r.name, watch.url(r)) for r in routing.receivers]
    if watch.pipelines:
        receivers.append(_pipelines(watch))
        routes.insert(0, {"receiver": PIPELINES, "matchers": [REAL], "continue": True})
    return {
        "templates": [TEMPLATES.name],
        "route": {**root, "routes": routes},
        "inhibit_rules": [rule for alert in load() for rule in _inhibitions(alert)],
        "receivers": receivers,
    }


def _pipelines(watch: Watch) -> dict[str, Any]:
    """Every pipeline is told what fires and ends: it marks that on dashboards and its page."""
    urls = (f"http://{address}/v1/alerts" for address in watch.pipelines)
    hooks = [{"url": url, "send_resolved": True} for url in urls]
    return {"name": PIPELINES, "webhook_configs": hooks}


def _route(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {"receiver": route.receiver}
    if route.matchers:
        found["matchers"] = list(route.matchers)
    if route.by:
        found["group_by"] = list(route.by)
    for key, seconds in (("group_wait", route.wait), ("repeat_interval", route.repeat)):
        if seconds is not None:
            found[key] = f"{seconds}s"
    return found


def _receiver(name: str, url: str) -> dict[str, Any]:
    if not url:
        return {"name": name}
    return {"name": name, "webhook_configs": [{"url": url, "send_resolved": True}]}


def _inhibitions(alert: Alert) -> Iterator[dict[str, Any]]:
    """What the alert holds back: never itself, never the dead man's switch."""
    for inhibition in alert.inhibits:
        yield {
            "source_matchers": [f'alertname="{alert.name}"'],
            "target_matchers": [
                f'alertname=~"{inhibition.alerts}"',
                f'alertname!="{alert.name}"',
                REAL,
                *inhibition.where,
            ],
            "equal": list(inhibition.equal),
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
