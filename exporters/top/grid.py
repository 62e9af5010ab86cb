"""A table of the terminal view: named columns of numbers and texts, to be searched and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`kind`: text, rate, count, share or residual. `rank`: the highest go first when there is no
    room. `shown`: in which units ("packets", "bits", "" for both). `unit`: of its numbers in JSON.
    """

    key: str
    title: str
    unit: str = ""
    kind: str = "text"
    rank: int = 0
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its columns, an array each; `haystack` is what a row is searched in."""

    columns: tuple[Column, ...]
    arrays: tuple[Array, ...]
    haystack: Sequence[str]

    def __len__(self) -> int:
        return len(self.haystack)

    def column(self, key: str) -> Array:
        """The array of a column by its key."""
        return self.arrays[[c.key for c in self.columns].index(key)]

    def take(self, rows: npt.NDArray[np.intp]) -> Grid:
        """Some of the rows, in this order."""
        hay = [self.haystack[i] for i in rows.tolist()]
        return Grid(self.columns, tuple(a[rows] for a in self.arrays), hay)

    def matching(self, words: Sequence[str]) -> Grid:
        """The rows that have all of the words in their names."""
        if not words:
            return self
        hits = [i for i, hay in enumerate(self.haystack) if all(w in hay for w in words)]
        return self.take(np.array(hits, np.intp))

    def sorted(self, key: str, falling: bool) -> Grid:
        """By a column; what is not known comes last, equals stay as they are."""
        array = self.column(key)
        if array.dtype == np.object_:
            order = sorted(range(len(array)), key=lambda i: natural(str(array[i])), reverse=falling)
            return self.take(np.array(order, np.intp))
        if falling:
            array = ~array if array.dtype.kind in "ui" else -array
        return self.take(np.argsort(array, kind="stable"))


def joined(columns: tuple[Column, ...], parts: Sequence[Sequence[Array]], hay: list[str]) -> Grid:
    """A table from pieces, each with an array a column."""
    if not parts:
        kinds = [np.object_ if c.kind == "text" else np.float64 for c in columns]
        return Grid(columns, tuple(np.empty(0, kind) for kind in kinds), [])
    return Grid(columns, tuple(np.concatenate(p) for p in zip(*parts, strict=True)), hay)


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """To sort by so that lcore 9 comes before lcore 10."""
    parts, digits = list[str](), False
    for char in text:
        if parts and char.isdecimal() == digits:
            parts[-1] += char
        else:
            parts.append(char)
        digits = char.isdecimal()
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)
