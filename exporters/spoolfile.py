"""One file of the spool: what is in it, read past damage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from exporters import frames
from exporters.errors import FrameError, SpoolError

SUFFIX = ".spool"


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


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds. `end`: behind the last whole frame. `damaged`: places without one."""

    entries: tuple[Entry, ...]
    end: int
    size: int
    damaged: int
    torn_tail: bool


@dataclass(slots=True)
class SpoolFile:
    """A file and, once it was needed, its index. `thinned`: how often its frames were merged."""

    path: Path
    first: int
    size: int
    entries: list[Entry] | None = None
    thinned: int = 0
    busy: bool = field(default=False)

    @classmethod
    def of(cls, path: Path) -> SpoolFile:
        """The file at a path. Raises SpoolError when its name is not `<sequence number>.spool`."""
        if not path.stem.isdigit():
            raise SpoolError(f"{path}: is not named <sequence number>{SUFFIX}")
        return cls(path, int(path.stem), path.stat().st_size)

    def read(self, entry: Entry) -> bytes:
        """The bytes of a frame. Raises SpoolError when the file ends before them."""
        with self.path.open("rb") as file:
            data = os.pread(file.fileno(), entry.length, entry.offset)
        if len(data) != entry.length:
            raise SpoolError(f"{self.path}: frame {entry.seq} is cut off")
        return data


def name(directory: Path, first: int) -> Path:
    return directory / f"{first:020d}{SUFFIX}"


def scan(path: Path) -> Scan:
    """Find every whole frame of a file. Raises SpoolError when the file cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpoolError(f"{path}: {error.strerror}") from error
    entries, damaged, end = list[Entry](), 0, 0
    for entry in _whole(data):
        damaged += entry.offset != end
        entries.append(entry)
        end = entry.offset + entry.length
    torn = _is_torn(data, end)
    return Scan(tuple(entries), end, len(data), damaged + (end < len(data) and not torn), torn)


def _whole(data: bytes) -> Iterator[Entry]:
    """Whole frames in their order; behind damage the next one is looked for by its magic."""
    view, place = memoryview(data), 0
    while (place := data.find(frames.MAGIC, place)) >= 0:
        try:
            size = frames.length(view[place:])
            header = frames.decode_header(view[place : place + size])
        except FrameError:
            place += 1  # counted by the caller, as a gap between whole frames
            continue
        yield Entry(
            seq=header.seq,
            first=header.first,
            stream=header.stream,
            ts_ms=header.ts_ms,
            keyframe=header.keyframe,
            offset=place,
            length=size,
        )
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
