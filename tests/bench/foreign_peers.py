"""The systems that the benchmarks of foreign metrics run side by side, each a process of its own.

Peers are the newest that Debian's suites carry; `foreign_peers.sh` fetches them into build/peers.
POPSCOPE_PEERS names another folder. A peer that is not there is said, and left out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.foreign_load import SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("POPSCOPE_PEERS", ROOT / "build/peers/usr/bin"))
POPSCOPE = Path(sys.executable).with_name("popscope")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Server:
    """A running system; `folder` is where its data lies."""

    system: str
    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(x for x in status if x.startswith("VmHWM")).split()[1]) / 1024

    def settle(self) -> None:
        """Wait until it is idle: less than 5 % of a core for 2 s."""
        for _ in range(60):
            before = self.cpu_seconds()
            time.sleep(2)
            if self.cpu_seconds() - before < 0.1:
                return

    def flush(self) -> None:
        """Have everything written and merged, as far as the system can be asked for it."""
        if self.system == "victoriametrics":
            self.get("/internal/force_flush")
        self.settle()

    def stored_bytes(self) -> int:
        """Bytes on the disk, after `stop` for popscope, before it for the others."""
        if self.system == "popscope":
            code = [sys.executable, "-m", "tests.bench.store_size", str(self.folder)]
            return int(subprocess.run(code, cwd=ROOT, check=True, capture_output=True).stdout)
        if self.system == "prometheus":
            made = self.get("/api/v1/admin/tsdb/snapshot", b"")
            name = json.loads(made)["data"]["name"]
            return _size(self.folder / "snapshots" / name)
        self.get("/internal/force_merge")
        self.settle()
        return _size(self.folder)

    def get(self, path: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", data) as answer:
            found: bytes = answer.read()
            return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(120)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def available() -> list[str]:
    """The systems that can run here."""
    return [s for s in SYSTEMS if s == "popscope" or _program(s).exists()]


def _program(system: str) -> Path:
    return PEERS / {"victoriametrics": "victoria-metrics", "prometheus": "prometheus"}[system]


@contextmanager
def serving(system: str, folder: Path) -> Iterator[Server]:
    """Run a system over a new folder until the context ends."""
    port = _free_port()
    with (folder / "log").open("wb") as log:
        command = _command(system, folder, port)
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Server(system, process, port, folder / "data")
    try:
        _wait(server, folder / "log")
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def _command(system: str, folder: Path, port: int) -> list[str]:
    data, address = folder / "data", f"127.0.0.1:{port}"
    if system == "popscope":
        return [
            str(POPSCOPE), "pipeline", "run", "--store", str(data), "--http", str(port),
            "--sql", "0",
        ]  # fmt: skip
    if system == "victoriametrics":
        return [
            str(_program(system)), f"-storageDataPath={data}", f"-httpListenAddr={address}",
            "-retentionPeriod=1y", "-opentelemetry.usePrometheusNaming=false",
        ]  # fmt: skip
    (folder / "prometheus.yml").write_text("global: {}\n")
    return [
        str(_program(system)), f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={data}", f"--web.listen-address={address}",
        "--web.enable-remote-write-receiver", "--web.enable-admin-api",
    ]  # fmt: skip


def _wait(server: Server, log: Path) -> None:
    path = {"popscope": "/healthz", "victoriametrics": "/health", "prometheus": "/-/ready"}
    for _ in range(600):
        with suppress(OSError, urllib.error.URLError):
            server.get(path[server.system])
            return
        if server.process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{server.system} does not start: {log.read_text()[-1000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
