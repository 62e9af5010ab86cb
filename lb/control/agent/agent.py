"""The agent of a node: puts in force what its controller wants, checks say, and people decide."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lb.control.agent import judgement
from lb.control.agent.bgp.bird import Bird
from lb.control.agent.bgp.speaker import Speaker
from lb.control.agent.cache import Cache, Kept
from lb.control.agent.core import Core
from lb.control.agent.events import Events
from lb.control.agent.force import Force
from lb.control.agent.judgement import Member
from lb.control.agent.link import Link
from lb.control.agent.local import SOCKET, listen
from lb.control.agent.overrides import Overrides
from lb.control.agent.settings import Settings
from lb.control.agent.waiting import wait
from lb.control.agent.wards import Wards
from lb.control.desired import Desired
from lb.control.errors import StateError
from lb.control.health.engine import Transition
from lb.errors import ControlError

log = logging.getLogger(__name__)
_TICK_S = 0.25
_SETTLE_S = 3.0
_SOON_S, _LATER_S = 0.25, 5.0  # between looks at the core's neighbours
_SAVE_S = 1.0


class Agent:
    """Made inside of the event loop."""

    def __init__(self, settings: Settings, version: str) -> None:
        folder = settings.state_directory
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._version = version
        self._cache = Cache(folder)
        self._overrides = Overrides(folder)
        self.events = Events(
            folder / "events.jsonl", settings.events_bytes, settings.node, lambda: self._pop
        )
        self._core = Core(settings.run_dir)
        self._force = Force(self._core, self.events)
        self._wards = Wards(settings, self._judged)
        self._speaker = Speaker(Bird(folder), self.events, settings.leave_s)
        self._link = Link(settings, version, lambda: self._kept, self._take, self.report)
        self._kept: Kept | None = None
        self._desired: Desired | None = None
        self._adopt = self._leaving = False
        self._started = time.monotonic()
        self._due = asyncio.Event()
        self._gone = asyncio.Event()
        self._unsaved = False

    @property
    def _pop(self) -> str:
        return self._desired.pop if self._desired else ""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. Raises TargetError, OSError."""
        await self._wards.open()
        self._start_from_cache()
        server = await listen(self._settings.run_dir / SOCKET, self._serve)
        tasks = [asyncio.create_task(self._reconcile()), asyncio.create_task(self._neighbours())]
        if self._settings.controller:
            tasks.append(asyncio.create_task(self._link.run()))
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
        if self._desired is None:
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
            self._desired = Desired(self._settings.node, self._kept.state)
            self._wards.configure(self._desired)
        except StateError as error:
            self._cache.complaints.append(str(error))

    async def _take(self, new: Kept) -> None:
        """A state has come. Raises StateError when it must not be followed."""
        old = self._kept
        if old is not None and not self._adopt:
            if new.fleet != old.fleet:
                raise StateError(
                    "this controller has another data base than the one that was followed: "
                    "`popscope lb agent adopt` follows it"
                )
            if new.revision < old.revision:
                raise StateError(
                    f"revision {new.revision} is older than {old.revision}, which is here: is its "
                    "data base a restored one? `popscope lb agent adopt` follows it"
                )
        desired = Desired(self._settings.node, new.state)
        if old is None or (old.fleet, old.revision, old.state) != (
            new.fleet,
            new.revision,
            new.state,
        ):
            await asyncio.to_thread(self._cache.save, new)
        self._adopt = False
        self._kept, self._desired = new, desired
        self._wards.configure(desired)
        self._due.set()

    def _judged(self, member: Member, transition: Transition) -> None:
        after = transition.after
        word = "checks_passed" if after.up else "checks_failed"
        subject, state = "/".join(member), "up" if after.up else "down"
        self.events.tell("health", subject, state, word, f"{transition.key}: {after.reason}")
        self._unsaved = True
        self._due.set()

    async def _reconcile(self) -> None:
        saved, again = time.monotonic(), True
        while True:
            await wait(self._due, _TICK_S)
            woken = self._due.is_set()
            self._due.clear()
            before = self._standing()
            changed = self._force.look()
            if self._desired is not None and (woken or changed or again):
                again = not await self._follow(self._desired)
            if self._desired is not None and await self._speaker.look(self._desired):
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
        if settled and self._force.alive:
            await self._force.put(self._document(desired))
        health = self._wards.health()
        spoken = await self._speaker.speak(
            desired,
            judgement.healthy_vips(desired, health),
            reasons=self._reasons(desired),
            dead=self._force.generation == 0,
        )
        if self._leaving and self._speaker.left:
            self._gone.set()
        return spoken and settled and self._force.alive and not self._force.problems

    def _reasons(self, desired: Desired) -> list[str]:
        """Why this node must not be announced, although its core works."""
        local = self._overrides.maintenance
        node = desired.all("node")[desired.node]
        return [
            *(["agent_stops"] if self._leaving else []),
            *(["maintenance"] if node.maintenance or local else []),
        ]

    def _document(self, desired: Desired) -> Mapping[str, Any]:
        return desired.document(0, self._weights(desired))

    def _weights(self, desired: Desired) -> dict[Member, int]:
        return judgement.weights(desired, self._wards.health(), self._overrides.weights())

    async def _neighbours(self) -> None:
        while True:
            if self._force.alive:
                with suppress(ControlError):  # the next look at it says so
                    await self._wards.learn(await self._core.show())
            await asyncio.sleep(_SOON_S if self._wards.lacks_neighbours else _LATER_S)

    def report(self) -> dict[str, Any]:
        """What is in force here, and what is not, and why."""
        kept, desired = self._kept, self._desired
        health = self._wards.health()
        weights = self._weights(desired) if desired else {}
        complaints = [
            *self._cache.complaints,
            self._overrides.complaint,
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
            "core": "alive" if self._force.alive else "dead",
            "generation": self._force.generation,
            "problems": [{"path": p.path, "message": p.message} for p in self._force.problems],
            "health": judgement.shown(health, weights),
            "vips": judgement.healthy_vips(desired, health) if desired else {},
            "overrides": self._overrides.document(),
            "blocked": self._reasons(desired) if desired else [],
            "routes": self._speaker.announced,
            "bgp": self._speaker.sessions,
            "unmade": dict(self._wards.engine.complaints),
            "checks": dict(self._wards.engine.counts),
            "complaints": [text for text in complaints if text],
        }

    async def _serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a command of this node. Raises StateError."""
        op = request.get("op")
        if op == "status":
            link = {"connected": self._link.connected, "complaint": self._link.complaint}
            return {**self.report(), "controller": link}
        if op == "override":
            return await self._override(request["pool"], request["member"], request["weight"])
        if op == "release":
            pool, member = str(request["pool"]), str(request["member"])
            if not self._overrides.release(pool, member):
                raise StateError(f"nothing was set by hand for {pool}/{member}")
            self.events.tell("drain", f"{pool}/{member}", "released", "operator")
            self._due.set()
            return {}
        if op == "maintenance":
            self._overrides.set_maintenance(bool(request["on"]))
            self._due.set()
            return {}
        if op == "adopt":
            self._adopt = True
            self._link.retry()
            return {}
        raise StateError(f"{op!r} is none of status, override, release, maintenance, adopt")

    async def _override(self, pool: str, member: str, weight: int) -> dict[str, Any]:
        desired = self._desired
        if desired is None or member not in desired.all("member"):
            raise StateError(f"there is no member {member!r} on this node")
        if desired.all("member")[member].pool != pool:
            raise StateError(f"{member!r} is a member of {desired.all('member')[member].pool!r}")
        if not isinstance(weight, int) or not 0 <= weight <= 1000:
            raise StateError("weight: must be a number from 0 to 1000")
        self._overrides.set(pool, member, weight)
        state = "up" if weight else "draining"
        self.events.tell("drain", f"{pool}/{member}", state, "operator", f"weight {weight}")
        await self._force.put(self._document(desired))
        self._link.report_soon()
        return {"generation": self._force.generation}
