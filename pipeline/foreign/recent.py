"""Requests that are on their way or were stored lately: a retry of one is stored once."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pipeline.errors import Overloaded
from pipeline.foreign.native import Rejected

_KEPT = 16384


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: how much of it is stored, and what was not taken."""

    samples: int
    histograms: int
    exemplars: int
    rejected: tuple[Rejected, ...] = ()
    exemplars_rejected: int = 0

    @property
    def lost(self) -> int:
        """Samples and histograms that were not taken."""
        return sum(r.samples for r in self.rejected)


def digest(*parts: bytes) -> bytes:
    """Of a request: its tenant, its format, its body."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


class Recent:
    """Outcomes by digest, the last ones; in the memory of this process only."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[bytes, asyncio.Future[Outcome]] = OrderedDict()

    async def once(
        self, key: bytes, store: Callable[[], Awaitable[Outcome]]
    ) -> tuple[Outcome, bool]:
        """The outcome, and whether this is a repetition. A failure is forgotten, and raised."""
        if found := self._known.get(key):
            self._known.move_to_end(key)
            return await asyncio.shield(found), True
        mine: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._known[key] = mine
        try:
            outcome = await store()
        except BaseException as error:
            del self._known[key]
            mine.set_exception(_failure(error))
            mine.exception()
            raise
        mine.set_result(outcome)
        while len(self._known) > self._kept and next(iter(self._known.values())).done():
            self._known.popitem(last=False)
        return outcome, False


def _failure(error: BaseException) -> Exception:
    """What those who wait are told when the first was cancelled: to come again."""
    return error if isinstance(error, Exception) else Overloaded("the request was given up", 1)
