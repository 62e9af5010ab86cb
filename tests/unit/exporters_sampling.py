"""A sampler over segments of the test, with a clock that the test moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporters.instances import Watcher
from exporters.sampler import Sample, Sampler
from exporters.spool import Spool

NOON_NS = 1_700_049_600 * 10**9  # no minute ends in a test


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def sampler(folder: Path, clock: Clock | None = None) -> Iterator[Sampler]:
    spool = Spool(folder / "spool")
    try:
        watcher = Watcher(folder / "run", clock=clock or time.monotonic)
        made = Sampler("p", "n", 1000, watcher, spool)
        made.clock = lambda: NOON_NS
        yield made
    finally:
        spool.close()


def state(sample: Sample) -> list[str]:
    return [r.state for r in sample.readings]
