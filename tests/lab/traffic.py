"""The laboratory's ends: the backends' servers and the client's load."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.network import PORT, Network
from tests.lab.process import Process
from tests.lab.shell import run

SERVING = "Running on"


def url(network: Network) -> str:
    """Where the VIP serves."""
    vip = network.plan.family.vip
    return f"http://[{vip}]:{PORT}" if ":" in vip else f"http://{vip}:{PORT}"


def backend(network: Network, name: str, log: Path, environment: Mapping[str, str]) -> Process:
    """Start a backend's HTTP server on the VIP; it is not waited for."""
    plan = network.plan
    argv = ["--name", name, "--address", plan.service(name), "--port", str(plan.service_port)]
    argv += ["--echo"] if plan.nat else []
    argv += ["--proxy"] if plan.nat and plan.nat.client_address == "proxy_v2" else []
    process = Process(
        name,
        [sys.executable, "-u", "-m", "tests.lab.httpd", *argv],
        log,
        network.namespace(name),
        environment=environment,
    )
    process.start()
    return process


def decapsulator(network: Network, name: str, log: Path, environment: Mapping[str, str]) -> Process:
    """Start the backend's end of its tunnel; it is not waited for."""
    plan = network.plan
    if plan.tunnel is None:
        raise ValueError("the plan has no tunnel")
    argv = ["--mode", plan.tunnel.mode, "--address", plan.endpoint(name)]
    argv += [] if plan.tunnel.checksum else ["--no-checksum"]
    process = Process(
        f"decapsulator of {name}",
        [sys.executable, "-u", "-m", "tests.lab.decap", *argv],
        log,
        network.namespace(name),
        environment=environment,
    )
    process.start()
    return process


def upload(network: Network, seed: int, size: int) -> tuple[str, int, int]:
    """Upload from the client; returns which backend got how many bytes, and their CRC-32."""
    argv = [sys.executable, "-m", "tests.lab.upload", url(network), str(seed), str(size)]
    backend, count, crc = run(argv, namespace=network.namespace("client")).split()
    return backend, int(count), int(crc)


@dataclass(frozen=True, slots=True)
class Rates:
    """What the client asks for: short requests a second, and downloads at a time."""

    requests: float = 120
    downloads: int = 5
    size: int = 8_000_000
    speed: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Download:
    """A download that ended. Times are unix seconds."""

    backend: str
    bytes: int
    whole: bool
    started: float
    ended: float


@dataclass(slots=True)
class Load:
    """The client's load, and what it has reported so far."""

    process: Process
    report: dict[str, Any] = field(default_factory=dict)
    downloads: list[Download] = field(default_factory=list)
    _read: int = 0

    def poll(self) -> dict[str, Any]:
        """Read the reports that came since the last call; return the last one."""
        text = self.process.output()
        end = text.rfind("\n") + 1
        for line in text[self._read : end].splitlines():
            self._take(line)
        self._read = end
        return self.report

    def stop(self, timeout_s: float = 60) -> dict[str, Any]:
        """Start nothing new, wait for what is in flight, return the last report."""
        self.process.stop(timeout_s)
        return self.poll()

    def _take(self, line: str) -> None:
        if not line.startswith("{"):
            return
        data = json.loads(line)
        if "download" in data:
            fields = data["download"]
            self.downloads.append(Download(**{k: fields[k] for k in Download.__slots__}))
        else:
            self.report = data


def load(network: Network, rates: Rates, log: Path, environment: Mapping[str, str]) -> Load:
    """Start the client's load."""
    argv = [
        *("--url", url(network)),
        *("--rate", str(rates.requests)),
        *("--downloads", str(rates.downloads)),
        *("--size", str(rates.size)),
        *("--speed", str(rates.speed)),
    ]
    process = Process(
        "load",
        [sys.executable, "-u", "-m", "tests.lab.load", *argv],
        log,
        network.namespace("client"),
        environment=environment,
    )
    process.start()
    return Load(process)
