"""Which metadata the store has already: senders repeat theirs every minute."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.foreign.rows import Family

_DAY = 86400


class Families:
    """Metadata by tenant and metric; each is told to the store once a day, and when it changes.

    At most `limit` are remembered: beyond it all are forgotten, which costs telling them again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[tuple[str, str], Family] = {}
        self._since = 0

    def fresh(self, found: Iterable[Family], now: int) -> list[Family]:
        """Those that the store must be told of, each once."""
        if now - self._since > _DAY or len(self._known) > self._limit:
            self._known.clear()
            self._since = now
        new: dict[tuple[str, str], Family] = {}
        for family in found:
            key = (family.tenant, family.name)
            if self._known.get(key) != family:
                new[key] = self._known[key] = family
        return list(new.values())

    def doubt(self) -> None:
        """What was told last may not be in the store."""
        self._known.clear()
