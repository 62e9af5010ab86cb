"""The tables of a frame: rows of one scope, the counters of each side by side in one matrix.

The cells of a row lie as the catalogue's slots have them, or, in the frame of an exporter of
another version, as its layout says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lb.catalogue import ROW_LABELS, load

Matrix = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
_COLUMN = re.compile(r"([a-z][a-z0-9_]{0,126})(?:\[(\d{1,4})\])?")


@dataclass(frozen=True, slots=True)
class Column:
    """A counter's cells in a row: `width` of them from `start` on; 0: one, and it is no list."""

    name: str
    start: int
    width: int = 0

    @property
    def end(self) -> int:
        return self.start + (self.width or 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which counters a row of cells holds, one behind the other.

    `text` has them as words: `rx_packets burst_packets[17]`. It is all that two of them compare.
    """

    text: str
    columns: tuple[Column, ...] = field(compare=False)

    @property
    def cells(self) -> int:
        return self.columns[-1].end if self.columns else 0

    @classmethod
    def parse(cls, text: str) -> Layout:
        """Read its text. Raises ValueError."""
        columns, start, names = list[Column](), 0, set[str]()
        for word in text.split():
            match = _COLUMN.fullmatch(word)
            if match is None:
                raise ValueError(f"{word[:80]!r} names no counter")
            if match[1] in names:
                raise ValueError(f"{match[1]}: is there twice")
            names.add(match[1])
            columns.append(Column(match[1], start, int(match[2] or 0)))
            start = columns[-1].end
        return cls(text, tuple(columns))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one scope.

    `names` has an array for each of `names_types(scope)`, `values` is a matrix of rows x cells.
    """

    names: Mapping[str, pa.Array]
    layout: Layout
    values: Matrix

    @property
    def num_rows(self) -> int:
        return len(self.values)

    def column(self, name: str) -> Matrix:
        """A counter's values: one a row, or of a histogram a list a row. Raises KeyError."""
        for column in self.layout.columns:
            if column.name == name:
                found = self.values[:, column.start : column.end]
                return found if column.width else found[:, 0]
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one boot: label columns (one array of strings a label key) and values."""

    instance: str
    boot: int
    labels: Sequence[pa.Array]
    values: Matrix


@cache
def layout(scope: str) -> Layout:
    """Of this version's catalogue."""
    widths = (f"{c.id}[{c.cells}]" if c.bounds else c.id for c in load().scope(scope))
    return Layout.parse(" ".join(widths))


@cache
def names_types(scope: str) -> Mapping[str, pa.DataType]:
    """What names a row of a scope in a frame: instance, boot, and the row labels."""
    labels = dict.fromkeys(ROW_LABELS[scope], pa.string())
    return {"instance": pa.string(), "boot": pa.uint64(), **labels}


@cache
def gauge_cells(scope: str) -> Mask:
    """Which cells of a row are gauges."""
    mask = np.zeros(load().cells(scope), np.bool_)
    mask[[c.slot for c in load().scope(scope) if c.kind == "gauge"]] = True
    return mask


def build(scope: str, parts: Sequence[Part]) -> Table:
    """The table of a scope from the rows of all boots."""
    sizes = [len(p.values) for p in parts]
    boots = np.repeat(np.array([p.boot for p in parts], np.uint64), sizes)
    instances = np.repeat(np.array([p.instance for p in parts], object), sizes)
    arrays = [pa.array(instances, pa.string()), pa.array(boots)]
    for i in range(len(ROW_LABELS[scope])):
        chunks = [p.labels[i].cast(pa.string()) for p in parts]
        arrays.append(pa.concat_arrays(chunks or [pa.array([], pa.string())]))
    empty = np.empty((0, load().cells(scope)), np.uint64)
    values = np.vstack([empty, *(p.values for p in parts)])
    return Table(dict(zip(names_types(scope), arrays, strict=True)), layout(scope), values)


def values(scope: str, table: Table) -> Matrix:
    """The cells in this version's order. A counter that an older exporter did not ship is 0."""
    wanted = layout(scope)
    if table.layout == wanted:
        return table.values
    there = {(c.name, c.width): c for c in table.layout.columns}
    matrix = np.zeros((table.num_rows, wanted.cells), np.uint64)
    for column in wanted.columns:
        if found := there.get((column.name, column.width)):
            matrix[:, column.start : column.end] = table.values[:, found.start : found.end]
    return matrix
