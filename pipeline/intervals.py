"""A set of whole numbers as disjoint closed intervals: small as long as the numbers are dense."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class IntervalSet:
    """Grows only. Neighbours are merged: {1, 2, 3, 7} is [1, 3] and [7, 7]."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for first, last in intervals:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Add first..last. Raises ValueError when first > last."""
        if first > last:
            raise ValueError(f"no interval: {first} > {last}")
        left = bisect_left(self._ends, first - 1)
        right = bisect_right(self._starts, last + 1)
        if left < right:
            first = min(first, self._starts[left])
            last = max(last, self._ends[right - 1])
        self._starts[left:right] = [first]
        self._ends[left:right] = [last]

    def count(self, first: int, last: int) -> int:
        """How many of first..last are in the set."""
        left = bisect_left(self._ends, first)
        right = bisect_right(self._starts, last)
        return sum(
            min(last, self._ends[i]) - max(first, self._starts[i]) + 1 for i in range(left, right)
        )

    def __contains__(self, number: int) -> bool:
        return self.count(number, number) == 1

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        """The number of intervals."""
        return len(self._starts)

    def __repr__(self) -> str:
        return f"IntervalSet({list(self)})"
