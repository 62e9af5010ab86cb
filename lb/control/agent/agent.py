"""The agent of a node: puts in force what its controller wants, checks say, and people decide."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from lb.control.agent import judgement
from lb.control.agent.bgp.bird import Bird
from lb.control.agent.bgp.speaker import Speaker
from lb.control.agent.cache import Cache, Kept, must_follow
from lb.control.agent.checks.own import own_findings
from lb.control.agent.checks.runner import Runner
from lb.control.agent.commands import Commands
from lb.control.agent.core import Core
from lb.control.agent.events import Events
from lb.control.agent.force import Force
from lb.control.agent.judgement import Member
from lb.control.agent.link import Link
from lb.control.agent.local import SOCKET, listen
from lb.control.agent.overrides import Overrides
from lb.control.agent.settings import Settings
from lb.control.agent.wards import Wards
from lb.control.desired import Desired
from lb.control.errors import StateError
from lb.control.findings import Finding, judged
from lb.control.health.state import Health
from lb.control.waiting import wait
from lb.errors import ControlError

log = logging.getLogger(__name__)
_TICK_S = 0.25
_SETTLE_S = 3.0
_SAVE_S = 1.0


class Agent:
    """Made inside of the event loop."""

    def __init__(self, settings: Settings, version: str) -> None:
        folder = settings.state_directory
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._version = version
        self._cache = Cache(folder)
        self.overrides = Overrides(folder)
        self.events = Events(
            folder / "events.jsonl", settings.events_bytes, settings.node, lambda: self._pop
        )
        self._core = Core(settings.run_dir)
        self._force = Force(self._core, self.events)
        self._wards = Wards(settings, self._judged)
        self._runner = Runner(settings, self._wards, self._own_findings)
        self._speaker = Speaker(Bird(folder), self.events, settings.leave_s)
        self._link = Link(settings, version, lambda: self._kept, self._take, self.report)
        self._kept: Kept | None = None
        self.desired: Desired | None = None
        self._adopt = self._leaving = False
        self._started = time.monotonic()
        self._due = asyncio.Event()
        self._gone = asyncio.Event()
        self._unsaved = False

    @property
    def _pop(self) -> str:
        return self.desired.pop if self.desired else ""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. Raises TargetError, OSError."""
        await self._wards.open()
        self._start_from_cache()
        server = await listen(self._settings.run_dir / SOCKET, Commands(self).serve)
        work = [
            self._reconcile(),
            self._wards.watch(self._core, lambda: self._force.alive),
            self._checks(),
        ]
        work += [self._link.run()] if self._settings.controller else []
        tasks = [asyncio.create_task(coroutine) for coroutine in work]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            await self._leave()
        finally:
            for task in (stopped, *tasks):
                task.cancel()
            results = await asyncio.gather(stopped, *tasks, return_exceptions=True)
            server.close()
            (self._settings.run_dir / SOCKET).unlink(missing_ok=True)
            self._wards.save(self._wards.snapshot())
            await self._wards.close()
            await self._speaker.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _leave(self) -> None:
        """Withdraw routes, so that others take over before this node says nothing any more."""
        if self.desired is None:
            return
        self._leaving = True
        self._due.set()
        await wait(self._gone, self._settings.leave_s + 1)

    def _start_from_cache(self) -> None:
        self._kept = self._cache.load()
        for complaint in self._cache.complaints:
            self.events.tell("config", "cache", "damaged", "cache", complaint)
        if self._kept is None:
            return
        try:
            self.desired = Desired(self._settings.node, self._kept.state)
            self._wards.configure(self.desired)
            self._due.set()
        except StateError as error:
            self._cache.complaints.append(str(error))

    async def _take(self, new: Kept) -> None:
        """A state has come. Raises StateError when it must not be followed."""
        old = self._kept
        if old is not None and not self._adopt:
            must_follow(old, new)
        desired = Desired(self._settings.node, new.state)
        if old is None or (old.fleet, old.revision, old.state) != (
            new.fleet,
            new.revision,
            new.state,
        ):
            await asyncio.to_thread(self._cache.save, new)
        self._adopt = False
        self._kept, self.desired = new, desired
        self._wards.configure(desired)
        self._due.set()

    def _judged(self) -> None:
        self._unsaved = True
        self._due.set()

    async def _reconcile(self) -> None:
        saved, again = time.monotonic(), True
        while True:
            await wait(self._due, _TICK_S)
            woken = self._due.is_set()
            self._due.clear()
            before = self._standing()
            if woken:
                health = self._wards.health().items()
                self.events.health({"/".join(m): state for m, state in health}, self._started)
            self.events.retell()
            changed = self._force.look()
            if self.desired is not None and (woken or changed or again):
                again = not await self._follow(self.desired)
            if self.desired is not None and await self._speaker.look(self.desired):
                again = True
            if changed or self._unsaved or before != self._standing():
                self._link.report_soon()
            if self._unsaved and time.monotonic() - saved > _SAVE_S:
                self._unsaved, saved = False, time.monotonic()
                await asyncio.to_thread(self._wards.save, self._wards.snapshot())

    def _standing(self) -> tuple[object, ...]:
        """What a report is due for when it changes."""
        force, speaker = self._force, self._speaker
        return (
            force.generation,
            force.problems,
            speaker.announced,
            speaker.sessions,
            speaker.complaint,
        )

    async def _follow(self, desired: Desired) -> bool:
        """Put in force, and announce, what is to be; whether all of it is done."""
        # A core that serves keeps its weights until the first verdicts are in.
        settled = self._wards.judged or time.monotonic() - self._started > _SETTLE_S
        settled = settled or await self._force.bare()
        if settled and self._force.alive:
            before = self._force.generation
            await self._force.put(self._document(desired))
            if self._force.generation != before:
                self._wards.look()
        health = self._wards.health()
        spoken = await self._speaker.speak(
            desired,
            self._vips(desired, health),
            reasons=self._reasons(desired),
            dead=self._force.generation == 0,
        )
        if self._leaving and self._speaker.left:
            self._gone.set()
        return spoken and settled and self._force.alive and not self._force.problems

    def _reasons(self, desired: Desired) -> list[str]:
        """Why this node must not be announced, although its core works."""
        local = self.overrides.maintenance
        node = desired.all("node")[desired.node]
        return [
            *(["agent_stops"] if self._leaving else []),
            *(["maintenance"] if node.maintenance or local else []),
            *self._runner.blocking,
        ]

    def _vips(self, desired: Desired, health: Mapping[Member, Health]) -> dict[str, bool]:
        """Which VIPs may be announced, as far as they are concerned."""
        unserved = self._runner.unserved
        healthy = judgement.healthy_vips(desired, health)
        return {vip: good and vip not in unserved for vip, good in healthy.items()}

    def _own_findings(self) -> list[Finding]:
        link = self._link.complaint if self._settings.controller else ""
        return own_findings(self._force, self._speaker, link, self._cache.complaints)

    async def _checks(self) -> None:
        """Run the checks when they are due, and a core has something in force."""
        while True:
            await asyncio.sleep(_TICK_S)
            if self._force.generation == 0:
                self._runner.forget()
            elif self._runner.due:
                before = (self._runner.blocking, self._runner.unserved)
                await self.check()
                if before != (self._runner.blocking, self._runner.unserved):
                    self._due.set()

    async def check(self) -> list[Finding]:
        """Run all checks. Raises StateError when there is nothing to check."""
        if self.desired is None:
            raise StateError("this node has no state yet: is the controller there?")
        try:
            return await self._runner.run(self.desired, await self._core.show())
        except ControlError as error:
            return [judged("core", False, str(error), "start it: `popscope lb run`")]

    def _document(self, desired: Desired) -> Mapping[str, Any]:
        return desired.document(0, self._weights(desired))

    def _weights(self, desired: Desired) -> dict[Member, int]:
        return judgement.weights(desired, self._wards.health(), self.overrides.weights())

    def report(self) -> dict[str, Any]:
        """What is in force here, and what is not, and why."""
        kept, desired = self._kept, self.desired
        health = self._wards.health()
        weights = self._weights(desired) if desired else {}
        complaints = [
            *self._cache.complaints,
            self.overrides.complaint,
            self._wards.complaint,
            self._speaker.complaint,
            self._link.complaint if self._settings.controller else "",
        ]
        return {
            "node": self._settings.node,
            "version": self._version,
            "fleet": kept.fleet if kept else "",
            "revision": kept.revision if kept else 0,
            "digest": kept.digest if kept else "",
            "connected": self._link.connected,
            "core": "alive" if self._force.alive else "dead",
            "generation": self._force.generation,
            "problems": [{"path": p.path, "message": p.message} for p in self._force.problems],
            "health": judgement.shown(health, weights),
            "vips": self._vips(desired, health) if desired else {},
            "findings": [f.document() for f in self._runner.findings if f.severity != "ok"],
            "overrides": self.overrides.document(),
            "tables": self._wards.tables,
            "blocked": self._reasons(desired) if desired else [],
            "routes": self._speaker.announced,
            "bgp": self._speaker.sessions,
            "unmade": dict(self._wards.engine.complaints),
            "checks": dict(self._wards.engine.counts),
            "complaints": [text for text in complaints if text],
        }

    def status(self) -> dict[str, Any]:
        """The report, and how the connection to the controller is."""
        link = {"connected": self._link.connected, "complaint": self._link.complaint}
        return {**self.report(), "controller": link}

    def adopt(self) -> None:
        """Follow the next state, whatever it follows from."""
        self._adopt = True
        self._link.retry()

    def wake(self) -> None:
        """Something is to be done."""
        self._due.set()

    async def in_force(self) -> int:
        """Put in force what is wanted, now; the generation."""
        if self.desired is not None:
            await self._force.put(self._document(self.desired))
        return self._force.generation
