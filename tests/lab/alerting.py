"""Prometheus with the project's rules, and Alertmanager that delivers to a webhook of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.ports import HOST
from tests.lab.process import Process
from tests.lab.webhook import Webhook

# An exporter: the labels that its series get, and its port.
Scraped = tuple[dict[str, str], int]
PROGRAMS = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}


def missing() -> list[str]:
    """Debian packages that alerting needs and that are not installed."""
    return [package for program, package in PROGRAMS.items() if shutil.which(program) is None]


class Alerting:
    """Scrapes and evaluates once a second. Alerts appear in `webhook.alerts`."""

    def __init__(
        self,
        lab: Lab,
        rules: Path,
        scraped: Iterable[Scraped],
        prometheus_port: int,
        alertmanager_port: int,
    ) -> None:
        self.webhook = Webhook()
        self.work = lab.work
        self.lab = lab
        self.prometheus = self._process(
            "prometheus",
            prometheus_port,
            _prometheus(rules, scraped, alertmanager_port),
            "--storage.tsdb.path",
            # What fires before Alertmanager is found must not wait a minute for its second chance.
            "--rules.alert.resend-delay=2s",
        )
        self.alertmanager = self._process(
            "prometheus-alertmanager",
            alertmanager_port,
            _alertmanager(self.webhook.url),
            "--storage.path",
            "--cluster.listen-address=",
        )

    def start(self) -> None:
        """Start both; they are not waited for."""
        self.alertmanager.start()
        self.prometheus.start()

    def close(self) -> None:
        self.prometheus.kill()
        self.alertmanager.kill()
        self.webhook.close()

    def _process(
        self, program: str, port: int, config: dict[str, object], data: str, *more: str
    ) -> Process:
        path = self.work / f"{program}.json"
        path.write_text(json.dumps(config, indent=1))  # JSON is YAML
        argv = [
            *(program, f"--config.file={path}", f"{data}={self.work / program}"),
            *(f"--web.listen-address={HOST}:{port}", "--log.level=warn", *more),
        ]
        environment = self.lab.registry.environment
        return self.lab.own(Process(program, argv, self.lab.log(program), environment=environment))


def _prometheus(
    rules: Path, scraped: Iterable[Scraped], alertmanager_port: int
) -> dict[str, object]:
    exporters = [{"targets": [f"{HOST}:{port}"], "labels": labels} for labels, port in scraped]
    managers = [{"static_configs": [{"targets": [f"{HOST}:{alertmanager_port}"]}]}]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": managers},
        "scrape_configs": [
            {
                "job_name": "popscope",
                "honor_labels": True,
                "static_configs": exporters,
            }
        ],
    }


def _alertmanager(url: str) -> dict[str, object]:
    return {
        "route": {
            "receiver": "on-call",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "on-call", "webhook_configs": [{"url": url, "send_resolved": True}]}
        ],
    }
