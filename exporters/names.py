"""The names of a block's rows, decoded once a generation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exporters.frames import KEY
from exporters.segment import Block
from lb.catalogue import ROW_LABELS


@dataclass(frozen=True)
class Names:
    """The rows that ever had a name. `labels`: one tuple a row, in the order of ROW_LABELS."""

    rows: npt.NDArray[np.uint32]
    generations: npt.NDArray[np.uint64]
    active: npt.NDArray[np.bool_]
    label_keys: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    @cached_property
    def keys(self) -> npt.NDArray[np.void]:
        """Row and generation: what a row's counts are kept under."""
        keys = np.empty(len(self.rows), KEY)
        keys["row"], keys["generation"] = self.rows, self.generations
        return keys

    @cached_property
    def columns(self) -> tuple[pa.Array, ...]:
        """One array of strings a label key."""
        return tuple(
            pa.array([row[i] for row in self.labels], pa.string())
            for i in range(len(self.label_keys))
        )

    @cached_property
    def shown(self) -> npt.NDArray[np.intp]:
        """One row a label set: the one in use, or else the latest."""
        latest: dict[tuple[str, ...], int] = {}
        for i in np.lexsort((self.generations, self.active)).tolist():
            latest[self.labels[i]] = i
        return np.array(sorted(latest.values()), np.intp)


class NamesReader:
    """Reads a name table again when its sequence number moved, and decodes only what is new."""

    def __init__(self, block: Block) -> None:
        self._raw = block.names
        self._keys = ROW_LABELS.get(block.scope, block.label_keys)
        self._places = [block.label_keys.index(k) for k in self._keys if k in block.label_keys]
        if len(self._places) != len(self._keys):  # an older core: labels in its own order
            self._places = list(range(len(self._keys)))
        self._sequence = -1
        self._decoded: dict[tuple[int, int], tuple[str, ...]] = {}
        self._before = self._decoded
        self.names = Names(
            np.empty(0, np.uint32), np.empty(0, np.uint64), np.empty(0, np.bool_), self._keys, ()
        )

    @property
    def limit(self) -> int:
        """Rows from here on never had a name."""
        return int(self.names.rows[-1]) + 1 if len(self.names.rows) else 0

    def refresh(self, sequence: int) -> None:
        """Read the table if its sequence number is not the one of the last time."""
        if sequence == self._sequence and not sequence % 2:
            return
        generations = self._raw["generation"].copy()
        rows = np.flatnonzero(generations)
        generations = generations[rows]
        keys = list(zip(rows.tolist(), generations.tolist(), strict=True))
        self._before = self._decoded
        self._decoded = {k: self._decoded.get(k) or self._decode(k[0]) for k in keys}
        self.names = Names(
            rows.astype(np.uint32),
            generations,
            self._raw["active"][rows] != 0,
            self._keys,
            tuple(self._decoded[k] for k in keys),
        )
        self._sequence = sequence

    def undo(self) -> None:
        """Take the last refresh back: the table changed meanwhile."""
        self._decoded, self._sequence = self._before, -1

    def _decode(self, row: int) -> tuple[str, ...]:
        parts = bytes(self._raw["values"][row]).decode("utf-8", "replace").split("\t")
        return tuple(parts[i] if i < len(parts) else "" for i in self._places)
