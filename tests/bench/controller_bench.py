"""The controller at the size of a fleet: 300 PoPs, 2,400 nodes, 100,000 listeners, on SQLite.

The agents are simulated: what they would be sent is made, and counted, and not sent. `ms`: from the
request to the last message that follows from it, for one changed member.
"""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from lb.control.controller.changes import Wanted
from lb.control.controller.hub import Session
from lb.control.controller.service import Controller, Request
from lb.control.controller.tokens import Identity

POPS, NODES, LISTENERS, CHANGES = 300, 8, 100_000, 200
PER_POP = LISTENERS // POPS
_BATCH = 20_000
ANN = Identity("ann", "operator")


class Sink:
    """Takes messages in place of an agent's socket."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.last = 0.0
        self._more = asyncio.Event()

    async def send_json(self, message: dict[str, Any]) -> None:
        self.messages += 1
        self.bytes += len(json.dumps(message))
        self.last = time.monotonic()
        self._more.set()

    async def until(self, count: int) -> None:
        """Wait for so many messages in all."""
        while self.messages < count:
            self._more.clear()
            await self._more.wait()


def fleet() -> list[Wanted]:
    """A tenth as many pools and VIPs as listeners, two members a pool."""
    made: list[Wanted] = []
    for p in range(POPS):
        pop = f"p{p}"
        made += [Wanted("pop", pop, {}), Wanted("vlan", pop, {"pop": pop})]
        made.append(Wanted("instance", pop, {"pops": [pop]}))
        for n in range(NODES):
            address = {"vlan": pop, "address": f"10.{p // 250}.{p % 250}.{n + 1}/24"}
            made.append(Wanted("node", f"{pop}n{n}", {"pop": pop, "addresses": [address]}))
        for k in range(0, PER_POP + 10, 10):
            name, net = f"{pop}k{k}", f"10.{p // 250}.{p % 250}"
            made.append(
                Wanted("vip", name, {"address": f"198.{18 + p // 250}.{p % 250}.{k // 10}"})
            )
            made.append(Wanted("pool", name, {}))
            made += [
                Wanted(
                    "member", f"{name}m{m}", {"pool": name, "address": f"{net}.{50 + k // 5 + m}"}
                )
                for m in range(2)
            ]
            made += [
                Wanted(
                    "listener",
                    f"{name}l{i}",
                    {"instance": pop, "vip": name, "port": 80 + i, "protocol": "tcp", "pool": name},
                )
                for i in range(min(10, PER_POP + 1 - k))
            ]
    return made


def _request(wanted: list[Wanted]) -> Request:
    return Request(ANN, lambda _: wanted, lambda staged: (200, {}, 0))


async def _measure(url: str) -> list[dict[str, Any]]:
    controller = Controller(url, check_documents=False)
    await controller.open()
    started, cpu = time.monotonic(), time.process_time()
    resources = fleet()
    for i in range(0, len(resources), _BATCH):
        await controller.change(_request(resources[i : i + _BATCH]))
    filled, filled_cpu = time.monotonic() - started, time.process_time() - cpu
    sink = Sink()
    writers = []
    for node in [r.name for r in controller.catalog.of("node")]:
        session = Session(node, cast(web.WebSocketResponse, sink))
        controller.hub.sessions[node] = session
        writers.append(asyncio.create_task(controller.hub.write(session, None)))
    await sink.until(POPS * NODES)
    took, cpu = [], time.process_time()
    for i in range(CHANGES):
        before, start = sink.messages, time.monotonic()
        member = Wanted("member", f"p{i}k0m0", {"pool": f"p{i}k0", "address": "10.9.9.9"})
        await controller.change(_request([member]))
        await sink.until(before + NODES)
        took.append((sink.last - start) * 1e3)
    cpu = time.process_time() - cpu
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)
    controller.hub.sessions.clear()
    await controller.close()
    took.sort()
    return [
        {
            "name": f"{POPS} PoPs, {POPS * NODES} nodes, {LISTENERS} listeners",
            "resources": len(resources),
            "fill_s": round(filled, 1),
            "fill_cpu_s": round(filled_cpu, 1),
            "ms_p50": round(took[len(took) // 2], 1),
            "ms_p99": round(took[int(len(took) * 0.99)], 1),
            "cpu_ms_a_change": round(cpu / CHANGES * 1e3, 1),
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }
    ]


def cases() -> list[dict[str, Any]]:
    """One case."""
    with tempfile.TemporaryDirectory(prefix="popscope-bench-") as folder:
        return asyncio.run(_measure(f"sqlite:///{Path(folder)}/controller.db"))
