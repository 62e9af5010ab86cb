"""Benchmarks of foreign metrics, side by side with peers that take the same bytes.

python -m tests.bench.foreign_bench [NAME ...]     prints the cases as JSON

CPU is that of the server's process, from /proc: `cpu_s_per_million` until it is idle again, with
its flushes and merges; `cpu_s_per_million_answered` until the last answer. popscope syncs every
commit to the disk before it answers; the peers answer before theirs is (VictoriaMetrics keeps the
last seconds in memory, Prometheus writes its log without fsync).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.bench import foreign_load
from tests.bench.foreign_load import SYSTEMS, Load, Posts
from tests.bench.foreign_peers import available, serving


@dataclass(frozen=True, slots=True)
class Case:
    """`name` is that of the result; `note` tells cases of one name apart."""

    name: str
    note: str
    load: Load
    make: Callable[[Load, int], Posts]


_WRITE = foreign_load.remote_write
CASES = (
    Case("remote-write", "10,000 samples a post", Load(1200, 300, 10_000, 32), _WRITE),
    Case("remote-write", "2,000 samples a post", Load(1200, 120, 2_000, 32), _WRITE),
    Case("otlp", "9,900 points a post", Load(1200, 120, 10_000, 32), foreign_load.otlp),
)


def measure(case: Case, system: str, posts: Posts) -> dict[str, Any]:
    """One system takes the posts of a case."""
    with (
        tempfile.TemporaryDirectory(prefix="popscope-bench-") as folder,
        serving(system, Path(folder)) as server,
    ):
        server.settle()
        before = server.cpu_seconds()
        seconds = foreign_load.send(server.port, posts, system)
        answered = server.cpu_seconds() - before
        server.flush()
        cpu, peak = server.cpu_seconds() - before, server.peak_mb()
        if system == "popscope":
            server.stop()
        size, samples = server.stored_bytes(), case.load.samples
    return {
        "name": case.name,
        "system": system,
        "note": case.note,
        "samples_per_s": samples / seconds,
        "cpu_s_per_million": cpu / samples * 1e6,
        "cpu_s_per_million_answered": answered / samples * 1e6,
        "bytes_per_sample": size / samples,
        "samples": samples,
        "series": case.load.series,
        "connections": case.load.connections,
        "peak_rss_mb": peak,
    }


def cases(names: tuple[str, ...] = (), systems: tuple[str, ...] = SYSTEMS) -> list[dict[str, Any]]:
    """Every case on every system that is there."""
    there = available()
    for system in systems:
        if system not in there:
            click.echo(
                f"{system} is left out: run tests/bench/foreign_peers.sh to fetch it", err=True
            )
    found = []
    for case in CASES:
        if not names or any(n in f"{case.name} {case.note}" for n in names):
            start = int(time.time() - case.load.seconds) * 1000
            posts = case.make(case.load, start)
            able = [s for s in systems if s in there and s in posts.paths]
            found += [measure(case, s, posts) for s in able]
    return found


if __name__ == "__main__":
    given = sys.argv[1:]
    chosen = tuple(s for s in SYSTEMS if s in given) or SYSTEMS
    print(json.dumps(cases(tuple(n for n in given if n not in SYSTEMS), chosen), indent=1))
