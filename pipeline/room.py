"""Memory for what requests bring: bounded, and refused with the time after which to come again."""

from __future__ import annotations

from prometheus_client import Gauge

from pipeline.errors import Overloaded

_LONGEST_RETRY = 30


class Room:
    """Bytes that requests hold until they are committed, `limit` at most, or one request's.

    `held` shows them, and `shown_limit` the limit. Used in the event loop only.
    """

    def __init__(self, limit: int, held: Gauge, shown_limit: Gauge) -> None:
        self._limit, self._shown = limit, held
        self._held = 0
        self._rate = 0.0
        shown_limit.set(limit)

    def hold(self, size: int) -> None:
        """Reserve memory. Raises Overloaded when there is none left."""
        if self._held and self._held + size > self._limit:
            wait = self._held / self._rate if self._rate else 1.0
            raise Overloaded("the queue is full", max(1, min(_LONGEST_RETRY, round(wait))))
        self._held += size
        self._shown.set(self._held)

    def release(self, size: int) -> None:
        """Give reserved memory back."""
        self._held -= size
        self._shown.set(self._held)

    def committed(self, size: int, seconds: float) -> None:
        """Take note of how fast room is made."""
        self._rate = size / max(seconds, 1e-3)
