"""Prometheus with the project's rules, and Alertmanager that delivers to a webhook of ours."""

from __future__ import annotations

import shutil

from alerts.prometheus import PACKAGES, Target, Watch, write
from tests.lab.lab import Lab
from tests.lab.ports import HOST
from tests.lab.process import Process
from tests.lab.webhook import Webhook


def missing() -> list[str]:
    """Debian packages that alerting needs and that are not installed."""
    programs = ("prometheus", "prometheus-alertmanager")
    return [PACKAGES[program] for program in programs if shutil.which(program) is None]


class Alerting:
    """Scrapes and evaluates once a second. Alerts appear in `webhook.alerts`."""

    def __init__(
        self,
        lab: Lab,
        targets: tuple[Target, ...],
        pipeline_port: int,
        prometheus_port: int,
        alertmanager_port: int,
    ) -> None:
        self.webhook = Webhook()
        self.lab = lab
        watch = Watch(
            targets,
            self.webhook.url,
            prometheus_port,
            alertmanager_port,
            scrape_seconds=1,
            group_wait_seconds=0,
            pipelines=(f"{HOST}:{pipeline_port}",),
        )
        commands = write(lab.work / "alerting", watch)
        self.prometheus = self._process(commands.prometheus)
        self.alertmanager = self._process(commands.alertmanager)

    def start(self) -> None:
        """Start both; they are not waited for."""
        self.alertmanager.start()
        self.prometheus.start()

    def close(self) -> None:
        self.prometheus.kill()
        self.alertmanager.kill()
        self.webhook.close()

    def _process(self, command: tuple[str, ...]) -> Process:
        name = command[0]
        environment = self.lab.registry.environment
        return self.lab.own(Process(name, command, self.lab.log(name), environment=environment))
