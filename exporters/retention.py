"""Keeps the spool within its bounds without losing a sum.

Beyond its bytes, or when its disk is nearly full, the oldest frames that were never sent are
merged: first those of a minute into one, then those of a file. Increments add up, gauges keep their
last value, absolute tables stay those of the last frame. When a spool beyond its bytes has nothing
more to merge, the sampler takes frames less often: what it does not write now is in the next frame.
Only beyond its age a frame is given up, counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from exporters import disk, frames, tables
from exporters.deltas import Baseline
from exporters.errors import ExporterError, SpoolError
from exporters.frames import Frame, Header, InstanceState
from exporters.spool import Spool
from exporters.spoolfile import Entry, SpoolFile
from exporters.tables import Part

MAX_THINNED = 2


def enforce(spool: Spool) -> bool:
    """Take one step towards the bounds; False when the spool is too full and no step is left.

    Raises ExporterError for a file that cannot be merged, when all others had their turn.
    """
    _give_up(spool)
    full = sum(file.size for file in spool.files) > spool.limits.max_bytes
    if not full and _room(spool) >= spool.limits.file_bytes:
        return True
    failed: ExporterError | None = None
    for level in range(MAX_THINNED):
        for file in spool.files[:-1]:
            if file.thinned == level:
                try:
                    _thin(spool, file, whole_file=level > 0)
                except ExporterError as error:
                    failed = error
                else:
                    return True
    if failed:
        raise failed
    return not full


def _room(spool: Spool) -> int:
    """Bytes free on the disk. A merge needs as many as a file has, before it frees any."""
    disk_status = os.statvfs(spool.directory)
    return disk_status.f_bavail * disk_status.f_frsize


def merge(group: Sequence[Frame]) -> Frame:
    """One frame that stands for consecutive frames."""
    counted = Baseline()
    for frame in group:
        for name, table in frame.tables.items():
            scope, absolute = frames.scope_of(name)
            if not absolute:
                counted.add(scope, table, frame.keys[name])
    built, keys = {}, {}
    for scope in dict.fromkeys(s for boot in counted.boots.values() for s in boot.scopes):
        found = [(k, b.scopes[scope]) for k, b in counted.boots.items() if scope in b.scopes]
        parts = [Part(*key, base.labels, base.values) for key, base in found]
        built[scope] = tables.build(scope, parts)
        keys[scope] = np.concatenate([base.keys for _, base in found])
    for name in group[-1].tables:
        if frames.scope_of(name)[1]:
            built[name], keys[name] = group[-1].tables[name], group[-1].keys[name]
    return Frame(_merged_header(group), built, keys)


def _merged_header(group: Sequence[Frame]) -> Header:
    headers = [frame.header for frame in group]
    last = headers[-1]
    states: dict[tuple[str, int], InstanceState] = {}
    for state in (i for header in headers for i in header.instances):
        old = states.get((state.instance, state.boot), state)
        taken = old.taken_over or state.taken_over
        states[state.instance, state.boot] = replace(state, taken_over=taken)
    return Header(
        pop=last.pop,
        node=last.node,
        stream=last.stream,
        seq=last.seq,
        first=headers[0].first,
        ts_ms=last.ts_ms,
        interval_ms=sum(h.interval_ms for h in headers),
        keyframe=last.keyframe,
        instances=tuple(states.values()),
        unknown=tuple(sorted({u for h in headers for u in h.unknown})),
        missing=tuple(sorted({m for h in headers for m in h.missing})),
    )


def _thin(spool: Spool, file: SpoolFile, whole_file: bool) -> None:
    """Write a file anew with its frames merged, and put it in the old one's place."""
    with spool.mutex:
        entries = spool.entries(file)
        file.busy = True
    temporary = file.path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as out:
            merged = _write(spool, file, _groups(spool, entries, whole_file), out)
            out.flush()
            os.fsync(out.fileno())
        if merged is None:
            return
        with spool.mutex:
            temporary.replace(file.path)
            disk.sync_directory(spool.directory)
            file.size, file.entries = file.path.stat().st_size, None
            file.thinned += 1
            spool.faults.merged_frames += merged
    except OSError as error:
        raise SpoolError(f"{file.path}: cannot be merged: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
        file.busy = False


def _write(
    spool: Spool, file: SpoolFile, groups: Iterable[list[Entry]], out: BinaryIO
) -> int | None:
    """Write each group as one frame; how many that saves. None when a frame is damaged: it was
    given up, and stands between frames that could have been one, so the groups are others now."""
    merged = 0
    for group in groups:
        stored = [frame for entry in group if (frame := spool.load(file, entry))]
        if len(stored) < len(group):
            return None
        if len(group) == 1:
            out.write(stored[0].data)
            continue
        out.write(frames.encode(merge([frames.decode(frame.data) for frame in stored])))
        merged += len(group) - 1
    return merged


def _groups(spool: Spool, entries: Sequence[Entry], whole_file: bool) -> Iterator[list[Entry]]:
    """Runs of frames to merge. A run ends with a keyframe, which is right for its whole time.

    The file's first frame stays, for a file begins with a keyframe; so does, byte for byte, every
    frame that the pipeline may have seen. What is acknowledged goes.
    """
    group = list[Entry]()
    last_keyframe = max((i for i, e in enumerate(entries) if e.keyframe), default=-1)
    for i, entry in enumerate(entries):
        if entry.seq in spool.marks.acked:
            continue
        if i == 0 or entry.seq in spool.marks.attempted:
            yield from ([group] if group else [])
            yield [entry]
            group = []
            continue
        if group and entry.first != group[-1].seq + 1:
            yield group  # a merged frame stands for every number between its ends
            group = []
        group.append(entry)
        if entry.keyframe and (not whole_file or i == last_keyframe):
            yield group
            group = []
    if group:
        yield group


def _give_up(spool: Spool) -> None:
    """Remove files whose every frame is beyond the spool's age, by a clock that nobody sets.

    The next file is as old as the last frame of a file at most; one that was there at the start,
    no older than the process: better too late than because a clock was wrong.
    """
    with spool.mutex:
        for file, following in pairwise(list(spool.files)):
            if (spool.clock() - following.since) * 1000 <= spool.limits.max_age_ms:
                return
            spool.faults.dropped_frames += spool.waiting_count(file)
            spool.acknowledge([(file.first, following.first - 1)])
