"""Runs the checks of a node: before it announces, on a schedule, and on demand."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable

from lb.control.agent.checks import instance, node, vlan
from lb.control.agent.settings import Settings
from lb.control.agent.wards import Wards
from lb.control.desired import Desired
from lb.control.errors import PlaneError
from lb.control.findings import Finding, Level, judged
from lb.core_client import CoreState, Neighbour

LEVELS: tuple[Level, ...] = ("node", "vlan", "instance")
_EVERY_S, _SOON_S = 15.0, 1.0


class Runner:
    """`findings`: of the last run; empty before the first one of a core."""

    def __init__(self, settings: Settings, wards: Wards, own: Callable[[], list[Finding]]) -> None:
        """`own`: what the agent knows of itself without looking."""
        self.findings: list[Finding] = []
        self._settings = settings
        self._wards = wards
        self._own = own
        self._due = 0.0
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """The core is another one: nothing is known."""
        self.findings, self._due = [], 0.0

    @property
    def due(self) -> bool:
        """Whether a run is due."""
        return time.monotonic() >= self._due

    @property
    def blocking(self) -> list[str]:
        """Why this node must not be announced."""
        if not self.findings:
            return ["not_checked"]
        return sorted(
            {f.check for f in self.findings if f.severity == "error" and f.level != "instance"}
        )

    @property
    def unserved(self) -> set[str]:
        """VIPs that the core does not serve, by a connection through it."""
        return {f.subject for f in self.findings if f.check == "service" and f.severity == "error"}

    async def run(self, desired: Desired, state: CoreState) -> list[Finding]:
        """All checks, once."""
        async with self._lock:
            found = [*self._own(), *await self._node()]
            found += await self._vlan(desired, state["neighbours"])
            found += await self._instance(desired)
            self.findings = found
            bad = any(f.severity == "error" for f in found)
            self._due = time.monotonic() + (_SOON_S if bad else _EVERY_S)
            return found

    async def _node(self) -> list[Finding]:
        pid = node.core_pid(self._settings.run_dir / "lock")

        def look() -> list[Finding]:
            found = [node.disk(self._settings.state_directory), node.clock()]
            found.append(node.link(self._settings.check_device))
            if pid:
                found += [node.hugepages(pid), *node.cpus(pid)]
            return found

        try:
            return await asyncio.to_thread(look)
        except (OSError, PlaneError) as error:
            return [judged("machine", False, str(error), "look at /proc and /sys")]

    async def _vlan(self, desired: Desired, known: list[Neighbour]) -> list[Finding]:
        spec = desired.all("node")[desired.node]
        members = sorted({m.address for m in desired.all("member").values()})
        networks = [ipaddress.ip_interface(a.address) for a in spec.addresses]
        near = [m for m in members if any(ipaddress.ip_address(m) in n.network for n in networks)]
        found = [vlan.neighbours(near, known)]
        device = self._settings.check_device
        if not device:
            return found
        found += await self._addresses(desired, device)
        smallest = min(v.mtu for v in desired.all("vlan").values())
        up = {n["address"] for n in known if n["mac"]}
        return found + await vlan.mtu(device, smallest, [m for m in near if m in up])

    async def _addresses(self, desired: Desired, device: str) -> list[Finding]:
        found = []
        for own in desired.all("node")[desired.node].addresses:
            address = ipaddress.ip_interface(own.address).ip
            if address.version != 4:
                continue
            try:
                macs = await vlan.owners(device, str(address))
            except PlaneError as error:
                remedy = "the agent needs CAP_NET_RAW and the device"
                found.append(judged("own_address", False, str(error), remedy, level="vlan"))
                continue
            found.append(vlan.address(str(address), macs, own.vlan))
            if len(macs) == 1:
                await self._wards.learn_core(next(iter(macs)))
        return found

    async def _instance(self, desired: Desired) -> list[Finding]:
        found = [*instance.members(desired, self._wards.health()), *instance.limits(desired)]
        mark = self._wards.core_mark
        if mark is not None:
            found += await instance.service(desired, mark)
        return found
