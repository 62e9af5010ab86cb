"""Benchmarks of the exporter: snapshot, increments and frame, /metrics, spool.

python -m tests.bench.exporters_bench      prints {"machine": ..., "cases": [...]} as JSON
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from exporters import frames
from exporters.instances import Watcher
from exporters.prometheus import Renderer, Shown
from exporters.sampler import Sampler
from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from exporters.spool import Spool
from tests.unit.exporters_fakes import FakeSegment

LARGE = {"lcore": 64, "port": 2, "port_queue": 128, "vip": 10_000, "backend": 0, "node": 1}
SMALL = {"lcore": 2, "port": 1, "port_queue": 2, "vip": 4, "backend": 8, "node": 1}
ROUNDS = 15


def cases() -> list[dict[str, Any]]:
    """Every case: its name, value, unit and target."""
    found = list[dict[str, Any]]()
    with _segment(LARGE, 64) as fake:
        found += _snapshot(fake, "64 lcores, 10,000 VIPs x 64 lanes")
        found += _render(fake)
    for rows, lanes, name in ((LARGE, 64, "64 lcores, 10,000 VIPs"), (SMALL, 2, "2 lcores")):
        with _segment(rows, lanes) as fake:
            found += _sample(fake, name)
    return found


def machine() -> dict[str, Any]:
    """Where it was measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {"cpu": model, "cpus": os.cpu_count(), "python": platform.python_version()}


@contextmanager
def _segment(rows: dict[str, int], lanes: int) -> Iterator[FakeSegment]:
    """A segment in shared memory in which every cell of every row has counted."""
    where = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        fake = FakeSegment(Path(folder) / "run" / "a", rows=rows, lanes=lanes)
        _count(fake, 1 << 40)
        yield fake


def _count(fake: FakeSegment, most: int) -> None:
    rng = np.random.default_rng(0)
    for scope in fake.layout:
        words = fake.words(scope)
        words[:, :, 1:] += rng.integers(0, most, words[:, :, 1:].shape, np.uint64)


def _time(function: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of a call after one that warms up: of this thread's processor, of the wall."""
    function()
    return _medians(_once(function) for _ in range(ROUNDS))


def _once(function: Callable[[], object]) -> tuple[float, float]:
    processor, wall = time.thread_time(), time.perf_counter()
    function()
    return time.thread_time() - processor, time.perf_counter() - wall


def _medians(pairs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    processor, wall = zip(*pairs, strict=True)
    return statistics.median(processor), statistics.median(wall)


def _case(name: str, value: float, unit: str, **more: object) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, **more}


def _ms(name: str, seconds: tuple[float, float], **more: object) -> dict[str, Any]:
    """Milliseconds of one core; `wall_ms` has what the disk and other processes add."""
    return _case(name, seconds[0] * 1e3, "ms", wall_ms=round(seconds[1] * 1e3, 3), **more)


def _snapshot(fake: FakeSegment, name: str) -> list[dict[str, Any]]:
    reader = SnapshotReader(Segment(fake.path))
    return [_ms(f"snapshot, {name}", _time(reader.read), target="<= 20")]


def _render(fake: FakeSegment) -> list[dict[str, Any]]:
    snapshot = SnapshotReader(Segment(fake.path)).read()
    shown = [Shown("a", tuple((rows, rows.values) for rows in snapshot.scopes.values()))]
    renderer = Renderer("fra1", "lb-1")
    lines = renderer.render(shown, False).count(b"\n")
    found = [_case("/metrics, lines of a scrape", lines, "lines")]
    for openmetrics, name in ((False, "text 0.0.4"), (True, "OpenMetrics 1.0")):
        processor, wall = _time(partial(renderer.render, shown, openmetrics))
        rate, wall_rate = lines / processor / 1e6, round(lines / wall / 1e6, 3)
        found.append(
            _case(f"/metrics, {name}", rate, "M lines/s", wall_rate=wall_rate, target=">= 1")
        )
    return found


def _sample(fake: FakeSegment, name: str) -> list[dict[str, Any]]:
    """A whole interval: snapshot, increments, frame, on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        sampler = Sampler("fra1", "lb-1", 1000, Watcher(fake.path.parents[1]), spool)
        sampler.sample()
        seconds, sizes = list[tuple[float, float]](), list[int]()
        for _ in range(ROUNDS):
            _count(fake, 1000)
            before = sum(f.size for f in spool.files)
            seconds.append(_once(sampler.sample))
            sizes.append(sum(f.size for f in spool.files) - before)
        newest = spool.files[-1]
        data = newest.read(spool.entries(newest)[-1])
        spool.close()
    return [
        _ms(f"sample to spool, every row counts, {name}", _medians(seconds)),
        _case(f"frame, every row counts, {name}", statistics.median(sizes) / 1024, "KiB"),
        _ms(f"decode that frame, {name}", _time(partial(frames.decode, data))),
    ]


if __name__ == "__main__":
    print(json.dumps({"machine": machine(), "cases": cases()}, indent=1))
