"""Who is there: the last that was heard of every instance, and what that makes of its node."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.live import sql
from pipeline.live.collect import View, ask_range
from pipeline.live.options import LiveOptions
from pipeline.store import Store

_FIRST_LOOK_MS = 3_600_000
_NEXT_LOOK_MS = 120_000
Key = tuple[str, str, str]
# From best to worst: a node is what its worst instance is.
STATES = ("live", "stopped", "dead", "silent")


@dataclass(slots=True)
class Heard:
    """An instance as it was when last heard of; times in ms since the epoch."""

    boot: str
    state: str
    age_ms: int
    start_ms: int
    heard_ms: int
    generation: int = 0


class Roster:
    """Remembers every instance of the last hour and of the time since it was made.

    `refresh` blocks and is called from one thread at a time; `report` costs no query.
    """

    def __init__(self, store: Store, options: LiveOptions) -> None:
        self._store = store
        self._options = options
        self._known: dict[Key, Heard] = {}
        self._looked_ms = 0

    def refresh(self, now_ms: int) -> None:
        """Take in what was stored since the last time. Raises QueryError."""
        back = _NEXT_LOOK_MS if now_ms - self._looked_ms < _NEXT_LOOK_MS // 2 else _FIRST_LOOK_MS
        until = now_ms + _NEXT_LOOK_MS
        found = ask_range(self._store, sql.instances(), now_ms - back, until, self._options)
        known = dict(self._known)
        for row in found.to_pylist():
            key = row.pop("pop"), row.pop("node"), row.pop("instance")
            before = known.get(key)
            known[key] = Heard(**row, generation=before.generation if before else 0)
        rows = ask_range(self._store, sql.generations(), now_ms - back, until, self._options)
        for row in rows.to_pylist():
            key = row["pop"], row["node"], row["instance"]
            if key in known:
                known[key].generation = int(row["generation"])
        self._known = known
        self._looked_ms = now_ms

    def report(self, now_ms: int, view: View) -> dict[str, Any]:
        """Counts of nodes by state, the age of the newest data, and the instances, worst first."""
        rows = [self._row(key, heard, now_ms) for key, heard in self._known.items()]
        nodes: dict[str, str] = {}
        for row in rows:
            name = f"{row['pop']}/{row['node']}"
            worst = max(nodes.get(name, "live"), row["state"], key=STATES.index)
            nodes[name] = worst
        chosen = (view.pop, view.node)
        shown = [r for r in rows if not view.selected or (r["pop"], r["node"]) == chosen]
        shown.sort(key=lambda r: (-STATES.index(r["state"]), r["pop"], r["node"], r["instance"]))
        ages = [now_ms - heard.heard_ms for heard in self._known.values()]
        return {
            "states": Counter(nodes.values()),
            "names": sorted(nodes),
            "age_ms": max(0, min(ages)) if ages else None,
            "instances": shown[: self._options.table_rows],
            "more": max(0, len(shown) - self._options.table_rows),
        }

    def _row(self, key: Key, heard: Heard, now_ms: int) -> dict[str, Any]:
        silent = max(0, now_ms - heard.heard_ms)
        state = heard.state if heard.state in STATES else "dead"
        if silent > self._options.stale_seconds * 1000 and state != "stopped":
            state = "silent"
        return {
            "pop": key[0],
            "node": key[1],
            "instance": key[2],
            "state": state,
            "boot": heard.boot,
            "silent_ms": silent,
            "age_ms": heard.age_ms,
            "start_ms": heard.start_ms,
            "generation": heard.generation,
        }
