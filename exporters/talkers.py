"""Top talkers on /metrics: a bounded number of series an instance, and only of living cores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from lb import talkers
from lb.errors import EvidenceError
from lb.evidence import PREFIX
from lb.talkers import Talker

STALE_NS = 30_000_000_000  # three windows: nobody sends any more
MOST = 10  # series of a family and instance
KEYS = ["pop", "node", "instance", "source", "destination", "port", "protocol", "listener"]
_FAMILIES = {
    "packets": "Packets a second, estimated; too high by 1/128 of the instance's at most.",
    "packets_min": "Packets a second, without what the estimate may be too high by.",
    "bits": "Bits a second of the packets that were counted, estimated.",
}


class TopTalkers:
    """Makes the families; counts the files that could not be read."""

    def __init__(self, pop: str, node: str) -> None:
        self._where = [pop, node]
        self.read_failures = 0

    def families(
        self, segments: list[tuple[str, Path]], now_ns: int | None = None
    ) -> Iterator[Metric]:
        """Of these instances, each with the segment of its latest boot."""
        now = time.time_ns() if now_ns is None else now_ns
        found = [(instance, t) for instance, path in segments for t in self._read(path, now)]
        for name, text in _FAMILIES.items():
            family = GaugeMetricFamily(f"popscope_talker_{name}_per_second", text, labels=KEYS)
            for instance, t in found:
                labels = [t.source, t.destination, str(t.port), t.protocol, t.listener]
                family.add_metric([*self._where, instance, *labels], getattr(t, name))
            yield family

    def _read(self, segment: Path, now_ns: int) -> tuple[Talker, ...]:
        boot = segment.name.rpartition("-")[2]
        path = segment.with_name(f"{PREFIX}{boot}")
        if not path.exists():  # a core of another version, or a test's
            return ()
        try:
            latest = talkers.read(path, MOST)
        except EvidenceError:
            self.read_failures += 1
            return ()
        return latest.top if now_ns - latest.time_ns < STALE_NS else ()
