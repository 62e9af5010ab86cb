"""One file of the spool: what is in it, read past damage."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from exporters import frames
from exporters.errors import FrameError, FrameVersionError, SpoolError, SpoolGoneError

SUFFIX = ".spool"
BLOCK = 4096  # what a disk that fails loses at least


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame in a file. It stands for frames first..seq."""

    seq: int
    first: int
    stream: int
    ts_ms: int
    keyframe: bool
    offset: int
    length: int

    @classmethod
    def of(cls, header: frames.Header, offset: int, length: int) -> Entry:
        """The frame with this header at a place."""
        h = header
        return cls(h.seq, h.first, h.stream, h.ts_ms, h.keyframe, offset, length)


@dataclass(frozen=True, slots=True)
class Stored:
    """A frame to send."""

    seq: int
    first: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds. `end`: behind the last whole frame. `damaged`: places without one."""

    entries: tuple[Entry, ...]
    end: int
    size: int
    damaged: int
    torn_tail: bool


@dataclass(slots=True)
class Faults:
    """What went wrong on disk, counted since the spool was opened."""

    damaged_frames: int = 0
    torn_tails: int = 0
    dropped_frames: int = 0
    quarantined_frames: int = 0
    quarantine_dropped_frames: int = 0
    merged_frames: int = 0
    lost_frames: int = 0
    read_failures: int = 0


@dataclass(slots=True)
class SpoolFile:
    """A file and, once it was needed, its index. `thinned`: how often its frames were merged.

    `since`: seconds of the spool's clock when it began, or was found by this process.
    `problem`: why it could not be read when that was tried last.
    """

    path: Path
    first: int
    size: int
    since: float
    entries: list[Entry] | None = None
    thinned: int = 0
    busy: bool = field(default=False)
    problem: str = ""

    @classmethod
    def of(cls, path: Path, since: float) -> SpoolFile:
        """The file at a path. Raises SpoolError when its name is not `<sequence number>.spool`."""
        if not path.stem.isdecimal():
            raise SpoolError(f"{path}: is not named <sequence number>{SUFFIX}")
        return cls(path, int(path.stem), path.stat().st_size, since)

    def read(self, entry: Entry) -> bytes:
        """The bytes of a frame. Raises FrameError when the disk has them no more, SpoolError."""
        with _opened(self.path) as fd:
            data = _read(fd, entry.length, entry.offset)
        if len(data) != entry.length:
            raise FrameError(f"{self.path}: frame {entry.seq} is cut off, or cannot be read")
        return data


def name(directory: Path, first: int) -> Path:
    return directory / f"{first:020d}{SUFFIX}"


def scan(path: Path) -> Scan:
    """Find every whole frame of a file. Raises SpoolError when the file cannot be read."""
    with _opened(path) as fd:
        size = os.fstat(fd).st_size
        data = b"".join(_read(fd, min(BLOCK, size - at), at, True) for at in range(0, size, BLOCK))
    entries, damaged, end = list[Entry](), 0, 0
    for entry in _whole(data, path):
        damaged += entry.offset != end
        entries.append(entry)
        end = entry.offset + entry.length
    torn = _is_torn(data, end)
    return Scan(tuple(entries), end, len(data), damaged + (end < len(data) and not torn), torn)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor to read from. Raises SpoolGoneError when nothing is there, else SpoolError."""
    try:
        with path.open("rb", buffering=0) as file:
            yield file.fileno()
    except FileNotFoundError as error:
        raise SpoolGoneError(f"{path}: is gone") from error
    except OSError as error:
        raise SpoolError(f"{path}: {error.strerror}") from error


def _read(fd: int, size: int, offset: int, filled: bool = False) -> bytes:
    """What the disk can read there: all, or nothing when it fails; `filled` up with zeros."""
    try:
        data = os.pread(fd, size, offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        data = b""
    return data.ljust(size, b"\0") if filled else data


def _whole(data: bytes, path: Path) -> Iterator[Entry]:
    """Whole frames in their order; behind damage the next one is looked for by its magic.

    Raises SpoolError for a frame of another version: it is not damage, and must not be removed.
    """
    view, place = memoryview(data), 0
    while (place := data.find(frames.MAGIC, place)) >= 0:
        try:
            size = frames.length(view[place:])
            header = frames.decode_header(view[place : place + size])
        except FrameVersionError as error:
            raise SpoolError(
                f"{path}: a frame at byte {place}: {error}. Let the version that wrote it send "
                "what waits, or move the folder away: then its counts are lost, and the ledger "
                "says so"
            ) from error
        except FrameError:
            place += 1  # counted by the caller, as a gap between whole frames
            continue
        yield Entry.of(header, place, size)
        place += size


def _is_torn(data: bytes, end: int) -> bool:
    """Whether what follows the last whole frame is the beginning of one that was not finished."""
    rest = data[end:]
    if not rest:
        return False
    if len(rest) < frames.PREFIX.size:
        return True
    try:
        return frames.length(rest) > len(rest)
    except FrameError:
        return False
