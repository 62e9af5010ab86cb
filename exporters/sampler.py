"""One sampling interval: read all segments, put a frame in the spool, clear away what has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from exporters import frames, notes, tables
from exporters.deltas import ALWAYS, Baseline, BootKey, Change, absolute_name
from exporters.errors import ExporterError, SegmentError, SpoolError
from exporters.frames import Frame, Header, InstanceState
from exporters.instances import DEAD_AFTER_S, Tracked, Watcher
from exporters.segment import State
from exporters.snapshot import Snapshot
from exporters.spool import Spool
from exporters.tables import Part
from lb.catalogue import SCOPES

FORGET_AFTER_S = 600.0
EARLIEST_MS = 1_577_836_800_000  # the year 2020: a clock that says less was never set


@dataclass(frozen=True, slots=True)
class Reading:
    """A segment's snapshot, what it adds to the spool, and how its core is."""

    tracked: Tracked
    snapshot: Snapshot
    changes: Mapping[str, Change]
    state: str
    taken_over: bool = False

    @property
    def boot(self) -> BootKey:
        return self.snapshot.instance, self.snapshot.boot


@dataclass(frozen=True, slots=True)
class Sample:
    """What one interval saw. `problems`: segments that could not be read, and why."""

    time_ms: int
    readings: tuple[Reading, ...] = ()
    problems: tuple[tuple[Tracked, str], ...] = ()
    faults: tuple[str, ...] = ()
    seconds: float = 0.0
    header: Header | None = None


@dataclass(slots=True)
class Totals:
    """What happened since the exporter started."""

    samples: int = 0
    torn_retries: int = 0
    torn_rows: int = 0
    counter_falls: int = 0
    missed_names: int = 0
    lost_segments: int = 0
    spool_failures: int = 0
    skipped_frames: int = 0
    read_failures: int = 0
    unlink_failures: int = 0
    note_failures: int = 0
    taken_over_boots: int = 0


