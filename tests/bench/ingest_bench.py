"""Benchmarks of the ingest: from the body of an HTTP request to committed rows.

python -m tests.bench.ingest_bench [NAME ...]     prints the cases as JSON

Each case runs the real service (`popscope pipeline run`, durable) as a process of its own, and
counts its CPU from /proc, merges included: it is measured until the merges are idle. A sample is
one counter value (a cell of a histogram is one). Frames are made and compressed before the clock
starts; clients post over loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lb.catalogue import load
from tests.bench import foreign_bench
from tests.unit.pipeline_tools import Node, body

POPSCOPE = Path(sys.executable).with_name("popscope")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Shape:
    """`exporters` x `lcores`, `seconds` of frames, `batch` frames a post, `clients` at a time."""

    name: str
    exporters: int
    lcores: int
    seconds: int
    batch: int
    clients: int
    paced: bool = False


SHAPES = (
    Shape("64 exporters x 16 lcores", 64, 16, 120, 15, 64),
    Shape("64 exporters x 64 lcores", 64, 64, 60, 15, 64),
    Shape("64 exporters x 16 lcores, a frame a post", 64, 16, 60, 1, 64),
    Shape("64 exporters x 16 lcores, paced at 1 s", 64, 16, 30, 1, 64, paced=True),
)


class Service:
    """The pipeline as a process, and what the kernel says of it."""

    def __init__(self, folder: Path) -> None:
        argv = ["pipeline", "run", "--store", str(folder), "--http", "0", "--sql", "0"]
        command = [str(POPSCOPE), *argv]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{ready['http']}"
        self.folder = folder

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(x for x in status if x.startswith("VmHWM")).split()[1]) / 1024

    def metrics(self) -> dict[str, float]:
        text = urllib.request.urlopen(f"{self.url}/metrics").read().decode()
        pairs = (x.rsplit(" ", 1) for x in text.splitlines() if x and not x.startswith("#"))
        return {name.removeprefix("popscope_pipeline_"): float(value) for name, value in pairs}

    def settle(self) -> None:
        """Wait until the merges are idle: less than 5 % of a core for 2 s."""
        for _ in range(60):
            before = self.cpu_seconds()
            time.sleep(2)
            if self.cpu_seconds() - before < 0.1:
                return

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def service() -> Iterator[Service]:
    """A pipeline over a new store; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="popscope-bench-") as folder:
        running = Service(Path(folder) / "store")
        try:
            yield running
        finally:
            running.close()


def bodies(shape: Shape) -> list[list[bytes]]:
    """Compressed posts by second (paced) or in all: of each exporter `batch` frames."""
    start = int(time.time() * 1000) - shape.seconds * 1000
    nodes = [
        Node(
            pop=f"pop{n // 4}",
            node=f"lb{n}",
            stream=n + 1,
            seed=n,
            lcores=shape.lcores,
            keyframe_every=60,
            start_ms=start,
        )
        for n in range(shape.exporters)
    ]
    pack = pa.Codec("zstd", compression_level=1).compress
    rounds = []
    for _ in range(shape.seconds // shape.batch):
        posts = [body(node.frames(shape.batch)) for node in nodes]
        rounds.append([pack(post, asbytes=True) for post in posts])
    return rounds


def post_all(url: str, posts: list[bytes], clients: int) -> list[float]:
    """Post with so many clients; the seconds that each post took."""
    todo, seconds, lock = list(reversed(posts)), list[float](), threading.Lock()
    headers = {"Content-Encoding": "zstd"}

    def client() -> None:
        while True:
            with lock:
                if not todo:
                    return
                data = todo.pop()
            started = time.perf_counter()
            request = urllib.request.Request(f"{url}/v1/frames", data, headers)
            urllib.request.urlopen(request, timeout=120).close()
            with lock:
                seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def measure(shape: Shape) -> dict[str, Any]:
    """One case."""
    rounds = bodies(shape)
    with service() as running:
        running.settle()
        cpu, started = running.cpu_seconds(), time.perf_counter()
        seconds = list[float]()
        if shape.paced:
            for number, posts in enumerate(rounds):
                time.sleep(max(0.0, started + number - time.perf_counter()))
                seconds += post_all(running.url, posts, shape.clients)
        else:
            seconds = post_all(running.url, [p for r in rounds for p in r], shape.clients)
        wall, answered_cpu = time.perf_counter() - started, running.cpu_seconds() - cpu
        running.settle()
        merged_cpu = running.cpu_seconds() - cpu
        found = running.metrics()
        samples = found["samples_total"]
        size = sum(f.stat().st_size for f in (running.folder / "data").rglob("*") if f.is_file())
        result = {
            "name": "frames",
            "system": "popscope",
            "note": shape.name,
            "samples_per_s": samples / wall,
            "cpu_s_per_million": merged_cpu / samples * 1e6,
            "cpu_s_per_million_answered": answered_cpu / samples * 1e6,
            "bytes_per_sample": size / samples,
            "samples": int(samples),
            "commits": int(found['commits_total{outcome="committed"}']),
            "post_ms_p50": float(np.percentile(seconds, 50)) * 1000,
            "post_ms_p99": float(np.percentile(seconds, 99)) * 1000,
            "peak_rss_mb": running.peak_mb(),
        }
        assert found['frames_total{outcome="committed"}'] == shape.exporters * shape.seconds
    return result


def cases() -> list[dict[str, Any]]:
    """Every case, foreign metrics and peers included.

    `paced`: post_ms is the time from a finished frame to its acknowledgement. CPU is with merges
    until they are idle; `_answered` is until the last answer.
    """
    return [measure(shape) for shape in SHAPES] + foreign_bench.cases()


if __name__ == "__main__":
    names = sys.argv[1:]
    chosen = [s for s in SHAPES if not names or any(n in s.name for n in names)]
    entries = {scope: len(load().scope(scope)) for scope in ("lcore", "vip", "backend", "port")}
    print(json.dumps({"entries": entries, "cases": [measure(s) for s in chosen]}, indent=1))
