"""Which frames are new, which are stored, and which are on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from exporters.frames import Header
from exporters.intervals import Intervals


class Verdict(Enum):
    """What becomes of a frame."""

    NEW = auto()
    STORED = auto()
    PENDING = auto()  # the same frame waits for its commit
    OVERLAP = auto()  # holds numbers that are stored already, and others that are not
    UNDECIDED = auto()  # the same, but of frames that wait for their commit: it may fail


Waiter = asyncio.Future[None]


@dataclass(slots=True)
class Admission:
    """Numbers per stream: stored ones as intervals, pending ones with whom to wake. One loop's own.

    `torn`: last numbers of frames of which a crash left some rows. A merged frame that holds one
    is an overlap, unless it ends with it: then it is that frame, for what may have been sent is
    never merged again.
    """

    stored: dict[int, Intervals] = field(default_factory=dict)
    torn: dict[int, Intervals] = field(default_factory=dict)
    _pending: dict[int, dict[tuple[int, int], Waiter]] = field(default_factory=dict)

    def judge(self, header: Header) -> tuple[Verdict, Waiter | None]:
        """The verdict, and for a pending frame whom to wait for."""
        first, last = header.first, header.seq
        waiting = self._pending.get(header.stream, {})
        if waiter := waiting.get((first, last)):
            return Verdict.PENDING, waiter
        known = self.stored.get(header.stream)
        count = _count(known, first, last)
        if count == last - first + 1:
            return Verdict.STORED, None
        merged = first < last and header.stream in self.torn
        if merged and self.torn[header.stream].count(first, last - 1):
            return Verdict.OVERLAP, None
        if count:
            return Verdict.OVERLAP, None
        if any(a <= last and first <= b for a, b in waiting if first < last or a < b):
            return Verdict.UNDECIDED, None
        return Verdict.NEW, None

    def enter(self, header: Header) -> Waiter:
        """Note a new frame as pending; the future is done when it is committed, or has failed."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(_seen)
        self._pending.setdefault(header.stream, {})[header.first, header.seq] = waiter
        return waiter

    def leave(self, headers: Iterable[Header], error: Exception | None) -> None:
        """The frames are committed, or were not: wake whoever waits."""
        for header in headers:
            if error is None:
                known = self.stored.setdefault(header.stream, Intervals())
                known.add(header.first, header.seq)
            waiting = self._pending[header.stream]
            waiter = waiting.pop((header.first, header.seq))
            if not waiting:
                del self._pending[header.stream]
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


def _count(known: Intervals | None, first: int, last: int) -> int:
    if known is None:
        return 0
    return int(first in known) if first == last else known.count(first, last)


def _seen(waiter: Waiter) -> None:
    """A client may be gone before its frame failed; the failure is counted where it happened."""
    if not waiter.cancelled():
        waiter.exception()
