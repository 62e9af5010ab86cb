"""Metrics of the way of foreign metrics, `popscope_pipeline_foreign_*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.foreign.native import Decoded, Reason
from pipeline.foreign.rows import Request

_P = "popscope_pipeline_foreign_"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)


class ForeignMetrics:
    """Counters and gauges in the pipeline's registry. Used in the event loop only."""

    def __init__(self, registry: CollectorRegistry) -> None:
        r = registry
        self.requests = Counter(
            _P + "requests", "Answers, by protocol and code.", ["protocol", "code"], registry=r
        )
        self.received = Counter(_P + "received_bytes", "Bytes of bodies received.", registry=r)
        self.samples = Counter(_P + "samples", "Samples committed.", registry=r)
        self.histograms = Counter(_P + "histograms", "Histograms committed.", registry=r)
        self.exemplars = Counter(_P + "exemplars", "Exemplars committed.", registry=r)
        self.repeated = Counter(
            _P + "repeated_requests", "Requests that were stored, or on their way.", registry=r
        )
        self.rejected = Counter(
            _P + "rejected_samples",
            "Samples that were not taken, by reason.",
            ["reason"],
            registry=r,
        )
        self.exemplars_rejected = Counter(
            _P + "rejected_exemplars", "Exemplars that were not taken.", registry=r
        )
        self.commits = Counter(_P + "commits", "Groups, by outcome.", ["outcome"], registry=r)
        self.commit_seconds = Histogram(
            _P + "commit_seconds", "Time to commit a group.", buckets=_SECONDS, registry=r
        )
        self.queue_bytes = Gauge(
            _P + "queue_bytes", "Bytes that are received and not committed.", registry=r
        )
        self.queue_limit = Gauge(
            _P + "queue_limit_bytes", "Bytes from which requests are refused.", registry=r
        )
        self.series = Gauge(_P + "series", "Active series.", ["tenant"], registry=r)
        self.series_bytes = Gauge(
            _P + "series_bytes", "Memory that the table of series takes.", registry=r
        )

    def rejections(self, decoded: Decoded) -> None:
        for rejected in decoded.rejected:
            reason = Reason(rejected.reason).name.lower()
            self.rejected.labels(reason).inc(rejected.samples)
        self.exemplars_rejected.inc(decoded.exemplars_rejected)

    def committed(self, requests: Sequence[Request], seconds: float) -> None:
        """Count a group that is in the store."""
        self.commits.labels("committed").inc()
        self.commit_seconds.observe(seconds)
        self.samples.inc(sum(r.decoded.samples for r in requests))
        self.histograms.inc(sum(r.decoded.histograms for r in requests))
        self.exemplars.inc(sum(r.decoded.exemplars for r in requests))

    def table(self, series: Mapping[str, int], size: int) -> None:
        for tenant, count in series.items():
            self.series.labels(tenant).set(count)
        self.series_bytes.set(size)
