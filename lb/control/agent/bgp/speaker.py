"""Announces what may be announced, and tells of sessions and routes."""

from __future__ import annotations

import time
from typing import Any

from lb.control.agent.bgp.bird import Bird
from lb.control.agent.bgp.config import render
from lb.control.agent.bgp.routes import Announcement, Standing, prefixes, step
from lb.control.agent.events import Events
from lb.control.desired import Desired
from lb.control.errors import BgpError
from lb.control.model.resources import Bgp

_LOOK_S = 1.0


class Speaker:
    """`complaint`: why BGP is not as it should be."""

    def __init__(self, bird: Bird, events: Events, grace_s: float) -> None:
        self.complaint = ""
        self.sessions: dict[str, str] = {}
        self._bird = bird
        self._events = events
        self._grace_s = grace_s
        self._standing = Standing({})
        self._configured = ""
        self._looked = 0.0

    @property
    def announced(self) -> dict[str, str]:
        """Prefixes, and whether they are `advertised` or `leaving`."""
        return {p: _state(a) for p, a in self._standing.announced.items()}

    async def speak(
        self, desired: Desired, healthy: dict[str, bool], *, reasons: list[str], dead: bool
    ) -> bool:
        """Bring BGP to where it should be; `reasons` are those to leave. Whether it is there."""
        bgp: Bgp | None = desired.all("node")[desired.node].bgp
        if bgp is None:
            return True
        before = self._standing.announced
        self._standing = step(
            self._standing,
            prefixes(desired, healthy),
            leave=bool(reasons),
            dead=dead,
            now=time.monotonic(),
            grace_s=self._grace_s,
        )
        try:
            await self._configure(bgp)
            self._tell(before, "core_lost" if dead else reasons[0] if reasons else "health")
            self.complaint = ""
        except BgpError as error:
            self.complaint = str(error)
            return False
        return not reasons or self.left

    async def look(self, desired: Desired) -> bool:
        """See how the sessions are, once a second; whether BIRD is gone."""
        bgp: Bgp | None = desired.all("node")[desired.node].bgp
        if bgp is None or not self._configured or time.monotonic() - self._looked < _LOOK_S:
            return False
        self._looked = time.monotonic()
        try:
            await self._see(bgp)
        except BgpError as error:
            self.complaint = str(error)
            self.sessions = {}
        return not self._bird.running

    async def close(self) -> None:
        """End all sessions."""
        await self._bird.stop()

    @property
    def left(self) -> bool:
        """Whether nothing is announced any more."""
        return not self._standing.announced

    async def _configure(self, bgp: Bgp) -> None:
        text = render(bgp, self._standing.announced)
        if text != self._configured or not self._bird.running:
            self._configured = ""
            await self._bird.configure(text)
            self._configured = text

    async def _see(self, bgp: Bgp) -> None:
        found = await self._bird.sessions()
        peers = [neighbor.address for neighbor in bgp.neighbors]
        states = {peers[int(s.name.removeprefix("router"))]: s.state for s in found}
        for peer, state in states.items():
            if state != self.sessions.get(peer):
                up = state == "Established"
                word = "established" if up else "idle"
                self._events.tell("bgp", peer, word, "session" if up else "lost", state)
        self.sessions = states

    def _tell(self, before: Any, why: str) -> None:
        after = self._standing.announced
        for prefix in sorted({*before, *after}):
            old, new = before.get(prefix), after.get(prefix)
            if old != new:
                state = _state(new) if new is not None else "withdrawn"
                self._events.tell("route", prefix, state, why)


def _state(announcement: Announcement) -> str:
    return "leaving" if announcement.leaving else "advertised"
