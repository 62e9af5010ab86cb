"""The frames that the exporters of a fleet send: increments, keyframes, and the ends of boots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from exporters.frames import Frame, Header, InstanceState
from exporters.tables import Matrix, Part, Table, build, gauge_cells
from lb.catalogue import SCOPES, load
from tests.fleet.counts import Counts, count
from tests.fleet.shape import Fleet, unit

INSTANCE = "lb"
BLOCK = 60  # intervals that are computed together


def labels(fleet: Fleet, scope: str) -> list[list[str]]:
    """The label columns of a node's rows, key by key."""
    workers = [str(n + 1) for n in range(fleet.lcores)]
    vips = range(fleet.vips)
    backends = range(fleet.backends)
    return {
        "lcore": [workers],
        "port": [["0"]],
        "port_queue": [["0"] * fleet.lcores, [str(n) for n in range(fleet.lcores)]],
        "vip": [
            [f"vip-{n}" for n in vips],
            [f"198.18.{n // 250}.{n % 250 + 1}" for n in vips],
            ["443"] * fleet.vips,
            ["tcp"] * fleet.vips,
        ],
        "backend": [
            ["web"] * fleet.backends,
            [f"b{n + 1}" for n in backends],
            [f"10.77.{n // 250}.{n % 250 + 1}" for n in backends],
        ],
        "node": [],
    }[scope]


def boot_id(fleet: Fleet, node: int, number: int) -> int:
    """What a core would have drawn for its boot."""
    return int(unit(fleet.seed, 31, node, number) * 2**53) + 1


@dataclass(slots=True)
class Exporter:
    """One node's exporter. `frame` turns an interval of the counts into the next frame."""

    fleet: Fleet
    node: int
    keyframe_every: int = 60
    seq: int = 0
    boot: int = 0
    start_ms: int = 0
    totals: dict[str, Matrix] = field(default_factory=dict)

    def frame(self, counts: Counts, row: int, moment: int, last: bool = False) -> Frame:
        """`last`: the boot ends with this interval, so the frame is its final one."""
        pop, node = self.fleet.places[self.node]
        end_ms = (int(counts.times[moment]) + counts.interval) * 1000
        seq, self.seq = self.seq, self.seq + 1
        here = int(counts.boots[row, moment])
        begins = here != self.boot
        if begins:
            self.boot, self.start_ms = here, end_ms - counts.interval * 1000
            self.totals = {}
        keyframe = last or begins or seq % self.keyframe_every == 0
        tables: dict[str, Table] = {}
        states: tuple[InstanceState, ...] = ()
        if counts.alive[row, moment]:
            boot = boot_id(self.fleet, self.node, here)
            tables = self._tables(boot, _matrices(counts, row, moment), keyframe)
            state = "stopped" if last else "live"
            hz = self.fleet.tsc_hz
            states = (InstanceState(INSTANCE, boot, state, 5, self.start_ms, hz, last),)
        header = Header(
            pop=pop,
            node=node,
            stream=self.node + 1,
            seq=seq,
            ts_ms=end_ms,
            interval_ms=counts.interval * 1000,
            keyframe=keyframe,
            first=seq,
            instances=states,
            rows={name: table.num_rows for name, table in tables.items()},
        )
        return Frame(header, tables)

    def _tables(self, boot: int, grown: Mapping[str, Matrix], keyframe: bool) -> dict[str, Table]:
        tables = {}
        for scope, values in grown.items():
            names = [pa.array(column) for column in labels(self.fleet, scope)]
            total = self.totals.setdefault(scope, np.zeros_like(values))
            total += values
            total[:, gauge_cells(scope)] = values[:, gauge_cells(scope)]
            tables[scope] = build(scope, [Part(INSTANCE, boot, names, values)])
            if keyframe:
                part = Part(INSTANCE, boot, names, total)
                tables[f"{scope}_abs"] = build(scope, [part])
        return tables


def _matrices(counts: Counts, row: int, moment: int) -> dict[str, Matrix]:
    """All cells of a node's rows in one interval, by scope."""
    found = {}
    for scope in SCOPES:
        columns = counts.scopes[scope]
        rows = next(iter(columns.values())).shape[2]
        matrix = np.zeros((rows, load().cells(scope)), np.uint64)
        for counter in load().scope(scope):
            if counter.id in columns:
                values = columns[counter.id][row, moment]
                matrix[:, counter.slot : counter.slot + counter.cells] = values.reshape(rows, -1)
        found[scope] = matrix
    return found


def frames(
    fleet: Fleet,
    start: int,
    intervals: int,
    interval: int = 1,
    keyframe_every: int = 60,
    pops: range | None = None,
) -> Iterator[list[Frame]]:
    """The frames of the nodes of all or some PoPs, interval by interval, from `start` (Unix s) on.

    A node that is down sends frames without rows. The last interval ends nothing.
    """
    pops = range(fleet.pops) if pops is None else pops
    nodes = range(pops.start * fleet.nodes, pops.stop * fleet.nodes)
    exporters = [Exporter(fleet, node, keyframe_every) for node in nodes]
    for first in range(0, intervals, BLOCK):
        size = min(BLOCK, intervals - first)
        # One interval more, to see which boots end.
        times = start + interval * np.arange(first, first + size + 1, dtype=np.int64)
        counts = count(fleet, times, interval, pops)
        ends = (counts.boots[:, 1:] != counts.boots[:, :-1]) | (
            counts.alive[:, :-1] & ~counts.alive[:, 1:]
        )
        for moment in range(size):
            yield [
                exporter.frame(counts, row, moment, bool(ends[row, moment]))
                for row, exporter in enumerate(exporters)
            ]
