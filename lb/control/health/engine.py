"""Runs the checks of a node: each at its time, their results through the state machine."""

from __future__ import annotations

import asyncio
import random
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lb.control.errors import TargetError
from lb.control.health.probe import SCRIPTS, attempt
from lb.control.health.state import Health, Outcome, judge, next_start
from lb.control.health.target import Target
from lb.control.model.checker import Checker

# First checks of new jobs a second: few begin at once, many are spread over their interval.
FIRST_PER_S = 2000
IN_FLIGHT = 16384
_POSTPONE_S = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to check; `key` is unique and stays when checker or target change."""

    key: str
    checker: Checker
    target: Target


@dataclass(frozen=True, slots=True)
class Transition:
    """A job's verdict changed, from `before` to `after`."""

    key: str
    before: Health
    after: Health


class _Slot:
    """A job with its state and its next start."""

    __slots__ = ("health", "job", "started", "timer")

    def __init__(self, job: Job, health: Health) -> None:
        self.job = job
        self.health = health
        self.started = 0.0
        self.timer: asyncio.TimerHandle | None = None


class Engine:
    """Checks until closed. Made inside of the event loop that it runs in.

    A target that is not `ready` is waited for, and counted as `postponed`. `counts`: checks by
    outcome (`passed`, `failed`, `unmade`, `postponed`, `defects`) and `transitions`.
    `complaints`: by job, why its last check could not be made on this machine.
    """

    def __init__(
        self,
        told: Callable[[Transition], None],
        *,
        scripts: Path = SCRIPTS,
        in_flight: int = IN_FLIGHT,
        rng: Callable[[], float] = random.random,
        ready: Callable[[Target], bool] = lambda _: True,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.complaints: dict[str, str] = {}
        self.late_s = 0.0  # of the last start: how far behind its time
        self._told = told
        self._ready = ready
        self._scripts = scripts
        self._random = rng
        self._loop = asyncio.get_running_loop()
        self._slots: dict[str, _Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = min(in_flight, _raise_open_files() - 256)

    def configure(self, jobs: Iterable[Job], known: Mapping[str, Health] | None = None) -> None:
        """From now on check these and no others.

        A job whose key was there keeps its state; `known` has states of others, from before.
        """
        wanted = {job.key: job for job in jobs}
        for key in self._slots.keys() - wanted.keys():
            self._forget(key)
        fresh = [job for key, job in wanted.items() if key not in self._slots]
        for key in self._slots.keys() & wanted.keys():
            self._slots[key].job = wanted[key]
        for job in fresh:
            health = (known or {}).get(job.key, Health())
            slot = self._slots[job.key] = _Slot(job, replace(health, streak=0))
            spread = min(job.checker.interval_s, len(fresh) / FIRST_PER_S)
            self._at(slot, self._loop.time() + spread * self._random())

    def states(self) -> dict[str, Health]:
        """The state of every job."""
        return {key: slot.health for key, slot in self._slots.items()}

    async def close(self) -> None:
        """Stop checking."""
        for key in list(self._slots):
            self._forget(key)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget(self, key: str) -> None:
        slot = self._slots.pop(key)
        self.complaints.pop(key, None)
        if slot.timer is not None:
            slot.timer.cancel()

    def _at(self, slot: _Slot, when: float) -> None:
        slot.timer = self._loop.call_at(when, self._start, slot, when)

    def _start(self, slot: _Slot, when: float) -> None:
        slot.timer = None
        now = self._loop.time()
        if len(self._tasks) >= self._in_flight or not self._ready(slot.job.target):
            self.counts["postponed"] += 1
            self._at(slot, now + _POSTPONE_S)
            return
        self.late_s = now - when
        slot.started = now
        task = self._loop.create_task(self._check(slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _check(self, slot: _Slot) -> None:
        job = slot.job
        try:
            self._take(slot, await attempt(job.checker, job.target, self._scripts))
            self.complaints.pop(job.key, None)
        except TargetError as error:
            self.counts["unmade"] += 1
            self._complain(slot, str(error))
        except Exception as error:
            # A defect in one probe must not end its job for good: it is counted and shown.
            self.counts["defects"] += 1
            self._complain(slot, f"{type(error).__name__}: {error}")
        if self._slots.get(job.key) is slot:
            due = next_start(slot.health, slot.started, slot.job.checker, self._random())
            self._at(slot, max(due, self._loop.time()))

    def _complain(self, slot: _Slot, text: str) -> None:
        if self._slots.get(slot.job.key) is slot:
            self.complaints[slot.job.key] = text

    def _take(self, slot: _Slot, outcome: Outcome) -> None:
        self.counts["passed" if outcome.ok else "failed"] += 1
        if self._slots.get(slot.job.key) is not slot:
            return
        before = slot.health
        slot.health = judge(before, outcome, self._loop.time(), slot.job.checker)
        if slot.health.up != before.up:
            self.counts["transitions"] += 1
            self._told(Transition(slot.job.key, before, slot.health))


def _raise_open_files() -> int:
    """As many open files as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20
