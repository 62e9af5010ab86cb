"""What the live page may be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from pipeline.store import QueryLimits


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """`rows_budget`: lcore rows that one answer may read; a larger fleet gets fewer seconds.

    `clients` pages at once, that look at `views` different selections of nodes; every view costs
    one round of queries a second, however many pages share it.
    """

    clients: int = 64
    views: int = 8
    rows_budget: int = 1_000_000
    max_seconds: int = 3600
    series: int = 8
    lcores: int = 64
    table_rows: int = 50
    stale_seconds: float = 5.0
    limits: QueryLimits = field(
        default_factory=lambda: QueryLimits(execution_seconds=10, memory_bytes=1 << 30)
    )
    registry: CollectorRegistry | None = None
