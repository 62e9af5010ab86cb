"""Increments: what was counted since the last frame that the spool has.

Counts are kept under (instance, boot, scope, row, generation). What a boot counted under a name
stays in its baseline after the row lost that name, so that the increments of a boot always sum to
its absolute table. A counter that falls within a boot is a fault: it is reported, and its increment
is 0 until it passes its old value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exporters import tables
from exporters.frames import ABSOLUTE, KEY, Frame, Keys, scope_of
from exporters.names import Names
from exporters.snapshot import Rows, Snapshot
from exporters.tables import Mask, Matrix
from lb.catalogue import ROW_LABELS, load

BootKey = tuple[str, int]
ALWAYS = frozenset({"lcore", "port", "port_queue", "node"})
ROW_BITS = 20


@dataclass(frozen=True, slots=True)
class ScopeBase:
    """What the spool has of one scope of a boot. The first `live` rows are those of `names`."""

    keys: Keys
    labels: tuple[pa.Array, ...]
    values: Matrix
    names: Names | None = None
    live: int = 0

    @classmethod
    def empty(cls, scope: str) -> ScopeBase:
        labels = tuple(pa.array([], pa.string()) for _ in ROW_LABELS[scope])
        return cls(np.empty(0, KEY), labels, np.empty((0, load().cells(scope)), np.uint64))


@dataclass(frozen=True, slots=True)
class Change:
    """Increments of the rows of one scope (gauges: values), and the baseline after them."""

    names: Names
    values: Matrix
    changed: Mask
    after: ScopeBase
    fell: tuple[str, ...]
    missed: int


@dataclass(frozen=True, slots=True)
class Boot:
    """What the spool has of one boot. `final`: its end is in the spool."""

    scopes: Mapping[str, ScopeBase] = field(default_factory=dict)
    final: bool = False


def compare(base: ScopeBase, rows: Rows, ended: bool) -> Change:
    """The increments of a snapshot's rows. A row that is torn, and not for good, has none."""
    old, retired = _align(base, rows.names)
    new, gauges = rows.values, tables.gauge_cells(rows.scope)
    if len(rows.torn) and not ended:
        new = new.copy()
        new[rows.torn] = old[rows.torn]
    falls = (new < old) & ~gauges
    if falls.any():
        new = np.where(falls, old, new)
    increments = new - old
    changed: Mask = np.any(increments != 0, axis=1)
    increments[:, gauges] = new[:, gauges]
    return Change(
        names=rows.names,
        values=increments,
        changed=changed,
        after=_after(base, rows.names, new, retired),
        fell=tuple(_cell_names(rows.scope, np.flatnonzero(falls.any(axis=0)))),
        missed=_missed(base, retired),
    )


def _align(base: ScopeBase, names: Names) -> tuple[Matrix, npt.NDArray[np.intp]]:
    """Old values in the order of `names`, and the indexes of the rows that lost their name."""
    if base.names is names:
        return base.values[: base.live], np.arange(base.live, len(base.keys))
    place = _find(base.keys, names.keys)
    old = np.zeros((len(place), base.values.shape[1]), np.uint64)
    old[place >= 0] = base.values[place[place >= 0]]
    return old, np.setdiff1d(np.arange(len(base.keys)), place)


def _find(keys: Keys, wanted: Keys) -> npt.NDArray[np.intp]:
    """Index in `keys` of each wanted key, or -1."""
    if not len(keys):
        return np.full(len(wanted), -1, np.intp)
    have, want = _packed(keys), _packed(wanted)
    order = np.argsort(have)
    place = order[np.minimum(np.searchsorted(have, want, sorter=order), len(keys) - 1)]
    return np.where(have[place] == want, place, -1)


def _packed(keys: Keys) -> Matrix:
    packed: Matrix = (keys["generation"] << np.uint64(ROW_BITS)) | keys["row"]
    return packed


def _after(base: ScopeBase, names: Names, new: Matrix, retired: npt.NDArray[np.intp]) -> ScopeBase:
    if not len(retired):
        return ScopeBase(names.keys, names.columns, new, names, len(new))
    if base.names is names:
        values = np.concatenate((new, base.values[base.live :]))
        return ScopeBase(base.keys, base.labels, values, names, len(new))
    columns = zip(names.columns, base.labels, strict=True)
    return ScopeBase(
        keys=np.concatenate((names.keys, base.keys[retired])),
        labels=tuple(pa.concat_arrays([a, b.take(pa.array(retired))]) for a, b in columns),
        values=np.concatenate((new, base.values[retired])),
        names=names,
        live=len(new),
    )


