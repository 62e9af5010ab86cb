"""Looks at a node: every instance of its run folders, how it is, and what happened to it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from exporters.errors import ExporterError, SegmentError
from exporters.instances import DEAD_AFTER_S, Tracked, Watcher, is_locked
from exporters.segment import State
from exporters.snapshot import Snapshot
from exporters.top.pace import Pace, Paced

EVENTS = 100
WRONG = frozenset({"dead", "hung", "lost", "unreadable", "half_written"})
ABSENT = frozenset({"gone", "lost"})


class NothingToShowError(ExporterError):
    """No instance can be read; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance by its latest boot.

    `state`: live, hung (no heartbeat, its process is there), dead (and it is gone), stopped,
    starting, half_written, unreadable, gone (no segment), lost (none any more, and it was not seen
    to stop). `message`: why it cannot be read. `earlier`: states of its older boots whose segments
    still lie there. `pace` is empty when it cannot be read.
    """

    name: str
    run_dir: Path
    state: str
    message: str = ""
    silent_s: float = 0.0
    pid: int = 0
    snapshot: Snapshot | None = None
    pace: Mapping[str, Paced] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an instance while it was watched."""

    time_ns: int
    instance: str
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """A node at an instant. `interval_s`: since the look before, NaN for the first."""

    time_ns: int
    interval_s: float
    instances: tuple[Instance, ...]
    events: tuple[Event, ...]
    problem: str = ""


@dataclass(slots=True)
class _Followed:
    """What is remembered of a segment between looks."""

    scopes: dict[str, Pace] = field(default_factory=dict)
    beat_ns: int = 0
    beat_at: float = 0.0
    looked_at: float = 0.0


@dataclass(slots=True)
class _Known:
    """What is remembered of an instance: its latest boot, and how that was when last seen."""

    name: str
    boot: int = 0
    state: str = ""
    gone: bool = False
    restarts: int = 0


