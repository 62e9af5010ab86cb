"""The spool: frames on disk until the pipeline has committed them.

A folder of files `<first seq>.spool`; a file begins with a keyframe. A frame is on the disk
(fdatasync) before it may be sent, so that a sequence number that the pipeline saw is never used
again. The newest file always stays: an exporter that restarts learns from it what it has counted.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exporters import disk, frames, marks, spoolfile
from exporters.errors import FrameError, SpoolError, SpoolGoneError
from exporters.frames import Frame
from exporters.quarantine import Quarantine
from exporters.spoolfile import Entry, Faults, SpoolFile, Stored
from exporters.tail import Tail

LOG = logging.getLogger(__name__)
KEYFRAME_MS = 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of the whole spool and of its quarantine, and when a new file begins."""

    max_bytes: int = 4 << 30
    max_age_ms: int = 7 * 86_400_000
    file_bytes: int = 64 << 20
    file_ms: int = 600_000
    quarantine_bytes: int = 64 << 20


class Spool:
    """The spool of one exporter. Safe to use from several threads.

    Raises SpoolBusyError when another process has it, SpoolError when the folder cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory, self.limits, self.clock = directory, limits or Limits(), clock
        self.mutex, self.faults = threading.RLock(), Faults()
        self._quarantine = Quarantine(directory / "quarantine", self.limits.quarantine_bytes)
        self._lock = disk.lock(directory)
        self.files: list[SpoolFile] = []
        self._tail: Tail | None = None
        self.doubtful = False
        try:
            self._recover()
        except BaseException:
            os.close(self._lock)
            raise

    def _recover(self) -> None:
        """Find the newest file with a whole frame, cut its torn tail, take up its stream."""
        for leftover in self.directory.glob("*.tmp"):
            leftover.unlink()
        paths = sorted(self.directory.glob("*" + spoolfile.SUFFIX))
        self.files = [SpoolFile.of(path, self.clock()) for path in paths]
        self.stream, self.next_seq = secrets.randbits(64), 0
        while self.files:
            scan = spoolfile.scan(self.files[-1].path)
            self.faults.damaged_frames += scan.damaged
            self.faults.torn_tails += scan.torn_tail
            if scan.damaged:
                # What lies there may have been sent: its numbers must not be used again.
                self.next_seq += (scan.size - scan.end) // frames.PREFIX.size
            if scan.entries:
                self._open_newest(scan)
                break
            self.files.pop().path.unlink()
        if not self.files:
            self.next_seq = 0  # a new stream: no number of it was ever used
        self.marks = marks.Marks.load(self.directory, self.stream, self.next_seq)
        end, self.next_seq = self.next_seq, self.marks.claim(self.next_seq)
        if end < self.next_seq:
            self.faults.lost_frames += self.next_seq - end
            LOG.error("%s: frames from %d on are gone", self.directory, end)
        self.marks.save()

    def _open_newest(self, scan: spoolfile.Scan) -> None:
        newest = self.files[-1]
        newest.entries, newest.size = list(scan.entries), scan.end
        self.stream = scan.entries[-1].stream
        self.next_seq += scan.entries[-1].seq + 1
        self._tail = Tail.resume(newest.path, scan.end)

    def replay(self) -> Iterator[Frame]:
        """The last keyframe and what follows: what has been counted (Baseline.replay).

        At its end `doubtful` says whether a frame lacks that may have been sent.
        """
        found = list[tuple[SpoolFile, Entry]]()
        for file in reversed(self.files):
            entries = self._index(file)
            start = max((i for i, e in enumerate(entries) if e.keyframe), default=-1)
            found[:0] = [(file, entry) for entry in entries[max(start, 0) :]]
            if start >= 0:
                break
        for file, _ in found:
            file.busy = True  # giving a damaged frame up must not remove what is still to be read
        self.doubtful = bool(found) and not found[0][1].keyframe
        end = found[0][1].first if found else self.next_seq
        for file, entry in found:
            self.doubtful |= self.marks.sent(end, entry.first - 1)
            if stored := self.load(file, entry):
                yield frames.decode(stored.data)
                end = entry.seq + 1
            self.doubtful |= not stored and entry is found[0][1]
        self.doubtful |= self.marks.sent(end, self.next_seq - 1)
        for file, _ in found:
            file.busy = False

    @property
    def last_ts_ms(self) -> int | None:
        """When the last frame in the spool was taken."""
        entries = self.entries(self.files[-1]) if self.files else []
        return entries[-1].ts_ms if entries else None

    def keyframe_due(self, ts_ms: int) -> bool:
        """Whether the next frame must carry absolute counters."""
        if self._rotation_due(ts_ms):
            return True
        entries = self.entries(self.files[-1])
        if not entries or entries[-1].seq + 1 != self.next_seq:
            return True  # what it has counted is known without the numbers that are left out
        last = max((e.ts_ms for e in entries if e.keyframe), default=0)
        return ts_ms // KEYFRAME_MS != last // KEYFRAME_MS

    def _rotation_due(self, ts_ms: int) -> bool:
        if self._tail and self._tail.is_gone:
            newest = self.files[-1]
            self.unreadable(newest, SpoolGoneError(f"{newest.path}: is gone"))
        if not self.files or not self._tail:
            return True
        newest, limits = self.files[-1], self.limits
        age = ts_ms - self.entries(newest)[0].ts_ms
        return newest.size >= limits.file_bytes or not 0 <= age < limits.file_ms

    def append(self, data: bytes, header: frames.Header) -> None:
        """Put a frame on the disk; durable on return. Raises SpoolError: then it is not there."""
        with self.mutex:
            if header.seq != self.next_seq or header.stream != self.stream:
                raise SpoolError(f"frame {header.seq} is not the next one, {self.next_seq}")
            rotated = self._rotation_due(header.ts_ms)
            if rotated:
                if not header.keyframe:
                    raise SpoolError(f"frame {header.seq} begins a file and is no keyframe")
                self._rotate()
            self._write(data, header)
            self.next_seq += 1
            if rotated:  # until now the file before was the only one that says what is counted
                self.marks.used = self.next_seq
                self.tidy()

    def _rotate(self) -> None:
        path = spoolfile.name(self.directory, self.next_seq)
        tail = Tail.create(path)
        self._leave_file()
        self._tail = tail
        self.files.append(SpoolFile(path, self.next_seq, 0, self.clock(), []))

    def _leave_file(self) -> None:
        """Write no more to the newest file."""
        if self._tail:
            self._tail.close()
            self._tail = None

    def _write(self, data: bytes, header: frames.Header) -> None:
        newest = self.files[-1]
        assert self._tail
        try:
            self._tail.append(data, newest.size)
        except SpoolError:
            if not newest.size:  # a file without a frame would say nothing of what is counted
                self._leave_file()
                self.remove(newest)
            raise
        self.entries(newest).append(Entry.of(header, newest.size, len(data)))
        newest.size += len(data)

    def entries(self, file: SpoolFile) -> list[Entry]:
        """The index of a file, made when it is first needed; empty while it cannot be read."""
        try:
            return self._index(file)
        except SpoolError as error:
            self.unreadable(file, error)
            return []

    def _index(self, file: SpoolFile) -> list[Entry]:
        with self.mutex:
            if file.entries is None:
                scan = spoolfile.scan(file.path)
                self.faults.damaged_frames += scan.damaged
                self.faults.torn_tails += scan.torn_tail
                file.entries, file.problem = list(scan.entries), ""
            return file.entries

    def unreadable(self, file: SpoolFile, error: SpoolError) -> None:
        """Count and report it. A file that is gone is lost; another may be read later."""
        self.faults.read_failures += 1
        if str(error) != file.problem:
            LOG.error("%s", error)
        file.problem = str(error)
        if isinstance(error, SpoolGoneError):
            self._lose(file)

    def _lose(self, file: SpoolFile) -> None:
        """Nobody will ever send the frames of a file."""
        with self.mutex:
            if file not in self.files:
                return
            first, last = file.first, self._last(file)
            acked = self.marks.acked.count(first, last)
            self.faults.lost_frames += last - first + 1 - acked
            if file is self.files[-1]:
                self._leave_file()
            self.files.remove(file)
            self.acknowledge([(first, last)] if last >= first else [])

    def waiting(self, file: SpoolFile) -> list[Entry]:
        """The frames of a file that are not acknowledged."""
        return [e for e in self.entries(file) if e.seq not in self.marks.acked]

    def load(self, file: SpoolFile, entry: Entry) -> Stored | None:
        """A frame, checked again; a frame that was damaged on disk is counted and given up.

        Raises SpoolError when it cannot be read now.
        """
        try:
            data = file.read(entry)
            frames.decode(data)
        except FrameError:
            self.faults.damaged_frames += 1
            self.acknowledge([(entry.first, entry.seq)])
            return None
        return Stored(entry.seq, entry.first, data)

    def acknowledge(self, ranges: Iterable[tuple[int, int]]) -> None:
        """These frames are committed in the pipeline, or given up."""
        with self.mutex:
            for first, last in ranges:
                self.marks.acked.add(first, min(last, self.next_seq - 1))
            self.tidy()

    def tidy(self) -> None:
        """Delete files all of whose frames are acknowledged; keep the newest."""
        with self.mutex:
            for file in self.files[:-1]:
                if not file.busy and not self.waiting_count(file):
                    self.remove(file)
            if self.files:
                self.marks.acked.forget_below(self.files[0].first)
            self.marks.save()

    def waiting_count(self, file: SpoolFile) -> int:
        """Frames of a file that are not acknowledged; until it is indexed, also unused numbers."""
        first, last = file.first, self._last(file)
        count = last - first + 1 - self.marks.acked.count(first, last)
        return len(self.waiting(file)) if count and file.entries is not None else count

    def _last(self, file: SpoolFile) -> int:
        """The last number that a file may hold."""
        following = self.files[self.files.index(file) + 1 :]
        return (following[0].first if following else self.next_seq) - 1

    def remove(self, file: SpoolFile) -> None:
        """Delete a file. Raises SpoolError when its name stays: the next start finds it."""
        self.files.remove(file)
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            raise SpoolError(f"{file.path}: {error.strerror}") from error

    def quarantine(self, frame: Stored) -> None:
        """Keep a frame that the pipeline refuses out of the way, and go on without it."""
        with self.mutex:
            self._quarantine.keep(f"{self.stream:016x}-{frame.seq:020d}", frame.data)
            self.faults.quarantined_frames += 1
            self.faults.quarantine_dropped_frames = self._quarantine.dropped
            self.acknowledge([(frame.first, frame.seq)])

    def close(self) -> None:
        """Keep the marks, and let another process have the folder."""
        with self.mutex:
            self.marks.save()
            self._leave_file()
            os.close(self._lock)
