"""Numbers as people read them, in few characters."""

from __future__ import annotations

import math
from typing import Any

UNKNOWN = "-"
PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def short(value: float) -> str:
    """At most five characters with three digits: 0, 0.25, 999, 1.23k, 45.6M; "-" when not known."""
    value = float(value)
    if not math.isfinite(value):
        return UNKNOWN
    sign, value, power = "-" if value < 0 else "", abs(value), 0
    if value < 999.5:
        small = f"{value:.0f}" if value >= 9.95 or value == int(value) else f"{value:.1f}"
        return sign + (small if value >= 0.05 or value == 0 else "<0.1")
    while value >= 999.5:
        value, power = value / 1000, power + 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{sign}{value:.{digits}f}{PREFIXES[power]}"


def exact(value: Any) -> str:
    """A count with its thousands apart."""
    return UNKNOWN if value != value else f"{int(value):,}"


def share(value: float) -> str:
    """A share as percent: <0.1%, 0.3%, 42%, 100%."""
    if not math.isfinite(value):
        return UNKNOWN
    if 0 < value < 0.0005:
        return "<0.1%"
    return f"{value:.1%}" if 0 < value < 0.0995 else f"{value:.0%}"


def bar(value: float, width: int) -> str:
    """A bar of `width` characters with the percentage at its right end: `[|||||      31%]`."""
    inner = width - 2
    filled = 0 if not math.isfinite(value) else round(min(max(value, 0.0), 1.0) * inner)
    text = share(value)
    line = ("|" * filled).ljust(inner)[: inner - len(text)] + text
    return f"[{line}]"


def duration(seconds: float) -> str:
    """Seconds as 0.4 s, 34 s, 5 min 12 s, 3 h 12 min, 4 d 3 h."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {name}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def packets(count: int) -> str:
    """`1 packet`, `12 packets`."""
    return f"{count:,} packet{'' if count == 1 else 's'}"
