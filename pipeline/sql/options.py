"""What the SQL interface may be told, and what a client may ask of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry

from pipeline.access.guard import Access
from pipeline.store import QueryLimits

# Settings that a client may lower. Every other one it sends is left out, and named in the reply's
# header X-Popscope-Ignored: a read-only session of ClickHouse would refuse the whole query.
_LIMITS: dict[str, str] = {
    "max_execution_time": "execution_seconds",
    "max_memory_usage": "memory_bytes",
    "max_result_rows": "result_rows",
    "max_result_bytes": "result_bytes",
    "max_rows_to_read": "rows_to_read",
}


@dataclass(frozen=True, slots=True)
class SqlOptions:
    """`users` are names and their passwords, and a token for reading is one of any name; without
    either, user `default` is let in from loopback.

    `concurrency` queries run at once and `waiting` more wait up to `wait_seconds` for their turn.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    limits: QueryLimits = field(default_factory=lambda: QueryLimits(result_bytes=64 << 20))
    concurrency: int = 4
    waiting: int = 32
    wait_seconds: float = 5.0
    registry: CollectorRegistry | None = None
    access: Access | None = None


def lowered(limits: QueryLimits, asked: Mapping[str, str]) -> tuple[QueryLimits, list[str]]:
    """The limits for one query, and the names of the settings that were not taken."""
    taken: dict[str, float | int] = {}
    ignored = []
    for name, text in asked.items():
        attribute = _LIMITS.get(name)
        value = _number(text) if attribute else None
        if attribute is None or value is None:
            ignored.append(name)
            continue
        ours = getattr(limits, attribute)
        # 0 is without limit, also when the engine rounds to it: nothing may become that.
        if value > 0 and (not ours or value < ours):
            taken[attribute] = max(value, 0.001) if isinstance(ours, float) else math.ceil(value)
    return replace(limits, **taken), sorted(ignored)  # type: ignore[arg-type]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
