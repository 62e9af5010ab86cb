"""A set of numbers kept as ranges: what is acknowledged stays small however much it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Intervals:
    """A set of integers as sorted, disjoint, inclusive ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Add first..last, both included."""
        if last < first:
            raise ValueError(f"range {first}..{last} runs backwards")
        left = bisect_left(self._lasts, first - 1)
        right = bisect_right(self._firsts, last + 1)
        if left < right:
            first = min(first, self._firsts[left])
            last = max(last, self._lasts[right - 1])
        self._firsts[left:right] = [first]
        self._lasts[left:right] = [last]

    def __contains__(self, number: int) -> bool:
        i = bisect_right(self._firsts, number) - 1
        return i >= 0 and number <= self._lasts[i]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def count(self, first: int, last: int) -> int:
        """How many of first..last are in the set."""
        return sum(max(0, min(b, last) - max(a, first) + 1) for a, b in self)

    def forget_below(self, number: int) -> None:
        """Make everything below `number` one range, so that old gaps cost nothing."""
        if self._firsts and number > self._firsts[0]:
            self.add(self._firsts[0], number - 1)

    @property
    def last(self) -> int:
        """The largest number, or -1."""
        return self._lasts[-1] if self._lasts else -1
