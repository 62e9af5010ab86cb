"""What results of checks make of a backend: pure, so that its laws can be tested."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lb.control.model.checker import Checker, Dampening


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check's result: what it saw if it failed, and how long it took in seconds."""

    ok: bool
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """A backend's state. Times are of the caller's monotonic clock, in seconds.

    `up` is None before the first verdict; `streak` counts the last results that contradict `up`;
    `penalty` is what it was at `penalised_at`; `held`: kept down by dampening.
    """

    up: bool | None = None
    since: float = 0.0
    streak: int = 0
    penalty: float = 0.0
    penalised_at: float = 0.0
    held: bool = False
    reason: str = ""

    def penalty_at(self, now: float, dampening: Dampening) -> float:
        """The penalty, decayed until `now`."""
        age = max(0.0, now - self.penalised_at)
        return self.penalty * math.exp2(-age / dampening.half_life_s)


def judge(health: Health, outcome: Outcome, now: float, checker: Checker) -> Health:
    """The state after one more result.

    Of a backend without a verdict, the first pass makes it up, `fall` failures make it down. Going
    down is never delayed by dampening.
    """
    if outcome.ok == health.up and not health.held:
        return replace(health, streak=0) if health.streak else health
    health = _release(health, now, checker.dampening)
    if outcome.ok == health.up:
        return replace(health, streak=0)
    streak = health.streak + 1
    if outcome.ok:
        return _passed(health, streak, now, checker)
    if streak < checker.fall:
        return replace(health, streak=streak)
    return _down(health, outcome.reason, now, checker.dampening)


def _passed(health: Health, streak: int, now: float, checker: Checker) -> Health:
    if health.up is None:
        return replace(health, up=True, since=now, streak=0, reason="first check passed")
    if streak < checker.rise or health.held:
        return replace(health, streak=streak)
    reason = f"{streak} checks passed"
    return replace(health, up=True, since=now, streak=0, reason=reason)


def _down(health: Health, reason: str, now: float, dampening: Dampening | None) -> Health:
    down = replace(health, up=False, since=now, streak=0, reason=reason)
    if dampening is None or health.up is None:
        return down
    ceiling = dampening.reuse * math.exp2(dampening.max_s / dampening.half_life_s)
    penalty = min(health.penalty_at(now, dampening) + 1, ceiling)
    held = penalty >= dampening.suppress
    return replace(down, penalty=penalty, penalised_at=now, held=held)


def _release(health: Health, now: float, dampening: Dampening | None) -> Health:
    if not health.held:
        return health
    if dampening is not None and health.penalty_at(now, dampening) >= dampening.reuse:
        return health
    return replace(health, held=False)


def next_start(health: Health, started: float, checker: Checker, random: float) -> float:
    """When the next check begins, if the last one began at `started`; `random` is in [0, 1).

    Jitter only ever shortens an interval, so that it does not delay a verdict.
    """
    failing = health.up is True and health.streak > 0
    interval = checker.failing_interval_s if failing else checker.interval_s
    return started + interval * (1 - checker.jitter * random)
