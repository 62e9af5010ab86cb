"""From shared memory to a webhook: the segment writer, the exporter, Prometheus, Alertmanager."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from alerts.prometheus import PACKAGES, Commands, Target, Watch, write
from alerts.render import PROMETHEUS
from lb.catalogue import load as load_catalogue

POPSCOPE = str(Path(sys.executable).with_name("popscope"))
DEADLINE = 60
HOST = "127.0.0.1"
QUERY = ("alert", "query", "--active", "--inhibited", "-o", "json")
LCORE = {c.id: c.slot for c in load_catalogue().scope("lcore")}


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as Alertmanager posted it. `at`: seconds of the monotonic clock."""

    status: str
    labels: dict[str, str]
    notes: dict[str, str]
    at: float


@dataclass(slots=True)
class Webhook:
    """Alertmanager's posts, in the order of arrival."""

    told: list[Told] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        for alert in (await request.json())["alerts"]:
            self.told.append(Told(alert["status"], alert["labels"], alert["annotations"], now))
        self.came.set()
        return web.Response()

    async def until(self, status: str, **labels: str) -> Told:
        """The first such alert. Raises TimeoutError when it does not come."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for one in self.told:
                    if one.status == status and labels.items() <= one.labels.items():
                        return one
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def serve(path: str, handler: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post(path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def program(line: tuple[str, ...], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs with the context, and is gone after it."""
    if shutil.which(line[0]) is None:
        pytest.fail(f"{line[0]} is not installed: apt-get install {PACKAGES.get(line[0], '?')}")
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *line, stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind((HOST, 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def hurry(rules: Path) -> None:
    """Shorten what makes an alert end late: the scenarios hold those, and this is about the way."""
    text = rules.read_text()
    for old, new in (
        (r"keep_firing_for: \d+s", "keep_firing_for: 1s"),
        (r" for: [1-9]\d*s", " for: 1s"),
        (r"\[60s\]", "[5s]"),
    ):
        text = re.sub(old, new, text)
    rules.write_text(text)


@dataclass(slots=True)
class Chain:
    """All that stands between a drop and whoever is told of it."""

    webhook: Webhook
    core: asyncio.subprocess.Process
    start_exporter: Callable[[], Any]

    async def drop(self, reason: str, packets: int) -> None:
        """The core counts that many more packets of lcore 1 as dropped for the reason."""
        assert self.core.stdin is not None
        self.core.stdin.write(f"{LCORE[f'drop_{reason}']} {packets}\n".encode())
        await self.core.stdin.drain()


@asynccontextmanager
async def chain(folder: Path, writer: Path) -> AsyncIterator[Chain]:
    webhook = Webhook()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        hook = await enter(serve("/alerts", webhook.take))
        scraped, prometheus, alertmanager = free_ports(3)
        url = f"http://{HOST}:{hook}/alerts"
        commands = write(
            folder,
            Watch(
                targets=(Target(f"{HOST}:{scraped}", "ams", "ams-d1"),),
                webhook=url,
                prometheus_port=prometheus,
                alertmanager_port=alertmanager,
                scrape_seconds=1,
                group_wait_seconds=0,
                receivers={"dead-mans-switch": url},
            ),
        )
        hurry(folder / PROMETHEUS)
        (folder / "run" / "contract").mkdir(parents=True)
        config = folder / "exporter.toml"
        config.write_text(
            f'pop = "ams"\nnode = "ams-d1"\nrun_root = "{folder / "run"}"\n'
            f'listen = "{HOST}:{scraped}"\n[spool]\ndirectory = "{folder / "spool"}"\n'
        )
        run = (str(writer), str(folder / "run" / "contract"), "--drive")
        core = await enter(program(run, folder / "core.log"))
        await enter(program(commands.alertmanager, folder / "alertmanager.log"))
        await enter(program(commands.prometheus, folder / "prometheus.log"))
        line = (POPSCOPE, "export", "run", "--config", str(config))
        yield Chain(webhook, core, lambda: enter(program(line, folder / "exporter.log")))


async def test_a_drop_is_delivered_and_ends(
    tmp_path: Path, writer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with chain(tmp_path, writer) as found:
        exporter = await found.start_exporter()
        await found.webhook.until("firing", alertname="PopscopeDeadMansSwitch", pop="ams")
        began = time.monotonic()
        await found.drop("no_backend", 500)
        wanted = {"alertname": "PopscopePacketsDropped", "reason": "no_backend", "lcore": "1"}
        fired = await found.webhook.until("firing", **wanted)
        ended = await found.webhook.until("resolved", **wanted)
        with capsys.disabled():
            print(
                f"\na drop in shared memory was delivered after {fired.at - began:.1f} s; that it "
                f"ended, {ended.at - began:.1f} s after it (rates of 5 s instead of 60)"
            )
        assert fired.notes["summary"].startswith("ams-d1 (ams) drops ")
        assert fired.notes["dashboard_url"].endswith(
            "var-pop=ams&var-node=ams-d1&var-instance=contract&var-lcore=1&viewPanel=30"
        )
        assert fired.notes["runbook_url"].endswith("#popscopepacketsdropped")
        exporter.kill()
        await found.webhook.until("firing", alertname="PopscopePopDark", pop="ams")
        await exporter.wait()
        await found.start_exporter()
        await found.webhook.until("resolved", alertname="PopscopePopDark", pop="ams")


def amtool(port: int, *words: str) -> str:
    url = f"--alertmanager.url=http://{HOST}:{port}"
    done = subprocess.run(["amtool", url, *words], capture_output=True, text=True, check=True)
    return done.stdout


async def test_a_dead_node_silences_its_lcores_and_vips(tmp_path: Path) -> None:
    """In a real Alertmanager: which alerts it holds back while others stand."""
    where = ["pop=ams", "node=ams-d1", "instance=core0"]
    alerts = {
        "PopscopeExporterSilent": ["pop=ams", "node=ams-d1", "state=none"],
        "PopscopeLcoreStuck": [*where, "lcore=1"],
        "PopscopeVipForwardsNothing": [*where, "vip=web"],
        "PopscopeDeadMansSwitch": ["pop=ams", "severity=none"],
        "PopscopeCoreDead": ["pop=fra", "node=fra-d1", "instance=core0"],
        "PopscopePortDown": ["pop=fra", "node=fra-d1", "instance=core0", "port=0"],
        "PopscopeVipLosesPackets": ["pop=fra", "node=fra-d2", "instance=core0", "vip=web"],
        "PopscopePipelineDown": [],
        "PopscopePipelineCommitsFail": [],
        "PopscopeFragmentFlood": ["pop=lon", "node=lon-d1", "instance=core0"],
        "PopscopePacketsDropped": [
            *("pop=lon", "node=lon-d1", "instance=core0"),
            "reason=ipv4_fragment",
        ],
    }
    (port,) = free_ports(1)
    watch = Watch((), f"http://{HOST}:9/", alertmanager_port=port, group_wait_seconds=600)
    commands: Commands = write(tmp_path, watch)
    async with program(commands.alertmanager, tmp_path / "alertmanager.log"):
        await _listens(port)
        for name, labels in alerts.items():
            severity = [] if "severity=none" in labels else ["severity=critical"]
            await asyncio.to_thread(amtool, port, "alert", "add", name, *labels, *severity)
        shown = json.loads(await asyncio.to_thread(amtool, port, *QUERY))
    held = {a["labels"]["alertname"] for a in shown if a["status"]["inhibitedBy"]}
    free = {a["labels"]["alertname"] for a in shown} - held
    assert held == {
        "PopscopeLcoreStuck",
        "PopscopeVipForwardsNothing",
        "PopscopePortDown",
        "PopscopePipelineCommitsFail",
        "PopscopePacketsDropped",
    }
    assert free == set(alerts) - held


async def _listens(port: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                _, stream = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                stream.close()
                return
