"""The example configuration is valid, routes as it should, and delivers: a scrape to a webhook."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from alerts.cli import alerts
from alerts.prometheus import PACKAGES, Commands, Target, Watch, run_tool, write
from alerts.render import PROMETHEUS
from exporters.prometheus import TEXT
from lb.catalogue import load as load_catalogue

WATCH = Watch(
    targets=(Target("127.0.0.1:9109", "ams", "ams-d1"), Target("127.0.0.1:9110", "fra", "fra-d1")),
    webhook="http://127.0.0.1:9/alerts",
)
DEADLINE = 60


def test_configurations_are_valid(tmp_path: Path) -> None:
    write(tmp_path, WATCH)
    assert "SUCCESS" in run_tool(["promtool", "check", "config", str(tmp_path / "prometheus.yml")])
    assert "SUCCESS" in run_tool(["amtool", "check-config", str(tmp_path / "alertmanager.yml")])


@pytest.mark.parametrize("name", ["PopscopePacketsDropped", "PopscopeExporterSilent"])
def test_every_alert_reaches_the_receiver(tmp_path: Path, name: str) -> None:
    write(tmp_path, WATCH)
    run_tool(
        [
            *("amtool", "config", "routes", "test", f"alertname={name}", "pop=ams"),
            *("--config.file", str(tmp_path / "alertmanager.yml"), "--verify.receivers", "on-call"),
        ]
    )


def test_the_command_writes_what_promtool_takes(tmp_path: Path) -> None:
    said = ["--webhook", WATCH.webhook, "--output", str(tmp_path)]
    good = ["configure", "--target", "127.0.0.1:9109=ams/ams-d1", *said]
    result = CliRunner().invoke(alerts, good)
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.output.splitlines()] == [
        "prometheus",
        "prometheus-alertmanager",
    ]
    run_tool(["promtool", "check", "config", str(tmp_path / "prometheus.yml")])
    bad = CliRunner().invoke(alerts, ["configure", "--target", "ams-d1:9109", *said])
    assert bad.exit_code == 2
    assert "HOST:PORT=POP/NODE" in bad.output


def test_commands_stay_on_the_loopback(tmp_path: Path) -> None:
    commands = write(tmp_path, WATCH)
    for line in (commands.prometheus, commands.alertmanager):
        assert [a for a in line if a.startswith("--web.listen-address=127.0.0.1:")]
    assert "--cluster.listen-address=" in commands.alertmanager


@dataclass(slots=True)
class Exporter:
    """An exporter's /metrics, in its format; `drops` and `up` are what a test changes."""

    drops: int = 0
    residual: int = 0
    up: bool = True
    step: int = 0  # drops more at each scrape

    async def metrics(self, _: web.Request) -> web.Response:
        if not self.up:
            return web.Response(status=503)
        self.drops += self.step
        lines = list(self._lines())
        return web.Response(body="".join(lines).encode(), headers={"Content-Type": TEXT})

    def _lines(self) -> list[str]:
        where = 'pop="ams",node="ams-d1",instance="core0"'
        family = "popscope_lcore_dropped_packets_total"
        lines = [f"# HELP {family} Dropped.\n# TYPE {family} counter\n"]
        for c in load_catalogue().ledger("drop"):
            reason = dict(c.labels)["reason"]
            count = self.drops if reason == "no_backend" else 0
            lines.append(f'{family}{{{where},lcore="1",reason="{reason}"}} {count}\n')
        for name, labels, value in (
            ("popscope_lcore_ledger_residual_packets", f'{where},lcore="1"', self.residual),
            ("popscope_instance_heartbeat_age_seconds", where, 0.1),
            ("popscope_instance_up", where, 1),
        ):
            lines.append(f"# TYPE {name} gauge\n{name}{{{labels}}} {value}\n")
        return lines


@dataclass(slots=True)
class Webhook:
    """Alertmanager's posts: (status, name, labels) of each alert, in the order of arrival."""

    alerts: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            self.alerts.append((alert["status"], alert["labels"], alert["annotations"]))
        self.came.set()
        return web.Response()

    async def until(self, wanted: Callable[[str, dict[str, str]], bool]) -> dict[str, str]:
        """The annotations of the first such alert; TimeoutError when it does not come in time."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for status, labels, annotations in self.alerts:
                    if wanted(status, labels):
                        return annotations
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def serve(path: str, method: str, handler: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route(method, path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def program(line: tuple[str, ...], log: Path) -> AsyncIterator[None]:
    """Runs with the context, and is gone after it."""
    if shutil.which(line[0]) is None:
        pytest.fail(f"{line[0]} is not installed: apt-get install {PACKAGES[line[0]]}")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*line, stdout=output, stderr=output)
    try:
        yield
        assert process.returncode is None, f"{line[0]} ended: see {log}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def hurry(rules: Path) -> None:
    """Shorten the waits of the rules: promtool's tests hold them, and this one is on the way."""
    text = re.sub(r"keep_firing_for: \d+s", "keep_firing_for: 1s", rules.read_text())
    rules.write_text(re.sub(r" for: \d+s", " for: 1s", text))


@asynccontextmanager
async def alerting(folder: Path) -> AsyncIterator[tuple[Exporter, Webhook]]:
    """An exporter, Prometheus, Alertmanager and a webhook, each talking to the next."""
    exporter, webhook = Exporter(), Webhook()
    async with AsyncExitStack() as stack:
        scraped = await stack.enter_async_context(serve("/metrics", "GET", exporter.metrics))
        hook = await stack.enter_async_context(serve("/alerts", "POST", webhook.take))
        prometheus, alertmanager = free_ports(2)
        commands: Commands = write(
            folder,
            Watch(
                targets=(Target(f"127.0.0.1:{scraped}", "ams", "ams-d1"),),
                webhook=f"http://127.0.0.1:{hook}/alerts",
                prometheus_port=prometheus,
                alertmanager_port=alertmanager,
                scrape_seconds=1,
                group_wait_seconds=0,
            ),
        )
        hurry(folder / PROMETHEUS)
        await stack.enter_async_context(program(commands.alertmanager, folder / "am.log"))
        await stack.enter_async_context(program(commands.prometheus, folder / "prom.log"))
        yield exporter, webhook


async def test_alerts_arrive_and_resolve(tmp_path: Path) -> None:
    """Drops and a residual are told, with the labels that a person needs; the residual ends."""
    async with alerting(tmp_path) as (exporter, webhook):
        exporter.step = 100
        notes = await webhook.until(lambda s, a: s == "firing" and a.get("reason") == "no_backend")
        assert "ams-d1 (ams) drops" in notes["summary"]
        assert notes["dashboard_url"].endswith(
            "var-pop=ams&var-node=ams-d1&var-instance=core0&var-lcore=1&viewPanel=30"
        )
        exporter.up = False
        await webhook.until(lambda s, a: s == "firing" and a.get("state") == "none")
        fired = {a["alertname"] for s, a, _ in webhook.alerts if s == "firing"}
        assert fired <= {
            "PopscopePacketsDropped",
            "PopscopeExporterSilent",
            "PopscopePopDark",
            "PopscopeDeadMansSwitch",
        }
        exporter.up, exporter.step = True, 0
        await webhook.until(lambda s, a: s == "resolved" and a.get("state") == "none")
