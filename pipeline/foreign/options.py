"""Limits of foreign metrics."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_SERIES = 1 << 28


@dataclass(frozen=True, slots=True)
class ForeignOptions:
    """Bytes of a body as sent, as unpacked and as rows; what is received and not committed.

    A body must have come in `body_seconds`.

    A tenant has at most `tenant_series` series with a sample in the last `idle_hours`, all tenants
    together `all_series`, whose labels are at most `series_bytes`. Samples older than `oldest_days`
    or newer than now + `newest_seconds` are not taken.
    """

    body_bytes: int = 16 << 20
    body_seconds: float = 30.0
    plain_bytes: int = 64 << 20
    row_bytes: int = 256 << 20
    queue_bytes: int = 512 << 20
    group_rows: int = 1_000_000
    linger_seconds: float = 0.1
    longest_linger_seconds: float = 0.5
    tenants: int = 100
    tenant_series: int = 1_000_000
    all_series: int = 2_000_000
    series_bytes: int = 1 << 30
    idle_hours: int = 48
    oldest_days: int = 29
    newest_seconds: int = 3600

    def problems(self) -> list[str]:
        """What is wrong with them, one sentence each."""
        found = []
        if self.body_bytes > self.plain_bytes:
            found.append("[foreign] body_bytes: must not be above plain_bytes")
        if self.row_bytes > self.queue_bytes:
            found.append("[foreign] row_bytes: must not be above queue_bytes")
        for name in ("tenants", "tenant_series", "all_series"):
            if not 1 <= getattr(self, name) <= _MOST_SERIES:
                found.append(f"[foreign] {name}: must be from 1 to {_MOST_SERIES}")
        if not 1 <= self.oldest_days < 30:
            found.append("[foreign] oldest_days: must be from 1 to 29, for samples live 30 days")
        return found
