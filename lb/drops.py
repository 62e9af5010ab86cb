"""Samples of dropped packets, from a core's evidence file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lb import evidence
from lb.errors import EvidenceError
from lb.evidence import Evidence, Record

NO_PORT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Sample:
    """A dropped packet. `dropped`: how many the lcore had dropped for this reason, this one too.

    `missed`: samples between this one and the one before that were overwritten unseen. `port`:
    None for a packet of the core's own. `listener`, `backend` (pool/name): "" when none was known.
    """

    time_ns: int
    reason: str
    port: int | None
    lcore: int
    listener: str
    backend: str
    length: int
    data: bytes
    dropped: int
    missed: int


class DropReader:
    """Reads the samples of one boot, each once."""

    def __init__(self, path: Path) -> None:
        self.evidence = Evidence(path)
        self._seen: dict[tuple[int, int], int] = {}
        found = (self.evidence.record("reason", i) for i in range(self._reason_count))
        self.reasons = tuple(r.text_of("name") if r else "?" for r in found)

    @property
    def _reason_count(self) -> int:
        return self.evidence.block("reason").rings

    def read(self) -> list[Sample]:
        """Samples since the last call, by time."""
        records = sorted(
            self.evidence.fresh("drop", self._seen), key=lambda r: (r.lane, r.ring, r.number)
        )
        return sorted((self._sample(record) for record in records), key=lambda s: s.time_ns)

    def _sample(self, record: Record) -> Sample:
        ring = (record.lane, record.ring)
        missed = record.number - self._seen.get(ring, 0)
        self._seen[ring] = record.number + 1
        port = record.number_of("port")
        return Sample(
            time_ns=record.number_of("time_ns"),
            reason=self.reasons[record.ring],
            port=None if port == NO_PORT else port,
            lcore=record.number_of("lcore"),
            listener=self.evidence.row_name(record, "vip"),
            backend=self.evidence.row_name(record, "backend"),
            length=record.number_of("length"),
            data=record.data_of("bytes")[: record.number_of("captured")],
            dropped=record.number_of("dropped"),
            missed=missed,
        )


class Follower:
    """Reads the samples of the latest boot of a core, of its successor once there is one."""

    def __init__(self, run_dir: Path, reader: DropReader) -> None:
        self._run_dir = run_dir
        self._reader = reader

    def read(self) -> Iterator[Sample]:
        yield from self._reader.read()
        try:
            latest = evidence.find(self._run_dir)
        except EvidenceError:
            return  # the next core is laying its file out
        if latest != self._reader.evidence.path:
            yield from self._reader.read()  # the last of the old boot
            self._reader = DropReader(latest)
            yield from self._reader.read()