class Node:
    """Follows the instances of a node. Reads only."""

    def __init__(
        self,
        run_root: Path,
        run_dirs: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = None if run_dirs else run_root
        self._dirs, self._clock = tuple(run_dirs), clock
        self._watcher = Watcher(self._root, self._dirs, clock)
        self._followed: dict[Path, _Followed] = {}
        self._known: dict[Path, _Known] = {}
        self._events: list[Event] = []
        self._at = float("nan")

    def check(self, instance: str = "") -> Look:
        """The first look. Raises NothingToShowError when there is nothing, or not this instance."""
        for folder in self._dirs or (self._root,):
            assert folder is not None
            problem = _access(folder)
            if problem:
                raise NothingToShowError(problem)
        look = self.look()
        found = look.instances
        closed = [i.message for i in found if i.state == "unreadable"]
        found = tuple(i for i in found if i.state not in ABSENT)
        if not found or len(closed) == len(found):
            raise NothingToShowError("; ".join(closed) or self._empty())
        names = [i.name for i in found]
        if instance and instance not in names:
            raise NothingToShowError(f"there is no instance {instance!r}; there is {_list(names)}")
        return look

    def look(self) -> Look:
        """All instances as they are now."""
        at, now_ns = self._clock(), time.time_ns()
        folders = dict[Path, list[Tracked]]()
        for tracked in self._watcher.scan():
            if not tracked.path.exists():  # an exporter has read it to its end
                self._watcher.forget(tracked)
                self._followed.pop(tracked.path, None)
                continue
            folders.setdefault(tracked.path.parent, []).append(tracked)
        found = [self._instance(boots, at) for boots in folders.values()]
        found += [self._without_segment(f) for f in self._folders() if f not in folders]
        found = sorted(found, key=lambda i: (i.name, i.run_dir))
        own, found = [i.name for i in found], _distinct(found)
        for name, instance in zip(own, found, strict=True):
            self._notice(instance, name, now_ns)
        for folder in self._known.keys() - {i.run_dir for i in found}:
            self._event(now_ns, self._known.pop(folder).name, f"its folder {folder} was removed")
        before, self._at = self._at, at
        problem = self._watcher.problem or ("" if found else self._empty())
        return Look(now_ns, at - before, tuple(found), tuple(self._events), problem)

    def _without_segment(self, folder: Path) -> Instance:
        """A folder that cannot be read, or that no core is at work in (any more)."""
        known = self._known.get(folder, _Known(folder.name))
        if problem := _access(folder):
            return Instance(known.name, folder, "unreadable", problem)
        was = f"{known.state} when last seen, its segment is gone; " if known.state else ""
        message = f"{was}no core is at work in {folder}"
        state = "lost" if known.state in ("live", "hung", "dead") else "gone"
        return Instance(known.name, folder, state, message, restarts=known.restarts)

    def _instance(self, boots: list[Tracked], at: float) -> Instance:
        """The latest boot; `boots` are sorted, oldest first."""
        *older, tracked = boots
        earlier = tuple(self._state(t, at)[0] for t in older)
        state, silent = self._state(tracked, at)
        run_dir = tracked.path.parent
        restarts = self._known.get(run_dir, _Known("")).restarts
        if tracked.reader is None:
            message = tracked.message
            return Instance(
                tracked.instance, run_dir, state, message, earlier=earlier, restarts=restarts
            )
        pid, ended = tracked.reader.segment.pid, state in ("dead", "stopped")
        try:
            snapshot = tracked.reader.read(ended)
        except SegmentError as error:
            message = str(error)
            return Instance(tracked.instance, run_dir, "unreadable", message, silent, pid)
        scopes = self._follow(tracked.path).scopes
        pace = {
            scope: scopes.setdefault(scope, Pace()).look(rows, self._clock(), ended)
            for scope, rows in snapshot.scopes.items()
        }
        return Instance(
            tracked.instance, run_dir, state, "", silent, pid, snapshot, pace, earlier, restarts
        )

    def _follow(self, path: Path) -> _Followed:
        return self._followed.setdefault(path, _Followed())

    def _state(self, tracked: Tracked, at: float) -> tuple[str, float]:
        """State of a segment, and the seconds since its last heartbeat."""
        if tracked.reader is None:
            return tracked.problem, 0.0
        segment, followed = tracked.reader.segment, self._follow(tracked.path)
        beat = segment.heartbeat_ns
        age = max(0, time.time_ns() - beat) / 1e9
        if not followed.beat_ns:  # the first look has only the wall clock to judge by
            followed.beat_at = at - age
        elif beat != followed.beat_ns:
            followed.beat_at = at - min(age, at - followed.looked_at)
        followed.beat_ns, followed.looked_at = beat, at
        silent = max(0.0, at - followed.beat_at)
        try:
            if segment.state == State.STOPPED:
                return "stopped", silent
        except SegmentError:  # reading it will say why
            return "unreadable", silent
        if silent < DEAD_AFTER_S:
            return "live", silent
        there = is_locked(tracked.path.parent / "lock") or Path(f"/proc/{segment.pid}").exists()
        return ("hung" if there else "dead"), silent

    def _notice(self, instance: Instance, name: str, now_ns: int) -> None:
        """Tell what changed since the last look, and remember."""
        boot = instance.snapshot.boot if instance.snapshot else 0
        known = self._known.get(instance.run_dir)
        if known is None:
            state = "" if instance.state in ABSENT else instance.state
            self._known[instance.run_dir] = _Known(name, boot, state, not state)
            return
        if instance.state in ABSENT:
            if not known.gone:
                text = f"was {known.state}; its segment is gone, as when an exporter has read it"
                self._event(now_ns, instance.name, text)
            known.gone = True
            return
        if boot and known.boot and boot != known.boot:
            known.restarts += 1
            ended = instance.earlier[-1] if instance.earlier else known.state
            text = f"restarted: boot {known.boot:016x} ({ended}) is followed by {boot:016x}"
            self._event(now_ns, instance.name, text)
        elif known.state != instance.state:
            before = f"was {known.state}" if known.state else "had no core"
            self._event(now_ns, instance.name, f"{before}, is {instance.state}")
        known.name = name
        known.boot, known.state, known.gone = boot or known.boot, instance.state, False

    def _event(self, now_ns: int, name: str, text: str) -> None:
        self._events.append(Event(now_ns, name, text))
        del self._events[:-EVENTS]

    def _folders(self) -> Iterator[Path]:
        if self._root is None:
            yield from self._dirs
            return
        try:
            yield from (d for d in self._root.iterdir() if d.is_dir())
        except OSError:
            return  # the watcher says so

    def _empty(self) -> str:
        where = ", ".join(map(str, self._dirs)) or f"{self._root} and its folders"
        return (
            f"no core has a segment in {where}: start one (`popscope lb run`), or name the "
            "right folder with --run-root or --run-dir"
        )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _access(folder: Path) -> str:
    """Why a folder cannot be looked into, and what to do; "" when it can."""
    try:
        if not folder.exists():
            return (
                f"{folder} does not exist: no core has run here, or it uses another folder; "
                "name that with --run-root or --run-dir"
            )
        if not folder.is_dir():
            return f"{folder} is not a folder: name a core's with --run-dir"
    except PermissionError:
        return f"{folder}: no permission to look into it: run this as root or as the core's user"
    if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        return f"{folder}: no permission to look into it: run this as root or as the core's user"
    return ""


def _distinct(instances: list[Instance]) -> list[Instance]:
    """Instances of one name get that of the folder above theirs in front."""
    names = [i.name for i in instances]
    return [
        replace(i, name=f"{i.run_dir.parent.name}/{i.name}") if names.count(i.name) > 1 else i
        for i in instances
    ]
