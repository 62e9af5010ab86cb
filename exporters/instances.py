"""Which segments there are, and what state each is in.

A run directory belongs to one core instance; each boot of it is one file. A segment is waited for
until it is ready, read while its core lives, read once more when the core is certainly gone, and
then unlinked by whoever has put that last reading in a safe place.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporters.errors import SegmentError, SegmentNotReadyError
from exporters.segment import PREFIX, Segment, State
from exporters.snapshot import SnapshotReader

DEAD_AFTER_S = 2.0
REUSED_PID_AFTER_S = 60.0
HALF_WRITTEN_AFTER_S = 10.0


@dataclass(slots=True)
class Tracked:
    """A segment file. `reader` once it is ready; else `problem` says why not."""

    path: Path
    boot: int
    since: float
    reader: SnapshotReader | None = None
    problem: str = "starting"
    message: str = ""
    beat_ns: int = 0
    beat_at: float = 0.0
    done: bool = field(default=False)

    @property
    def instance(self) -> str:
        """Name of the instance; before it can be read, the name of its folder."""
        return self.reader.segment.instance if self.reader else self.path.parent.name


class Watcher:
    """Follows the segments of some run directories, and of every folder below a run root."""

    def __init__(
        self,
        run_root: Path | None,
        run_dirs: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._dirs, self._clock = run_root, run_dirs, clock
        self.tracked: dict[Path, Tracked] = {}
        self.problem = ""

    def scan(self) -> list[Tracked]:
        """Look for new segments, open those that became ready; all that are known, oldest first."""
        now = self._clock()
        self.problem = ""
        try:
            for path, boot in self._paths():
                if path not in self.tracked:
                    self.tracked[path] = Tracked(path, boot, now, beat_at=now)
        except OSError as error:
            self.problem = f"{error.filename}: cannot look for segments: {error.strerror}"
        for tracked in list(self.tracked.values()):
            if tracked.reader is None:
                self._try_open(tracked, now)
        return sorted(self.tracked.values(), key=lambda t: (t.instance, _start(t), t.boot))

    def ended(self, tracked: Tracked) -> bool:
        """Whether nobody will ever write this segment again; to be asked before reading it."""
        segment = _segment(tracked)
        return segment.state == State.STOPPED or self._is_dead(tracked, segment)

    def forget(self, tracked: Tracked) -> None:
        """It was read to its end and is gone from the disk."""
        self.tracked.pop(tracked.path, None)

    def _paths(self) -> Iterator[tuple[Path, int]]:
        for folder in self._folders():
            for path in folder.glob(PREFIX + "*"):
                try:
                    yield path, int(path.name.removeprefix(PREFIX), 16)
                except ValueError:
                    continue  # not a name that a core gives

    def _folders(self) -> Iterator[Path]:
        yield from (d for d in self._dirs if d.is_dir())
        if self._root and self._root.is_dir():
            yield from (d for d in self._root.iterdir() if d.is_dir() and d not in self._dirs)

    def _try_open(self, tracked: Tracked, now: float) -> None:
        try:
            reader = SnapshotReader(Segment(tracked.path))
            self._refuse_twin(tracked, reader.segment)
            tracked.reader = reader
        except SegmentNotReadyError as error:
            late = now - tracked.since > HALF_WRITTEN_AFTER_S
            tracked.problem, tracked.message = "half_written" if late else "starting", str(error)
        except SegmentError as error:
            tracked.problem, tracked.message = "unreadable", str(error)
        else:
            tracked.problem = tracked.message = ""
        if tracked.reader is None and not tracked.path.exists():
            self.forget(tracked)

    def _refuse_twin(self, tracked: Tracked, segment: Segment) -> None:
        """A boot is counted from one file: a copy of it, or a link to it, would count it twice."""
        for known in self.tracked.values():
            same = known.boot == tracked.boot and known.reader and known.path != tracked.path
            if same and known.instance == segment.instance:
                raise SegmentError(f"{tracked.path}: a copy of {known.path}, which is counted")

    def _is_dead(self, tracked: Tracked, segment: Segment) -> bool:
        """The heart stands still as this process's clock sees it, and nobody can be at work."""
        now, beat = self._clock(), segment.heartbeat_ns
        if beat != tracked.beat_ns:
            tracked.beat_ns, tracked.beat_at = beat, now
        still = now - tracked.beat_at
        if still < DEAD_AFTER_S:
            return False
        if self._has_successor(tracked, segment):
            return True
        if is_locked(tracked.path.parent / "lock"):
            return False
        return not _is_alive(segment.pid) or still >= REUSED_PID_AFTER_S

    def _has_successor(self, tracked: Tracked, segment: Segment) -> bool:
        """A later boot in the same folder holds its lock, so this one cannot."""
        return any(
            other.path.parent == tracked.path.parent and _start(other) > segment.start_ns
            for other in self.tracked.values()
            if other.reader
        )


def is_locked(path: Path) -> bool:
    """Whether a process holds an flock on a file. Only looks: a probe could get in a core's way."""
    try:
        status = path.stat()
        locks = Path("/proc/locks").read_text()
    except OSError:
        return False
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    return any(
        "FLOCK" in fields and device in fields for fields in map(str.split, locks.splitlines())
    )


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _segment(tracked: Tracked) -> Segment:
    if tracked.reader is None:
        raise SegmentError(f"{tracked.path}: {tracked.message}")
    return tracked.reader.segment


def _start(tracked: Tracked) -> int:
    return tracked.reader.segment.start_ns if tracked.reader else 1 << 63
