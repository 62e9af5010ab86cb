"""Snapshots: the consistent values of a segment at an instant, as numpy arrays.

A row is kept when its sequence number was the same even number before and after the copy. numpy's
take() reads words one after the other as its index says; the index of a row is its sequence number,
its cells, its sequence number again. So a whole lane is one call, and yet a row is exposed to its
writer for nanoseconds only. That loads happen in program order is what x86 guarantees.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporters.errors import SegmentError
from exporters.names import Names, NamesReader
from exporters.schema_map import FieldMap, map_fields
from exporters.segment import Block, Segment, State, Words
from lb.catalogue import Catalogue, load

ROW_TRIES = 100
NAME_TRIES = 100
PAUSE = 50e-6
Indexes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Named rows of a scope, summed over lanes.

    `values`: rows x catalogue cells, uint64. `extra`: rows x cells of `fields.unknown`. `torn`:
    indexes of rows that no try could copy whole; `values` has what was read last.
    """

    scope: str
    names: Names
    fields: FieldMap
    values: Words
    extra: Words
    torn: Indexes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One boot of one instance at an instant. Times in ns since the epoch.

    `ended`: no core writes any more, the values are final.
    """

    instance: str
    boot: int
    version: str
    catalogue_hash: int
    state: State
    time_ns: int
    heartbeat_ns: int
    start_ns: int
    tsc_hz: int
    ended: bool
    scopes: Mapping[str, Rows]
    unknown_scopes: tuple[str, ...]
    retries: int

    @property
    def age_ms(self) -> int:
        """Age of the heartbeat."""
        return max(0, (self.time_ns - self.heartbeat_ns) // 1_000_000)

    @property
    def torn_rows(self) -> int:
        return sum(len(rows.torn) for rows in self.scopes.values())

    @property
    def unknown(self) -> tuple[str, ...]:
        """Fields `<scope>.<id>` of the segment that the catalogue lacks, or has otherwise."""
        fields = (f"{s}.{f.id}" for s, r in self.scopes.items() for f in r.fields.unknown)
        return (*fields, *(f"{scope}.*" for scope in self.unknown_scopes))

    @property
    def missing(self) -> tuple[str, ...]:
        """Catalogue entries `<scope>.<id>` that the segment has not."""
        return tuple(f"{s}.{id_}" for s, r in self.scopes.items() for id_ in r.fields.missing)


class SnapshotReader:
    """Takes snapshots of one segment. Keeps what does not change between them."""

    def __init__(self, segment: Segment, catalogue: Catalogue | None = None) -> None:
        catalogue = catalogue or load()
        known = [b for b in segment.blocks.values() if catalogue.scope(b.scope)]
        self.segment = segment
        self.unknown_scopes = tuple(s for s in segment.blocks if not catalogue.scope(s))
        self._blocks = [BlockReader(block, catalogue) for block in known]

    def read(self, ended: bool = False) -> Snapshot:
        """A snapshot. `ended`: no core writes any more, so that what is odd stays odd: take it.

        Raises SegmentError when names kept changing all the time.
        """
        segment = self.segment
        for _ in range(NAME_TRIES):
            state, heartbeat, now = segment.state, segment.heartbeat_ns, time.time_ns()
            ended = ended or state == State.STOPPED
            before = segment.names_sequence
            if before % 2 and not ended:
                time.sleep(PAUSE)
                continue
            retries = sum(block.copy(before, ended) for block in self._blocks)
            if segment.names_sequence == before:
                return self._snapshot(state, now, heartbeat, retries, ended)
            for block in self._blocks:
                block.forget()
        raise SegmentError(f"{segment.path}: the names changed during each of {NAME_TRIES} tries")

    def _snapshot(
        self, state: State, now: int, heartbeat: int, retries: int, ended: bool
    ) -> Snapshot:
        segment = self.segment
        return Snapshot(
            instance=segment.instance,
            boot=segment.boot,
            version=segment.version,
            catalogue_hash=segment.catalogue_hash,
            state=state,
            time_ns=now,
            heartbeat_ns=heartbeat,
            start_ns=segment.start_ns,
            tsc_hz=segment.tsc_hz,
            ended=ended,
            scopes={block.scope: block.rows() for block in self._blocks},
            unknown_scopes=self.unknown_scopes,
            retries=retries,
        )


class BlockReader:
    """Copies the rows of one block, lane by lane, into buffers that it keeps."""

    def __init__(self, block: Block, catalogue: Catalogue) -> None:
        self.scope = block.scope
        self._block = block
        self._fields = map_fields(block.fields, catalogue.scope(block.scope))
        self._names = NamesReader(block)
        self._cells = catalogue.cells(block.scope)
        self._index = row_index(block, 0)
        self._sum = np.empty(self._index.shape, np.uint64)
        self._lane = np.empty(self._index.shape, np.uint64)
        self._torn = np.empty(0, np.intp)

    def copy(self, names_sequence: int, ended: bool) -> int:
        """Read names and cells; returns how many rows had to be read again."""
        self._names.refresh(names_sequence)
        if len(self._index) != self._names.limit:
            self._index = row_index(self._block, self._names.limit)
            self._sum = np.empty(self._index.shape, np.uint64)
            self._lane = np.empty(self._index.shape, np.uint64)
        retries, torn = 0, []
        for i, lane in enumerate(self._block.lanes):
            target = self._lane if i else self._sum
            again, bad = copy_rows(lane, self._index, target, 1 if ended else ROW_TRIES)
            if i:
                np.add(self._sum, target, out=self._sum)
            retries += again
            torn.append(bad)
        self._torn = np.unique(np.concatenate(torn))
        return retries

    def forget(self) -> None:
        """Names that were read while they changed are not to be kept."""
        self._names.undo()

    def rows(self) -> Rows:
        """What was copied last, as arrays that nobody changes any more."""
        names, fields = self._names.names, self._fields
        cells = self._sum[names.rows, 1:-1]
        values = np.zeros((len(cells), self._cells), np.uint64)
        values[:, fields.to] = cells[:, fields.of]
        torn = np.flatnonzero(np.isin(names.rows, self._torn))
        return Rows(self.scope, names, fields, values, cells[:, fields.extra], torn)


def row_index(block: Block, rows: int) -> Indexes:
    """For each row the words to read in this order: sequence number, cells, sequence number."""
    words = np.array([*range(block.cells + 1), 0], np.intp)
    return np.arange(rows, dtype=np.intp)[:, None] * block.row_words + words


def copy_rows(lane: Words, index: Indexes, target: Words, tries: int) -> tuple[int, Indexes]:
    """Copy rows of a lane until each is whole.

    Returns how many rows were read again, and the indexes of those that stayed torn.
    """
    if not len(index):
        return 0, np.empty(0, np.intp)
    np.take(lane, index, out=target, mode="clip")
    bad = np.flatnonzero((target[:, 0] & 1) | (target[:, 0] ^ target[:, -1]))
    retries = 0
    for attempt in range(1, tries):
        if not len(bad):
            break
        if attempt % 10 == 0:
            time.sleep(PAUSE)  # out of step with the writer
        retries += len(bad)
        again = np.take(lane, index[bad], mode="clip")
        target[bad] = again
        bad = bad[((again[:, 0] & 1) | (again[:, 0] ^ again[:, -1])) != 0]
    return retries, bad
