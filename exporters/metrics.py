"""What the exporter tells of itself and of the instances: everything on /metrics that is not a
counter of a segment. A prometheus_client collector: these are few lines.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporters import ledger
from exporters.backlog import usage
from exporters.deltas import Change
from exporters.sampler import Reading, Sample, Sampler
from exporters.snapshot import Rows
from exporters.talkers import TopTalkers

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STATES = ("starting", "half_written", "unreadable", "live", "stopped", "dead")
TOTALS = {
    "samples": "Samples taken.",
    "torn_retries": "Rows read again because the core changed them meanwhile.",
    "torn_rows": "Rows that could not be read whole; their counts come with a later frame.",
    "counter_falls": "Counters that fell within a boot: a fault of the core or of memory.",
    "missed_names": "Rows renamed before the end of their old name was read.",
    "lost_segments": "Segments that vanished before their end was read.",
    "spool_failures": "Frames that could not be written; their counts come with a later frame.",
    "skipped_frames": "Samples without a frame: the spool is full or failed. Counts come later.",
    "read_failures": "Segments that could not be read in a sample.",
    "unlink_failures": "Segments read to their end that could not be unlinked.",
    "note_failures": "Notes beside a segment, of the stream that counts it, that failed.",
    "taken_over_boots": "Boots counted by a spool that is lost; what it had not sent is missing.",
}
FAULTS = {
    "damaged_frames": "Frames found damaged on disk.",
    "torn_tails": "Unfinished frames cut off when the spool was opened.",
    "lost_frames": "Frames in files that somebody deleted before they were stored.",
    "read_failures": "Files of the spool that could not be read, each time again.",
    "dropped_frames": "Frames given up before they were stored: older than the spool may be.",
    "quarantined_frames": "Frames that the pipeline refused, put into the quarantine folder.",
    "quarantine_dropped_frames": "Frames that the quarantine had no room for; the oldest go first.",
    "merged_frames": "Frames merged into coarser ones because the spool was full; sums are kept.",
}


@dataclass(slots=True)
class Sending:
    """What the sender did. `failures` by reason; of `events` those that were taken."""

    frames: int = 0
    bytes: int = 0
    acked: int = 0
    events: int = 0
    events_refused: int = 0
    failures: Tally[str] = field(default_factory=Tally)


class Own(Collector):
    """The exporter's own metrics, made when they are asked for."""

    def __init__(self, sampler: Sampler, sending: Sending) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._sampler, self._sending = sampler, sending
        self._talkers = TopTalkers(sampler.pop, sampler.node)
        self.sample = Sample(0)
        self.missed_ticks = 0
        self.bad_requests = 0
        self.last: dict[str, Reading] = {}
        self._seconds = Histogram(
            "popscope_exporter_sample_seconds",
            "Time to read all segments and to have the frame on the disk.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.registry.register(self)

    def count_bad_request(self) -> None:
        """Note that something that is not HTTP came to the port."""
        self.bad_requests += 1

    def observe(self, sample: Sample) -> None:
        """Take note of a sample; the latest boot of an instance stays when its segment is gone."""
        self._seconds.observe(sample.seconds)
        self.sample = sample
        self.last = {**self.last, **{r.snapshot.instance: r for r in sample.readings}}

    @property
    def shown(self) -> list[Reading]:
        """The latest boot of every instance that can be read now."""
        latest = {r.snapshot.instance: r for r in self.sample.readings}
        return list(latest.values())

    def collect(self) -> Iterator[Metric]:
        totals, faults = self._sampler.totals, self._sampler.spool.faults
        for name, text in TOTALS.items():
            yield _counter(f"popscope_exporter_{name}", text, getattr(totals, name))
        for name, text in FAULTS.items():
            yield _counter(f"popscope_exporter_spool_{name}", text, getattr(faults, name))
        yield _counter(
            "popscope_exporter_missed_ticks",
            "Sampling instants passed over because the sample before took too long.",
            self.missed_ticks,
        )
        yield _counter(
            "popscope_exporter_bad_requests",
            "What came to the port and was not HTTP.",
            self.bad_requests,
        )
        yield from self._sent()
        yield from self._spool()
        yield from self._segments()
        yield from self._instances()
        yield from self._residuals()
        live = [r for r in self.shown if r.state == "live"]
        yield from self._talkers.families([(r.snapshot.instance, r.tracked.path) for r in live])
        yield _counter(
            "popscope_exporter_evidence_failures",
            "Evidence files that could not be read, each time again.",
            self._talkers.read_failures,
        )

    def _sent(self) -> Iterator[Metric]:
        sending = self._sending
        yield _counter(
            "popscope_exporter_sent_frames", "Frames sent, each time again.", sending.frames
        )
        yield _counter("popscope_exporter_sent_bytes", "Bytes sent, compressed.", sending.bytes)
        yield _counter(
            "popscope_exporter_acked_frames", "Frames that the pipeline committed.", sending.acked
        )
        yield _counter("popscope_exporter_events", "Events that the pipeline took.", sending.events)
        yield _counter(
            "popscope_exporter_refused_events",
            "Events that the pipeline refused; they are left out.",
            sending.events_refused,
        )
        failures = CounterMetricFamily(
            "popscope_exporter_send_failures", "Batches not acknowledged.", labels=["reason"]
        )
        for reason, count in sorted(sending.failures.items()):
            failures.add_metric([reason], count)
        yield failures

    def _spool(self) -> Iterator[Metric]:
        spool = self._sampler.spool
        used = usage(spool)
        now = time.time_ns() // 1_000_000
        age = max(0, now - used.oldest_ts_ms) / 1000 if used.oldest_ts_ms is not None else 0
        for name, text, value in (
            ("spool_bytes", "Bytes of the spool's files.", used.bytes),
            ("spool_max_bytes", "Bytes from which on frames are merged.", spool.limits.max_bytes),
            ("spool_waiting_frames", "Frames not yet acknowledged.", used.waiting),
            ("spool_oldest_age_seconds", "Age of the oldest frame that waits.", age),
            (
                "unknown_fields",
                "Fields of segments that this exporter does not know.",
                self._odd(0),
            ),
            ("missing_fields", "Counters of the catalogue that segments lack.", self._odd(1)),
        ):
            yield GaugeMetricFamily(f"popscope_exporter_{name}", text, value=value)

    def _odd(self, which: int) -> int:
        header = self.sample.header
        return len((header.unknown, header.missing)[which]) if header else 0

    def _segments(self) -> Iterator[Metric]:
        tally = Tally((r.snapshot.instance, r.state) for r in self.sample.readings)
        tally.update((t.instance, t.problem or "unreadable") for t, _ in self.sample.problems)
        family = GaugeMetricFamily(
            "popscope_exporter_segments", "Segments on disk.", labels=["instance", "state"]
        )
        for instance in sorted({i for i, _ in tally}):
            for state in STATES:
                family.add_metric([instance, state], tally[instance, state])
        yield family

    def _instances(self) -> Iterator[Metric]:
        keys = ["pop", "node", "instance"]
        up = GaugeMetricFamily("popscope_instance_up", "1 while the core lives.", labels=keys)
        stopped = GaugeMetricFamily(
            "popscope_instance_stopped", "1 when the core was stopped in order.", labels=keys
        )
        age = GaugeMetricFamily(
            "popscope_instance_heartbeat_age_seconds", "Since the core's last sign.", labels=keys
        )
        info = InfoMetricFamily("popscope_instance", "The boot that was seen last.", labels=keys)
        present = {r.snapshot.instance for r in self.sample.readings}
        for instance, r in sorted(self.last.items()):
            where = [self._sampler.pop, self._sampler.node, instance]
            up.add_metric(where, int(instance in present and r.state == "live"))
            stopped.add_metric(where, int(r.state == "stopped"))
            since = (time.time_ns() - r.snapshot.heartbeat_ns) / 1e9
            age.add_metric(where, max(0.0, since))
            info.add_metric(
                where,
                {
                    "boot": f"{r.snapshot.boot:016x}",
                    "version": r.snapshot.version,
                    "catalogue": f"{r.snapshot.catalogue_hash:016x}",
                },
            )
        yield from (up, stopped, age, info)

    def _residuals(self) -> Iterator[Metric]:
        keys = ["pop", "node", "instance"]
        residual = GaugeMetricFamily(
            "popscope_lcore_ledger_residual_packets",
            "Packets in less packets accounted for; anything but 0 is a fault.",
            labels=[*keys, "lcore"],
        )
        violations = GaugeMetricFamily(
            "popscope_instance_ledger_violations",
            "Rows in which the ledger law does not hold.",
            labels=[*keys, "scope"],
        )
        for r in self.shown:
            where = [self._sampler.pop, self._sampler.node, r.snapshot.instance]
            for scope in ledger.SCOPES:
                if not (change := r.changes.get(scope)):
                    continue
                packets = residuals(change, r.snapshot.scopes[scope])
                violations.add_metric([*where, scope], int(np.count_nonzero(packets)))
                if scope == "lcore":
                    for label, count in zip(change.names.labels, packets.tolist(), strict=True):
                        residual.add_metric([*where, *label], count)
        yield from (residual, violations)


def residuals(change: Change, rows: Rows) -> ledger.Signed:
    """The residual of every row of a scope as it stands in the spool."""
    known = ledger.residual(rows.scope, change.after.values[: change.after.live])
    return known + ledger.newer(rows)


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, text)
    family.add_metric((), value)
    return family


def describe(sample: Sample) -> Iterable[str]:
    """What a log should say of a sample: problems and faults."""
    yield from (f"{t.instance}: {message}" for t, message in sample.problems)
    yield from sample.faults
