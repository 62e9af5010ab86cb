"""Changes, one JSON object a line, in the columns of the pipeline's table `events`."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from lb.control.health.state import Health

log = logging.getLogger(__name__)


RETELL_S = 3000.0  # what lasts is told again within the hour
_GONE = "removed"
_WAITING_MAX = 1000


class Events:
    """A file of bounded size; the one before is kept as FILE.1. `counts`: by kind, and `lost`.

    What is told before the PoP is known waits for it.
    """

    def __init__(
        self,
        path: Path,
        limit: int,
        node: str,
        pop: Callable[[], str],
        retell_s: float = RETELL_S,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._limit = limit
        self._node = node
        self._pop = pop
        self._retell_s = retell_s
        self._waiting: deque[dict[str, str]] = deque(maxlen=_WAITING_MAX)
        # By (kind, subject): when it was told last, its state, and the detail.
        self._last: dict[tuple[str, str], tuple[float, str, str]] = {}

    def tell(self, kind: str, subject: str, state: str, reason: str, detail: str = "") -> None:
        """Write one down: `reason` is one word, `detail` is for people."""
        row = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "pop": "",
            "node": self._node,
            "kind": kind,
            "subject": subject,
            "state": state,
            "reason": reason,
            "detail": detail,
        }
        log.info("%s %s %s (%s) %s", kind, subject, state, reason, detail)
        self.counts[kind] += 1
        self._last[kind, subject] = (time.monotonic(), state, detail)
        self._waiting.append(row)
        if pop := self._pop():
            self._write([{**waiting, "pop": pop} for waiting in self._waiting])
            self._waiting.clear()

    def health(self, members: Mapping[str, Health], started: float) -> None:
        """Tell of members, "pool/member", that are not as they were told of.

        One whose state is from before `started` (of the same clock) still has it.
        """
        for subject, health in members.items():
            if health.up is None:
                continue
            state = "up" if health.up else "down"
            _, told, _ = self._last.get(("health", subject), (0.0, "", ""))
            if state != told:
                word = "checks_passed" if health.up else "checks_failed"
                reason = "still" if health.since < started else word
                self.tell("health", subject, state, reason, health.reason)
        for kind, subject in list(self._last):
            gone = kind == "health" and subject not in members
            if gone and self._last[kind, subject][1] != _GONE:
                self.tell(kind, subject, _GONE, "configuration")

    def retell(self) -> None:
        """Tell again what lasts and has not been told for long; forget what does not last."""
        now = time.monotonic()
        for (kind, subject), (at, state, detail) in list(self._last.items()):
            if kind == "config" or state in (_GONE, "released"):
                if now - at >= self._retell_s:
                    del self._last[kind, subject]
            elif now - at >= self._retell_s:
                self.tell(kind, subject, state, "still", detail)

    def _write(self, rows: list[dict[str, str]]) -> None:
        try:
            if self._path.exists() and self._path.stat().st_size > self._limit:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("a") as out:
                out.write("".join(json.dumps(row) + "\n" for row in rows))
        except OSError as error:
            self.counts["lost"] += len(rows)
            log.error("%s: %s", self._path, error)
