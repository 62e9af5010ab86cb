"""The story of the demo: a drain, malformed packets, a director that dies and comes back.

Nothing of it may break a request. A scene waits for what it stands on, so it may come later than
its time, never too early.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.demo.narrator import Narrator
from tests.demo.supervisor import Supervisor
from tests.demo.watch import Watch
from tests.lab import audit
from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.packets6 import BY_NAME
from tests.lab.stack import Stack
from tests.lab.traffic import Load, Rates

TICK_S = 0.25
# What a fast failure detector (BFD, 3 x 100 ms) needs to see that a director is gone.
DETECTION_S = 0.3
DRAINED, KILLED = "b3", "d2"
# When a scene may begin, as a share of the whole.
DRAIN_AT, INJECT_AT, KILL_AT, REJOIN_AT = 0.2, 0.35, 0.5, 0.65
LONGEST_DOWNLOAD_S = 8.0
SHORTEST_STORY_S = 15
ENDLESS_STORY_S = 60
# Packets of each kind, by the director that gets them; here none of their reasons occurs by itself.
INJECTED = {
    "d1": {"ip-checksum": 150, "ip-truncated": 120, "tcp-no-flags": 90, "vip-too-large": 180},
    "d2": {"udp-short": 80, "ip-version": 70, "ip-ttl": 40, "vlan": 30, "vip-port": 60},
}


class EndedError(Exception):
    """The time is over, or the user wants the end."""


@dataclass(slots=True)
class Story:
    """Plays the scenes. `stopping` says that the user wants the end."""

    lab: Lab
    stack: Stack
    narrator: Narrator
    load: Load
    seconds: int
    stopping: Callable[[], bool]
    watch: Watch
    supervisor: Supervisor
    started_at: float = field(default_factory=time.time)
    injected: Counter[str] = field(default_factory=Counter)
    injected_at: float | None = None
    drop_to_sql_ms: int | None = None
    in_flight_at_kill: int = 0
    killed_at: float | None = None
    rejoined: bool = False
    _alerts_told: int = 0

    def play(self) -> None:
        """All scenes, up to the end of the time."""
        scenes = ((DRAIN_AT, self.drain), (INJECT_AT, self.inject), (KILL_AT, self.kill))
        try:
            if self.seconds and self.seconds < SHORTEST_STORY_S:
                self.narrator.say(
                    f"{self.seconds} s are too short for the story (drain, kill): traffic alone"
                )
            else:
                for share, scene in scenes:
                    self.until(share)
                    scene()
                self.until(REJOIN_AT)
                self.rejoin()
            self.until(1.0)
            while not self.seconds:
                self.tick()
        except EndedError:
            pass

    def drain(self) -> None:
        """Take a backend out of new connections, wait for its last one, stop it."""
        self.lab.apply({DRAINED: 0})
        drained_at = time.time()
        self.narrator.tell(
            "drain", f"backend {DRAINED} is drained: weight 0, what it serves goes on"
        )
        network, quiet = self.lab.network, 0
        while quiet < 2:
            self.tick()
            quiet = quiet + 1 if network.established(DRAINED) == 0 else 0
        self.lab.backends[DRAINED].stop()
        took = time.time() - drained_at
        self.narrator.tell(
            "drained", f"its last connection has ended after {took:.1f} s: {DRAINED} is stopped"
        )
        # A connection from before the drain lives by its entry in one director's table; the new
        # Maglev table may give it to another backend. So while there is one, no director may be
        # lost. Later ones are safe: both directors would choose as the first one did.
        self.wait(lambda: self.load.report["oldest_open"] > drained_at)

    def inject(self) -> None:
        """Send malformed packets to both directors, and see them arrive in SQL."""
        self.wait_for_directors()
        for director, kinds in INJECTED.items():
            self.lab.inject(director, {BY_NAME[kind]: n for kind, n in kinds.items()})
            for kind, n in kinds.items():
                self.injected[BY_NAME[kind].reason] += n
        sent_at, total = time.monotonic(), self.injected.total()
        self.injected_at = time.time()
        self.narrator.tell(
            "inject", f"{total} malformed packets of {len(self.injected)} kinds are sent"
        )
        self.wait(lambda: self.stored_drops() >= total, 0.05)
        self.drop_to_sql_ms = round((time.monotonic() - sent_at) * 1e3)
        self.narrator.tell(
            "in-sql", f"all of them are in ClickHouse, by reason, {self.drop_to_sql_ms} ms later"
        )

    def kill(self) -> None:
        """Kill a director, and let the router find out as it would by BFD."""
        self.wait_for_directors()
        self.tick()
        self.in_flight_at_kill = self.load.report["downloading"]
        self.killed_at = time.time()
        self.lab.directors[KILLED].kill()
        time.sleep(DETECTION_S)
        self.lab.route([d for d in self.lab.routed if d != KILLED])
        self.narrator.tell(
            "kill",
            f"director {KILLED} is killed (SIGKILL) with {self.in_flight_at_kill} downloads in "
            f"flight; {DETECTION_S * 1e3:.0f} ms later the router has it out of its ECMP group",
        )
        before = self.watch.look().picked_up
        self.wait(lambda: self.watch.look().picked_up > before or not self.in_flight_at_kill)
        self.narrator.tell(
            "picked-up",
            "the other director picks its connections up in mid-flow: both build the same table",
        )

    def rejoin(self) -> None:
        """Start the killed director again, and route to it when it is ready."""
        self.lab.restart(KILLED)
        self.lab.route(self.lab.plan.directors)
        self.rejoined = True
        self.narrator.tell("rejoin", f"{KILLED} is back, configured, and in the ECMP group again")

    def alert_due(self, within_s: float) -> bool:
        """Whether an alert about the injected packets must have come."""
        alerting = self.stack.alerting is not None
        return alerting and bool(self.injected_at and time.time() > self.injected_at + within_s)

    def until(self, share: float) -> None:
        """Wait for a moment of the story. Raises EndedError."""
        end = (self.seconds or ENDLESS_STORY_S) * share
        while self.narrator.elapsed < end:
            self.tick()

    def wait_for_directors(self) -> None:
        """Wait until all directors are there: somebody may have killed one. Raises EndedError."""
        self.wait(lambda: set(self.lab.routed) == set(self.lab.plan.directors))

    def wait(self, condition: Callable[[], bool], tick_s: float = TICK_S) -> None:
        """Wait for a condition, as long as there is time. Raises EndedError."""
        while not condition():
            self.tick(tick_s)

    def tick(self, seconds: float = TICK_S) -> None:
        """Let time pass, show what came in. Raises EndedError, LabError."""
        self.show(seconds)
        if self.stopping() or (self.seconds and self.narrator.elapsed >= self.seconds):
            raise EndedError

    def show(self, seconds: float = TICK_S) -> None:
        """Let time pass: read what came in, show it. Raises LabError."""
        time.sleep(seconds)
        self.load.poll()
        self.stack.rows_expected()  # a spool's file is gone some time after it was sent
        self.supervisor.look()
        self._tell_alerts()
        self.narrator.status(*self._status())

    def stored_drops(self) -> int:
        """Packets with the injected reasons that ClickHouse has; 0 while it cannot be asked."""
        try:
            drops = audit.stored_drops(self.stack.ports.sql)
        except LabError:
            return 0  # the pipeline was killed by somebody: the supervisor says so
        return sum(drops.get(BY_NAME[k].reason, 0) for ks in INJECTED.values() for k in ks)

    def _status(self) -> tuple[str, str]:
        sight, load = self.watch.look(), self.load.report
        routed = "+".join(self.lab.routed) or "none"
        return (
            f"{sight.rx:,} packets in, {sight.tx:,} out, {sight.drops:,} dropped, "
            f"{sight.residual} unaccounted for",
            f"{load.get('requests', 0):,} requests, {load.get('failures', 0)} failed, "
            f"{load.get('downloading', 0)} downloads run; directors {routed}",
        )

    def _tell_alerts(self) -> None:
        alerts = self.stack.alerts
        for alert in alerts[self._alerts_told :]:
            self.narrator.tell(
                "alert", f"alert {alert.status}: {alert.name} ({alert.summary})", "alert"
            )
        self._alerts_told = len(alerts)


def rates(seconds: int) -> Rates:
    """The client's load: downloads last 8 s at most, and a fifth of a short demo."""
    longest = min(LONGEST_DOWNLOAD_S, (seconds or ENDLESS_STORY_S) / 5)
    return Rates(size=int(Rates().speed * longest))
