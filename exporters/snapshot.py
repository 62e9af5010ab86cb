"""Snapshots: the consistent values of a segment at an instant, as numpy arrays.

A row is kept when its sequence number was the same even number before and after the copy. numpy's
take() reads pieces of memory one after the other as its index says, so a whole lane is one call and
yet each row is exposed to its writer for some tens of nanoseconds only: the index of a row is its
first piece (for the sequence number), all its pieces, its first piece again. That loads happen in
program order is what x86 guarantees.
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

NAME_TRIES = 100
PAUSE_S = 100e-6
TRIES_BEFORE_PAUSE = 10
TORN_AFTER_S = 0.02  # a writer that is preempted in the middle of a row comes back sooner
LONG_ROW = 256
Indexes = npt.NDArray[np.intp]
Pieces = npt.NDArray[np.void]


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
        """A snapshot. `ended`: no core writes any more, so that what is odd stays odd: its draft
        is taken, or, in a scope without drafts, what is there (and named torn).

        Raises SegmentError when names kept changing all the time.
        """
        segment = self.segment
        for _ in range(NAME_TRIES):
            state, heartbeat, now = segment.state, segment.heartbeat_ns, time.time_ns()
            ended = ended or state == State.STOPPED
            before = segment.names_sequence
            if before % 2 and not ended:
                time.sleep(PAUSE_S)
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
        piece = 64 if block.row_words * 8 >= LONG_ROW else 32
        self._lanes = [lane.view(f"V{piece}") for lane in block.lanes]
        self._drafts = [lane.view(f"V{piece}") for lane in block.drafts]
        self._piece_words = piece // 8
        self._resize(0)
        self._torn = np.empty(0, np.intp)

    def _resize(self, rows: int) -> None:
        self._index = row_index(self._block, self._piece_words, rows)
        width = self._index.shape[1] * self._piece_words
        self._sum, self._lane = (np.empty((rows, width), np.uint64) for _ in range(2))

    def copy(self, names_sequence: int, ended: bool) -> int:
        """Read names and cells; returns how many rows had to be read again."""
        self._names.refresh(names_sequence)
        if len(self._index) != self._names.limit:
            self._resize(self._names.limit)
        retries, torn = 0, []
        for i, lane in enumerate(self._lanes):
            target = self._lane if i else self._sum
            again, bad = copy_rows(lane, self._index, target, 0 if ended else TORN_AFTER_S)
            if ended and self._drafts and len(bad):
                drafts = np.take(self._drafts[i], self._index[bad], mode="clip")
                target[bad] = drafts.view(np.uint64)
                bad = bad[:0]
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
        first = self._piece_words + 1
        cells = self._sum[:, first : first + self._block.cells]
        if len(names.rows) != len(cells):
            cells = cells[names.rows]
        if fields.is_identity:
            values = cells[:, : self._cells].copy()
        else:
            values = np.zeros((len(cells), self._cells), np.uint64)
            values[:, fields.to] = cells[:, fields.of]
        torn = np.flatnonzero(np.isin(names.rows, self._torn)) if len(self._torn) else self._torn
        return Rows(self.scope, names, fields, values, cells[:, fields.extra], torn)


def row_index(block: Block, piece_words: int, rows: int) -> Indexes:
    """For each row the pieces to read in this order: the first, all that hold cells, the first."""
    count = -(-(block.cells + 1) // piece_words)
    pieces = np.array([0, *range(count), 0], np.intp)
    return np.arange(rows, dtype=np.intp)[:, None] * (block.row_words // piece_words) + pieces


def copy_rows(lane: Pieces, index: Indexes, target: Words, patience: float) -> tuple[int, Indexes]:
    """Copy rows of a lane until each is whole, or for `patience` seconds.

    A row of `target` is the pieces that its index names. Returns how many rows were read again, and
    the indexes of those that stayed torn.
    """
    if not len(index):
        return 0, np.empty(0, np.intp)
    np.take(lane, index, out=target.view(lane.dtype), mode="clip")
    after = target.shape[1] - target.shape[1] // index.shape[1]
    bad = np.flatnonzero((target[:, 0] & 1) | (target[:, 0] ^ target[:, after]))
    if not len(bad) or not patience:
        return 0, bad
    retries, tries, end = 0, 0, time.monotonic() + patience
    while len(bad) and time.monotonic() < end:
        tries += 1
        if tries % TRIES_BEFORE_PAUSE == 0:
            time.sleep(PAUSE_S)  # out of step with the writer
        retries += len(bad)
        again = np.take(lane, index[bad], mode="clip").view(np.uint64)
        target[bad] = again
        bad = bad[((again[:, 0] & 1) | (again[:, 0] ^ again[:, after])) != 0]
    return retries, bad
