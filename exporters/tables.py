"""Between numpy and the Arrow tables of a frame.

Values of a scope are one matrix (rows x catalogue cells, uint64), in the order of the catalogue's
slots; a table has one column an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exporters.errors import FrameError
from exporters.frames import schema
from lb.catalogue import ROW_LABELS, load

Matrix = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when the rows of a table were counted."""

    ts_ms: int
    pop: str
    node: str


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one boot: label columns (one array of strings a label key) and values."""

    instance: str
    boot: int
    labels: Sequence[pa.Array]
    values: Matrix


@cache
def gauge_cells(scope: str) -> Mask:
    """Which cells of a row are gauges."""
    mask = np.zeros(load().cells(scope), np.bool_)
    mask[[c.slot for c in load().scope(scope) if c.kind == "gauge"]] = True
    return mask


def build(scope: str, absolute: bool, origin: Origin, parts: Sequence[Part]) -> pa.Table:
    """The table of a scope from the rows of all boots."""
    columns = schema(scope, absolute)
    count = sum(len(p.values) for p in parts)
    sizes = [len(p.values) for p in parts]
    arrays = [
        pa.array(np.full(count, origin.ts_ms, np.int64)).cast(columns.field("ts").type),
        _repeat([origin.pop], [count]),
        _repeat([origin.node], [count]),
        _repeat([p.instance for p in parts], sizes),
        pa.array(np.repeat(np.array([p.boot for p in parts], np.uint64), sizes)),
    ]
    for i in range(len(ROW_LABELS[scope])):
        chunks = [p.labels[i] for p in parts]
        strings = pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())
        arrays.append(strings.dictionary_encode())
    cells = load().cells(scope)
    values = np.vstack([p.values for p in parts]) if parts else np.empty((0, cells), np.uint64)
    arrays.extend(_columns(scope, values))
    return pa.Table.from_arrays(arrays, schema=columns)


def values(scope: str, table: pa.Table) -> Matrix:
    """The matrix of a table. A column that an older exporter did not ship is 0."""
    matrix = np.zeros((table.num_rows, load().cells(scope)), np.uint64)
    if not table.num_rows:
        return matrix
    for counter in load().scope(scope):
        if counter.id not in table.column_names:
            continue
        column = table.column(counter.id).combine_chunks()
        if counter.kind != "histogram":
            matrix[:, counter.slot] = column.to_numpy()
            continue
        flat = column.flatten().to_numpy()
        if len(flat) != table.num_rows * counter.cells:
            raise FrameError(f"{scope}.{counter.id}: lists are not of {counter.cells} cells")
        matrix[:, counter.slot : counter.slot + counter.cells] = flat.reshape(-1, counter.cells)
    return matrix


def _columns(scope: str, values: Matrix) -> list[pa.Array]:
    arrays = []
    for counter in load().scope(scope):
        piece = np.ascontiguousarray(values[:, counter.slot : counter.slot + counter.cells])
        flat = pa.array(piece.reshape(-1))
        if counter.kind == "histogram":
            offsets = np.arange(len(values) + 1, dtype=np.int32) * np.int32(counter.cells)
            flat = pa.ListArray.from_arrays(pa.array(offsets), flat)
        arrays.append(flat)
    return arrays


def _repeat(strings: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """A dictionary array in which string i comes counts[i] times."""
    distinct = sorted(set(strings))
    codes = np.repeat(np.array([distinct.index(s) for s in strings], np.int32), counts)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(distinct, pa.string()))
