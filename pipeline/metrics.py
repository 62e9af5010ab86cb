"""The pipeline's own metrics, `popscope_pipeline_*`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import disk_usage

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lb.catalogue import load
from pipeline.frames import Received
from pipeline.schema import frame_tables

_P = "popscope_pipeline_"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300)


class Metrics:
    """Counters, gauges and histograms in a registry of their own. Used in the event loop only."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.frames = Counter(
            _P + "frames", "Frames, by what became of them.", ["outcome"], registry=r
        )
        self.rows = Counter(_P + "rows", "Rows committed.", ["table"], registry=r)
        self.samples = Counter(_P + "samples", "Counter values committed.", registry=r)
        self.received = Counter(_P + "received_bytes", "Bytes of bodies received.", registry=r)
        self.requests = Counter(_P + "requests", "Answers of the ingest.", ["code"], registry=r)
        self.bad_requests = Counter(
            _P + "bad_requests", "What came to a port and was not HTTP.", ["port"], registry=r
        )
        self.unknown = Counter(
            _P + "unknown_columns",
            "Tables and columns in frames that this version has no place for, once a frame each.",
            registry=r,
        )
        self.queue_bytes = Gauge(
            _P + "queue_bytes", "Bytes of frames that are received and not committed.", registry=r
        )
        self.queue_limit = Gauge(
            _P + "queue_limit_bytes", "Bytes from which requests are refused.", registry=r
        )
        self.orphans = Gauge(
            _P + "orphan_frames",
            "Frames of which a crash left some rows, and which did not come again yet.",
            registry=r,
        )
        self.commits = Counter(_P + "commits", "Groups, by outcome.", ["outcome"], registry=r)
        self.commit_seconds = Histogram(
            _P + "commit_seconds", "Time to commit a group.", buckets=_SECONDS, registry=r
        )
        self.freshness = Histogram(
            _P + "freshness_seconds",
            "From the snapshot of a frame to its commit.",
            buckets=_SECONDS,
            registry=r,
        )
        self.watermark = Gauge(
            _P + "watermark_timestamp_seconds",
            "Time of the newest committed frame of an exporter.",
            ["exporter"],
            registry=r,
        )
        self.rollup_seconds = Histogram(
            _P + "rollup_seconds", "Time of a pass of rollups.", buckets=_SECONDS, registry=r
        )
        self.rollup_windows = Counter(
            _P + "rollup_windows", "Windows computed.", ["table"], registry=r
        )
        self.rollup_failures = Counter(_P + "rollup_failures", "Passes that failed.", registry=r)
        self.rollup_lag = Gauge(
            _P + "rollup_lag_seconds",
            "Age of the newest pass of rollups that succeeded.",
            registry=r,
        )
        self.disk_free = Gauge(
            _P + "disk_free_bytes", "Free bytes of the disk under the store.", registry=r
        )
        self.disk = Gauge(_P + "disk_bytes", "Bytes of the disk under the store.", registry=r)
        self._cells = {name: load().cells(s) for name, (s, _) in frame_tables().items()}
        self._newest: dict[str, int] = {}

    def watch_disk(self, folder: Path) -> None:
        """Tell the room on the disk of a folder, as it is when the metrics are asked for."""
        self.disk_free.set_function(lambda: disk_usage(folder).free)
        self.disk.set_function(lambda: disk_usage(folder).total)

    def render(self) -> bytes:
        """Prometheus text."""
        return generate_latest(self.registry)

    def summary(self) -> dict[str, float]:
        """The figures that say whether data flows, for `popscope pipeline status`."""
        shown = {
            "frames_committed": ("frames_total", {"outcome": "committed"}),
            "frames_duplicate": ("frames_total", {"outcome": "duplicate"}),
            "frames_damaged": ("frames_total", {"outcome": "damaged"}),
            "samples": ("samples_total", {}),
            "queue_bytes": ("queue_bytes", {}),
            "orphan_frames": ("orphan_frames", {}),
            "rollup_lag_seconds": ("rollup_lag_seconds", {}),
        }
        read = self.registry.get_sample_value
        values = {key: read(_P + name, labels) or 0.0 for key, (name, labels) in shown.items()}
        newest = max(self._newest.values(), default=0) / 1000
        return values | {"exporters": float(len(self._newest)), "newest_frame": newest}

    def committed(self, frames: Sequence[Received], now_ms: int, seconds: float) -> None:
        """Count a group that is in the store."""
        self.commits.labels("committed").inc()
        self.commit_seconds.observe(seconds)
        self.frames.labels("committed").inc(len(frames))
        rows: dict[str, int] = {}
        for frame in frames:
            header = frame.header
            self.freshness.observe(max(0, now_ms - header.ts_ms) / 1000)
            if header.ts_ms > self._newest.get(header.exporter, 0):
                self._newest[header.exporter] = header.ts_ms
                self.watermark.labels(header.exporter).set(header.ts_ms / 1000)
            for name, table in frame.tables.items():
                rows[name] = rows.get(name, 0) + table.num_rows
        for name, count in rows.items():
            self.rows.labels(name).inc(count)
            self.samples.inc(count * self._cells[name])