def _missed(base: ScopeBase, retired: npt.NDArray[np.intp]) -> int:
    """Rows that were in use when seen last and now have another name: their end was not seen."""
    if base.names is None:
        return 0
    return int(base.names.active[retired[retired < base.live]].sum())


def _cell_names(scope: str, cells: npt.NDArray[np.intp]) -> Iterable[str]:
    counters = load().scope(scope)
    slots = np.array([c.slot for c in counters])
    found = np.unique(np.searchsorted(slots, cells, side="right") - 1)
    return (f"{scope}.{counters[i].id}" for i in found)


class Baseline:
    """What the spool has counted, by boot. Changed only when a frame is safely in the spool."""

    def __init__(self) -> None:
        self.boots: dict[BootKey, Boot] = {}

    def compare(self, snapshot: Snapshot) -> dict[str, Change]:
        """Increments of every scope since what the spool has."""
        boot = self.boots.get((snapshot.instance, snapshot.boot), Boot())
        return {
            scope: compare(boot.scopes.get(scope) or ScopeBase.empty(scope), rows, snapshot.ended)
            for scope, rows in snapshot.scopes.items()
        }

    def commit(self, boot: BootKey, changes: Mapping[str, Change], final: bool) -> None:
        """The frame with these changes is in the spool."""
        scopes = dict(self.boots.get(boot, Boot()).scopes)
        scopes.update((scope, change.after) for scope, change in changes.items())
        self.boots[boot] = Boot(scopes, final)

    def replay(self, frames: Iterable[Frame]) -> None:
        """Rebuild from the spool: a keyframe says what is counted, other frames add to it."""
        for frame in frames:
            if frame.header.keyframe:
                self.boots.clear()
            for name, table in frame.tables.items():
                scope, absolute = scope_of(name)
                if absolute == frame.header.keyframe:
                    self.add(scope, table, frame.keys[name])
            for state in frame.header.instances:
                key = (state.instance, state.boot)
                self.boots[key] = Boot(self.boots.get(key, Boot()).scopes, state.final)

    def add(self, scope: str, table: tables.Table, keys: Keys) -> None:
        """Add the rows of a table of increments (gauges: take their values)."""
        if not len(keys):
            return
        values = tables.values(scope, table)
        instances = np.array(table.names["instance"].to_pylist())
        boots = table.names["boot"].to_numpy()
        labels = [table.names[key] for key in ROW_LABELS[scope]]
        for instance, boot in {*zip(instances.tolist(), boots.tolist(), strict=True)}:
            mine = np.flatnonzero((instances == instance) & (boots == boot))
            columns = tuple(c.take(pa.array(mine)) for c in labels)
            part = ScopeBase(keys[mine], columns, values[mine])
            old = self.boots.get((instance, boot), Boot())
            base = old.scopes.get(scope) or ScopeBase.empty(scope)
            scopes = {**old.scopes, scope: _sum(base, part, tables.gauge_cells(scope))}
            self.boots[instance, boot] = Boot(scopes, old.final)


def _sum(base: ScopeBase, part: ScopeBase, gauges: Mask) -> ScopeBase:
    place = _find(base.keys, part.keys)
    old, new = place >= 0, np.flatnonzero(place < 0)
    values = base.values.copy()
    values[place[old]] += np.where(gauges, 0, part.values[old]).astype(np.uint64)
    values[np.ix_(place[old], np.flatnonzero(gauges))] = part.values[old][:, gauges]
    columns = zip(base.labels, part.labels, strict=True)
    return ScopeBase(
        keys=np.concatenate((base.keys, part.keys[new])),
        labels=tuple(pa.concat_arrays([a, b.take(pa.array(new))]) for a, b in columns),
        values=np.concatenate((values, part.values[new])),
    )


def absolute_name(scope: str) -> str:
    """The table of a scope's absolute counters."""
    return scope + ABSOLUTE
