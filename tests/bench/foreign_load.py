"""The load of the benchmarks of foreign metrics: bodies made before the clock starts, and clients.

Absolute counters of balancers at 1 s, as Prometheus ships them: each sample with its labels. A
series always goes over the same connection, in the order of its times, as senders' shards do.
"""

from __future__ import annotations

import gzip
import http.client
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.unit import foreign_wire as wire

COUNTERS = 24
SYSTEMS = ("popscope", "victoriametrics", "prometheus")
Numbers = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Load:
    """`lcores` x COUNTERS series, `seconds` of samples, so many of them a post and connections."""

    lcores: int
    seconds: int
    samples_a_post: int
    connections: int

    @property
    def series(self) -> int:
        return self.lcores * COUNTERS

    @property
    def samples(self) -> int:
        return self.series * self.seconds


@dataclass(frozen=True, slots=True)
class Posts:
    """Posts by connection, each in its order."""

    paths: Mapping[str, str]  # by system; others cannot take it
    headers: dict[str, str]
    bodies: Sequence[Sequence[bytes]]


def label_sets(load: Load) -> list[dict[str, str]]:
    """Those of an exporter's counters: about 170 bytes on the wire."""
    found = []
    for lcore in range(load.lcores):
        node = lcore // 16
        labels = {
            "instance": f"10.{node // 250}.{node % 250}.1:9109",
            "job": "popscope",
            "lcore": str(lcore % 16),
            "node": f"lb{node % 4}",
            "pop": f"pop{node // 4:03d}",
        }
        found += [
            {"__name__": f"popscope_lcore_counter_{n:02d}_total", **labels} for n in range(COUNTERS)
        ]
    return found


def values(load: Load, seed: int = 1) -> Numbers:
    """Seconds x series: 6 fast counters, 2 of cycles, 8 medium, 8 rare; 5-10 % noise a second."""
    rng = np.random.default_rng(seed)
    rates = np.array([1e6] * 3 + [6e8] * 3 + [2e9] * 2 + [3e3] * 8 + [0.05] * 8)
    mean = np.tile(rates, load.lcores) * rng.uniform(0.5, 1.5, load.series)
    noise = 1 + 0.08 * rng.standard_normal((load.seconds, load.series))
    steps = np.where(mean < 1, rng.poisson(np.minimum(mean, 1), noise.shape), mean * noise)
    start = mean * rng.uniform(1e3, 1e6, load.series)
    absolute: Numbers = np.floor(start + np.cumsum(np.maximum(steps, 0), axis=0))
    return absolute


def remote_write(load: Load, start_ms: int) -> Posts:
    """Remote write 1.0: one sample a TimeSeries, as Prometheus's queues send them."""
    heads = [wire.labels1(labels) for labels in label_sets(load)]
    numbers = values(load)
    bodies = []
    for shard in _shards(load):
        parts = (
            wire.message(1, heads[n] + wire.sample(start_ms + 1000 * t, float(numbers[t, n])))
            for t in range(load.seconds)
            for n in shard
        )
        bodies.append([wire.snappy(body) for body in _packed(parts, load.samples_a_post)])
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    return Posts(dict.fromkeys(SYSTEMS, "/api/v1/write"), headers, bodies)


def otlp(load: Load, start_ms: int) -> Posts:
    """OTLP in Protobuf, gzip: a resource a director, a metric a counter, a point an lcore."""
    numbers, sets = values(load), label_sets(load)
    bodies = []
    for shard in _shards(load):
        of_shard = list[bytes]()
        times = max(1, load.samples_a_post // len(shard))
        for first in range(0, load.seconds, times):
            seconds = range(first, min(first + times, load.seconds))
            parts = [_resource(sets, numbers, nodes, seconds, start_ms) for nodes in _nodes(shard)]
            of_shard.append(gzip.compress(b"".join(parts), 1))
        bodies.append(of_shard)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    paths = {"popscope": "/v1/metrics", "victoriametrics": "/opentelemetry/v1/metrics"}
    return Posts(paths, headers, bodies)


def _nodes(shard: range) -> Iterator[range]:
    """Series of a shard by director: 16 lcores."""
    size = 16 * COUNTERS
    at = shard.start
    while at < shard.stop:
        end = min(at - at % size + size, shard.stop)
        yield range(at, end)
        at = end


def _attribute(number: int, name: str, value: str) -> bytes:
    return wire.message(number, wire.text(1, name) + wire.message(2, wire.text(1, value)))


def _resource(
    sets: Sequence[Mapping[str, str]], numbers: Numbers, series: range, seconds: range, start: int
) -> bytes:
    first = sets[series.start]
    shared = [_attribute(1, name, first[name]) for name in ("instance", "job", "node", "pop")]
    metrics = []
    for counter in range(COUNTERS):
        points = []
        for n in series:
            if n % COUNTERS == counter:
                own = _attribute(7, "lcore", sets[n]["lcore"])
                points += [
                    wire.message(
                        1,
                        wire.fixed(3, (start + 1000 * t) * 1_000_000)
                        + wire.fixed(6, int(numbers[t, n]))
                        + own,
                    )
                    for t in seconds
                ]
        total = b"".join(points) + wire.integer(2, 2) + wire.integer(3, 1)
        name = f"popscope_lcore_counter_{counter:02d}_total"
        metrics.append(wire.message(2, wire.text(1, name) + wire.message(7, total)))
    resource = wire.message(1, b"".join(shared))
    return wire.message(1, resource + wire.message(2, b"".join(metrics)))


def _shards(load: Load) -> list[range]:
    size = -(-load.series // load.connections)
    return [range(a, min(a + size, load.series)) for a in range(0, load.series, size)]


def _packed(parts: Iterator[bytes], count: int) -> Iterator[bytes]:
    pending = list[bytes]()
    for part in parts:
        pending.append(part)
        if len(pending) == count:
            yield b"".join(pending)
            pending.clear()
    if pending:
        yield b"".join(pending)


def send(port: int, posts: Posts, system: str) -> float:
    """Send all, each connection by a thread of its own; returns the seconds.

    Raises AssertionError when anything else than a success is answered. 429 and 503 are waited out.
    """
    failures = list[str]()
    threads = [
        threading.Thread(
            target=_connection, args=(port, posts, posts.paths[system], bodies, failures)
        )
        for bodies in posts.bodies
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    return time.perf_counter() - started


def _connection(
    port: int, posts: Posts, path: str, bodies: Sequence[bytes], failures: list[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for body in bodies:
        while True:
            connection.request("POST", path, body, posts.headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status not in (429, 503):
                break
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        if answer.status not in (200, 204):
            failures.append(f"{answer.status}: {text[:300]!r}")
            break
    connection.close()
