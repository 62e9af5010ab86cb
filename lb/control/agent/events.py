"""Changes, one JSON object a line, in the columns of the pipeline's table `events`."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)


class Events:
    """A file of bounded size; the one before is kept as FILE.1. `counts`: by kind, and `lost`."""

    def __init__(self, path: Path, limit: int, node: str, pop: Callable[[], str]) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._limit = limit
        self._node = node
        self._pop = pop

    def tell(self, kind: str, subject: str, state: str, reason: str, detail: str = "") -> None:
        """Write one down: `reason` is one word, `detail` is for people."""
        row = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "pop": self._pop(),
            "node": self._node,
            "kind": kind,
            "subject": subject,
            "state": state,
            "reason": reason,
            "detail": detail,
        }
        log.info("%s %s %s (%s) %s", kind, subject, state, reason, detail)
        self.counts[kind] += 1
        try:
            if self._path.exists() and self._path.stat().st_size > self._limit:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("a") as out:
                out.write(json.dumps(row) + "\n")
        except OSError as error:
            self.counts["lost"] += 1
            log.error("%s: %s", self._path, error)
