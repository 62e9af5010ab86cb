"""Which frames of the spool to send next, and how much of it there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from exporters.errors import SpoolError
from exporters.spool import Spool
from exporters.spoolfile import Entry, SpoolFile, Stored


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on the disk, frames that wait for their acknowledgement, age of the oldest of them."""

    bytes: int
    waiting: int
    oldest_ts_ms: int | None


def usage(spool: Spool) -> Usage:
    """How full the spool is."""
    with spool.mutex:
        counts = [(file, spool.waiting_count(file)) for file in spool.files]
        oldest = next((w for file, count in counts if count and (w := spool.waiting(file))), [])
        return Usage(
            bytes=sum(file.size for file in spool.files),
            waiting=sum(count for _, count in counts),
            oldest_ts_ms=oldest[0].ts_ms if oldest else None,
        )


def batch(spool: Spool, max_frames: int, max_bytes: int) -> list[Stored]:
    """Frames to send now, at least one if any waits.

    A small backlog goes in its order. Of a large one a quarter of the batch is the newest frames,
    so that what happens now is seen now, and the rest the oldest.
    """
    with spool.mutex:
        count = sum(spool.waiting_count(file) for file in spool.files)
        fresh = list[tuple[SpoolFile, Entry]]()
        if count > max_frames:
            fresh = list(islice(_newest(spool), max(1, max_frames // 4)))[::-1]
        known = {entry.seq for _, entry in fresh}
        rest = (item for item in _oldest(spool) if item[1].seq not in known)
        stored, size = list[Stored](), 0
        for file, entry in [*fresh, *islice(rest, max_frames - len(fresh))]:
            if stored and size + entry.length > max_bytes:
                break
            if loaded := _load(spool, file, entry):
                stored.append(loaded)
                size += entry.length
        if count and not stored:
            spool.tidy()  # what seemed to wait was numbers that were never used
        return stored


def _load(spool: Spool, file: SpoolFile, entry: Entry) -> Stored | None:
    """A frame, or None when it cannot be had now."""
    try:
        return spool.load(file, entry)
    except SpoolError as error:
        spool.unreadable(file, error)
        return None


def _oldest(spool: Spool) -> Iterator[tuple[SpoolFile, Entry]]:
    for file in list(spool.files):
        if not file.busy and spool.waiting_count(file):
            yield from ((file, entry) for entry in spool.waiting(file))


def _newest(spool: Spool) -> Iterator[tuple[SpoolFile, Entry]]:
    for file in reversed(list(spool.files)):
        if not file.busy and spool.waiting_count(file):
            yield from ((file, entry) for entry in reversed(spool.waiting(file)))
