"""Health checks of one node: 20,000 at 5 s, by one process, against servers in another one.

`cpu` is the checker's own CPU time a second of wall clock: below 1 is "on one core".
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

from lb.control.health.engine import Engine, Job
from lb.control.health.target import Target
from lb.control.model.checker import Checker, Http, Probe, Tcp

JOBS = 20_000
INTERVAL_S = 5.0
MEASURED_S = 10.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class _Web(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)
        self._transport.close()


def _serve(port: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Web, "0.0.0.0", 0, backlog=4096)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def _target(i: int, port: int) -> Target:
    address = f"127.1.{i // 250 % 250}.{i % 250 + 1}"
    return Target(address, port, address)


async def _measure(probe: Probe, port: int) -> dict[str, Any]:
    checker = Checker(probe=probe, interval_s=INTERVAL_S)
    engine = Engine(lambda _: None)
    engine.configure([Job(str(i), checker, _target(i, port)) for i in range(JOBS)])
    await asyncio.sleep(INTERVAL_S * 1.2)  # every job was checked once, and has its place
    before, wall, cpu = engine.counts.copy(), time.monotonic(), time.process_time()
    late = 0.0
    while time.monotonic() < wall + MEASURED_S:
        await asyncio.sleep(0.1)
        late = max(late, engine.late_s)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    made = engine.counts - before
    await engine.close()
    checks = made["passed"] + made["failed"]
    return {
        "jobs": JOBS,
        "checks_per_s": round(checks / wall),
        "failed": made["failed"],
        "unmade": made["unmade"],
        "cpu": round(cpu / wall, 3),
        "us_per_check": round(cpu / checks * 1e6, 1),
        "late_ms_max": round(late * 1e3, 1),
    }


def cases() -> list[dict[str, Any]]:
    """One case a kind of check."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        port = ours.recv()
        probes: dict[str, Probe] = {"tcp": Tcp(), "http": Http(body="ok")}
        return [
            {"name": f"{name}, 20,000 checks at 5 s", **asyncio.run(_measure(probe, port))}
            for name, probe in probes.items()
        ]
    finally:
        server.kill()
        server.join()
