"""The members that the agent watches: their checks, the way to them, and what is known of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from lb.control.agent.cache import read_file, write_file
from lb.control.agent.core import Core
from lb.control.agent.judgement import Checks, Member, by_member, checks
from lb.control.agent.settings import Settings
from lb.control.desired import Desired
from lb.control.errors import StateError, TargetError
from lb.control.health.engine import Engine, Transition
from lb.control.health.state import Health
from lb.control.health.target import Target
from lb.control.health.way import BACKENDS_MAX, Way
from lb.control.waiting import wait
from lb.core_client import CoreState
from lb.errors import ControlError

_SOON_S, _LATER_S = 0.25, 5.0  # between looks at the core
_FOUND_S = 5.0  # a core that has its configuration has found whoever answers
_NONE = Checks((), {}, {})


class Wards:
    """Made inside of the event loop. `told` is called after each transition."""

    def __init__(self, settings: Settings, told: Callable[[], None]) -> None:
        self.engine = Engine(self._transition, scripts=settings.scripts, ready=self._reachable)
        self.complaint = ""
        self._told = told
        self._path = settings.state_directory / "health.json"
        self._checks = _NONE
        self._macs: dict[int, str] = {}
        self._since: dict[int, float] = {}  # when a mark was first wanted
        self.tables: dict[str, str] = {}  # digests by pool
        self._look = asyncio.Event()
        self._found: dict[int, str] = {}
        self._core_mac = ""
        device = settings.check_device
        self._way = Way(device, ipv6=settings.check_ipv6) if device else None
        self._known = self._load()

    async def open(self) -> None:
        """Make the way to VIPs. Raises TargetError."""
        if self._way is not None:
            await self._way.open()

    async def close(self) -> None:
        """Stop, and keep what is known."""
        await self.engine.close()
        if self._way is not None:
            await self._way.close()

    def configure(self, desired: Desired) -> None:
        """Watch these from now on."""
        self._checks = checks(desired, self._way)
        now = time.monotonic()
        marks = self._checks.marks.values()
        self._since = {mark: self._since.get(mark, now) for mark in marks}
        self.look()
        self.engine.configure(self._checks.jobs, self._known)

    def health(self) -> dict[Member, Health]:
        """What is known of each member."""
        return by_member(self.engine.states(), self._checks.members)

    @property
    def core_mark(self) -> int | None:
        """The mark that leads through the core itself, once its MAC address is known."""
        return self._way.mark(BACKENDS_MAX - 1) if self._way and self._core_mac else None

    async def learn_core(self, mac: str) -> None:
        """The core has this MAC address on the link."""
        if mac != self._core_mac:
            self._core_mac = mac
            await self._update(self._found)

    @property
    def judged(self) -> bool:
        """Whether each check has given a verdict."""
        return all(health.up is not None for health in self.engine.states().values())

    def _reachable(self, target: Target) -> bool:
        """Not before the core has had time to find it: that would be no verdict on the backend."""
        if target.mark == 0 or target.mark in self._macs:
            return True
        return time.monotonic() - self._since.get(target.mark, 0.0) > _FOUND_S

    def look(self) -> None:
        """The core may know other neighbours."""
        self._look.set()

    async def watch(self, core: Core, alive: Callable[[], bool]) -> None:
        """Learn from the core whom it knows, and which tables it has."""
        while True:
            if alive():
                with suppress(ControlError):  # the next look says so, if it is dead
                    state = await core.show()
                    self.tables = {t["pool"]: t["digest"] for t in state["maglev"]}
                    await self.learn(state)
            await wait(self._look, _SOON_S if self.lacks_neighbours else _LATER_S)
            self._look.clear()

    @property
    def lacks_neighbours(self) -> bool:
        """Whether there are members whose MAC address is not known."""
        return not self._checks.marks.keys() <= self._addresses

    async def learn(self, state: CoreState) -> None:
        """Send checks to the MAC addresses that the core has."""
        macs = {n["address"]: n["mac"] for n in state["neighbours"] if n["mac"]}
        marks = self._checks.marks
        await self._update({marks[a]: mac for a, mac in macs.items() if a in marks})

    async def _update(self, found: dict[int, str]) -> None:
        self._found = found
        if self._way is None:
            return
        core = {self._way.mark(BACKENDS_MAX - 1): self._core_mac} if self._core_mac else {}
        whole = {**found, **core}
        if whole == self._macs:
            return
        try:
            await self._way.update(whole)
            self._macs, self.complaint = whole, ""
        except TargetError as error:
            self.complaint = str(error)

    def _transition(self, _: Transition) -> None:
        self._told()

    @property
    def _addresses(self) -> frozenset[str]:
        marks = self._checks.marks
        return frozenset(address for address, mark in marks.items() if mark in self._macs)

    def snapshot(self) -> list[dict[str, Any]]:
        """What is known, with times of the epoch, for the disk."""
        shift = time.time() - asyncio.get_running_loop().time()
        return [
            {"key": key, **asdict(_shifted(health, shift))}
            for key, health in sorted(self.engine.states().items())
        ]

    def save(self, snapshot: list[dict[str, Any]]) -> None:
        """Keep a snapshot. Raises OSError."""
        write_file(self._path, snapshot)

    def _load(self) -> dict[str, Health]:
        shift = asyncio.get_running_loop().time() - time.time()
        try:
            listed = read_file(self._path) or []
        except StateError as error:
            self.complaint = str(error)
            return {}
        return {entry.pop("key"): _shifted(Health(**entry), shift) for entry in listed}


def _shifted(health: Health, by: float) -> Health:
    return replace(health, since=health.since + by, penalised_at=health.penalised_at + by)
