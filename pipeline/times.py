"""Durations and points in time as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)([smhd])")


def duration_ms(text: str) -> int:
    """`90s`, `10m`, `2h`, `1d` in ms. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 10m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2]] * 1000


def moment_ms(text: str) -> int:
    """ISO 8601 (UTC unless it says otherwise) or unix seconds, in unix ms. Raises ValueError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return round(float(text) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time: write 2026-01-31T12:00:00, or unix seconds"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