@dataclass(slots=True)
class Sampler:
    """Samples all instances into a spool. Used by one thread at a time.

    `coarse`: the spool is full, put only keyframes into it.
    """

    pop: str
    node: str
    interval_ms: int
    watcher: Watcher
    spool: Spool
    baseline: Baseline = field(default_factory=Baseline)
    totals: Totals = field(default_factory=Totals)
    coarse: bool = False
    clock: Callable[[], int] = time.time_ns
    _absent: dict[BootKey, float] = field(default_factory=dict)
    _noted: set[BootKey] = field(default_factory=set)
    _taken: set[BootKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.baseline.replay(self.spool.replay())
        self._taken.update(self.baseline.boots if self.spool.doubtful else ())

    def sample(self) -> Sample:
        """Take one sample. What cannot be read or written is in the result and in `totals`."""
        started, now_ms = time.perf_counter(), self.clock() // 1_000_000
        faults = list[str]()
        readings, problems = self._read(faults)
        faults += self._check(readings)
        header = None
        try:
            header = self._spool(now_ms, readings)
        except ExporterError as error:
            self.totals.spool_failures += 1
            faults.append(str(error))
        if header:
            faults.extend(self._clear_away(readings))
        else:
            self.totals.skipped_frames += 1
        self._forget_absent()
        self.totals.samples += 1
        return Sample(
            time_ms=now_ms,
            readings=tuple(readings),
            problems=tuple(problems),
            faults=tuple(faults),
            seconds=time.perf_counter() - started,
            header=header,
        )

    def _read(self, faults: list[str]) -> tuple[list[Reading], list[tuple[Tracked, str]]]:
        readings, problems = list[Reading](), list[tuple[Tracked, str]]()
        for tracked in self.watcher.scan():
            if tracked.done:
                continue
            if tracked.reader is None:
                problems.append((tracked, tracked.message))
                continue
            try:
                snapshot = tracked.reader.read(self.watcher.ended(tracked))
                changes = self._changes(tracked.path, snapshot, faults)
            except SegmentError as error:
                self.totals.read_failures += 1
                problems.append((tracked, str(error)))
                continue
            taken = (snapshot.instance, snapshot.boot) in self._taken
            readings.append(Reading(tracked, snapshot, changes, state_of(snapshot), taken))
        return readings, problems

    def _changes(self, path: Path, snapshot: Snapshot, faults: list[str]) -> dict[str, Change]:
        """What a snapshot adds: nothing yet when its boot was counted and nobody knows how far.

        It begins with the keyframe that says so, and so anew until that is in the spool.
        """
        boot = snapshot.instance, snapshot.boot
        lost = boot not in self.baseline.boots and notes.path_of(path).exists()
        if lost or boot in self._taken:
            if snapshot.torn_rows and not snapshot.ended:
                raise SegmentError(f"{path}: is taken over once all of its rows are whole")
            self._taken.add(boot)
            faults.append(f"{path}: counted before, in a spool that is lost: begins at what it is")
            self.baseline.commit(boot, self.baseline.compare(snapshot), False)
        return self.baseline.compare(snapshot)

    def _note(self, path: Path, boot: BootKey, faults: list[str]) -> None:
        """Note beside the segment that this stream counts it."""
        self._noted.add(boot)
        try:
            notes.write(path, self.spool.stream)
        except OSError as error:
            self.totals.note_failures += 1
            faults.append(f"{notes.path_of(path)}: cannot be written: {error.strerror}")

    def _check(self, readings: Sequence[Reading]) -> list[str]:
        faults = [self.watcher.problem] if self.watcher.problem else []
        for reading in readings:
            self.totals.torn_retries += reading.snapshot.retries
            self.totals.torn_rows += reading.snapshot.torn_rows
            for change in reading.changes.values():
                self.totals.missed_names += change.missed
                self.totals.counter_falls += len(change.fell)
                faults.extend(f"{reading.tracked.path}: {name} fell" for name in change.fell)
        return faults

    def _spool(self, now_ms: int, readings: Sequence[Reading]) -> Header | None:
        spool = self.spool
        if not EARLIEST_MS <= now_ms <= frames.MAX_MS:
            raise SpoolError(
                f"the clock says {now_ms // 1000} s since 1970: no frame until it is set"
            )
        if self.coarse and not spool.keyframe_due(now_ms):
            return None
        last = spool.last_ts_ms
        header = Header(
            pop=self.pop,
            node=self.node,
            stream=spool.stream,
            seq=spool.next_seq,
            first=spool.next_seq,
            ts_ms=now_ms,
            interval_ms=self.interval_ms if last is None else max(0, now_ms - last),
            # Both ends of a boot have its absolute counters, so that it can be proved later.
            keyframe=spool.keyframe_due(now_ms)
            or any(r.snapshot.ended or r.taken_over for r in readings),
            instances=tuple(instance_state(r) for r in readings),
            unknown=tuple(sorted({u for r in readings for u in r.snapshot.unknown})),
            missing=tuple(sorted({m for r in readings for m in r.snapshot.missing})),
        )
        spool.append(frames.encode(build(header, readings, self.baseline)), header)
        for reading in readings:
            self.baseline.commit(reading.boot, reading.changes, reading.snapshot.ended)
        self._taken.difference_update(r.boot for r in readings)
        self.totals.taken_over_boots += sum(r.taken_over for r in readings)
        return header

    def _clear_away(self, readings: Sequence[Reading]) -> list[str]:
        """Unlink segments whose end is in the spool."""
        faults = list[str]()
        for reading in readings:
            reading.tracked.done = reading.snapshot.ended
            if reading.boot not in self._noted:  # not before it is in the spool
                self._note(reading.tracked.path, reading.boot, faults)
        for tracked in [t for t in self.watcher.tracked.values() if t.done]:
            try:
                tracked.path.unlink(missing_ok=True)
                notes.path_of(tracked.path).unlink(missing_ok=True)
            except OSError as error:
                self.totals.unlink_failures += 1
                faults.append(f"{tracked.path}: cannot be unlinked: {error.strerror}")
            else:
                self.watcher.forget(tracked)
                self.baseline.boots.pop((tracked.instance, tracked.boot), None)
        return faults

    def _forget_absent(self) -> None:
        """Boots in the baseline without a segment: kept for a while, lest a folder come back."""
        present, now = {t.boot for t in self.watcher.tracked.values()}, time.monotonic()
        for key in list(self.baseline.boots):
            if key[1] in present:
                self._absent.pop(key, None)
            elif now - self._absent.setdefault(key, now) > FORGET_AFTER_S:
                self.totals.lost_segments += not self.baseline.boots[key].final
                del self.baseline.boots[key], self._absent[key]


def state_of(snapshot: Snapshot) -> str:
    """`stopped`, `dead` (its heart stands still) or `live`."""
    if snapshot.state == State.STOPPED:
        return "stopped"
    return "dead" if snapshot.ended or snapshot.age_ms > DEAD_AFTER_S * 1000 else "live"


def instance_state(reading: Reading) -> InstanceState:
    """How a frame tells of an instance."""
    snapshot = reading.snapshot
    return InstanceState(
        instance=snapshot.instance,
        boot=snapshot.boot,
        state=reading.state,
        age_ms=snapshot.age_ms,
        start_ms=min(snapshot.start_ns // 1_000_000, frames.MAX_MS),
        tsc_hz=snapshot.tsc_hz,
        final=snapshot.ended,
        torn_rows=snapshot.torn_rows,
        taken_over=reading.taken_over,
    )


def build(header: Header, readings: Sequence[Reading], baseline: Baseline) -> Frame:
    """The frame of these readings; on a keyframe with absolute tables of every boot known."""
    built, keys = {}, {}
    for scope in SCOPES if readings else ():
        parts, part_keys = list[Part](), list[frames.Keys]()
        for r in readings:
            if not (change := r.changes.get(scope)):
                continue
            everything = header.keyframe or scope in ALWAYS
            rows = np.flatnonzero(change.changed | everything)
            labels = [c.take(rows) for c in change.names.columns]
            parts.append(Part(*r.boot, labels, change.values[rows]))
            part_keys.append(change.names.keys[rows])
        built[scope] = tables.build(scope, parts)
        keys[scope] = np.concatenate(part_keys) if part_keys else np.empty(0, frames.KEY)
    if header.keyframe:
        _add_absolute(built, keys, readings, baseline)
    return Frame(header, built, keys)


def _add_absolute(
    built: dict[str, tables.Table],
    keys: dict[str, frames.Keys],
    readings: Sequence[Reading],
    baseline: Baseline,
) -> None:
    boots = {key: dict(boot.scopes) for key, boot in baseline.boots.items()}
    for r in readings:
        boots.setdefault(r.boot, {}).update({s: c.after for s, c in r.changes.items()})
    for scope in SCOPES if boots else ():
        found = [(key, scopes[scope]) for key, scopes in boots.items() if scope in scopes]
        name = absolute_name(scope)
        parts = [Part(*key, base.labels, base.values) for key, base in found]
        built[name] = tables.build(scope, parts)
        keys[name] = np.concatenate([base.keys for _, base in found] or [np.empty(0, frames.KEY)])
