"""What the demo shows while it runs: read from the segments, as an exporter does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from exporters.errors import ExporterError
from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from tests.lab import audit
from tests.lab.lab import Lab


@dataclass(frozen=True, slots=True)
class Sight:
    """All boots of all directors together, now. `residual`: packets unaccounted for."""

    rx: int
    tx: int
    drops: int
    picked_up: int
    residual: int


@dataclass(slots=True)
class Watch:
    """Reads the segments of a laboratory's directors."""

    lab: Lab
    unreadable: int = 0
    _readers: dict[Path, SnapshotReader] = field(default_factory=dict)

    def look(self) -> Sight:
        """A snapshot of every segment; one that cannot be read now is counted in `unreadable`."""
        snapshots = []
        for director in self.lab.directors.values():
            paths = director.segments()
            for path in paths:
                # Only the newest boot of a running core is written to.
                ended = path != director.live_segment or not director.process.running
                try:
                    reader = self._readers.get(path) or SnapshotReader(Segment(path))
                    self._readers[path] = reader
                    snapshots.append(reader.read(ended=ended))
                except ExporterError:
                    self.unreadable += 1
        totals = audit.segment_totals(snapshots)
        return Sight(
            rx=totals.get("lcore.rx_packets", 0),
            tx=totals.get("lcore.tx_packets", 0),
            drops=sum(audit.drops(totals).values()),
            picked_up=totals.get("lcore.picked_up_connections", 0),
            residual=audit.ledger_residual(snapshots),
        )
