"""Histograms that the workers keep, burst by burst."""

from __future__ import annotations

from dashboards.model import Heat, Lines, Panel
from dashboards.sql import COMPLETE, rows
from lb._counters import Lcore
from lb.catalogue import load


def _bounds(column: str) -> tuple[int, ...]:
    return tuple(next(c.bounds for c in load().scope("lcore") if c.id == column))


def _buckets(column: str) -> list[str]:
    bounds = _bounds(column)
    lows = [1, *(b + 1 for b in bounds)]
    names = [str(b) if low == b else f"{low}-{b}" for low, b in zip(lows, bounds, strict=False)]
    return [*names, f"{lows[-1]} and more"]


def _histogram(column: str) -> str:
    picked = ",\n  ".join(
        f'cells[{i}] / seconds AS "{name}"' for i, name in enumerate(_buckets(column), 1)
    )
    return f"""SELECT time, {picked}
FROM (SELECT time, sumForEach({column}) AS cells, any(step) AS seconds
FROM {rows("lcore", [column])}
WHERE {COMPLETE}
GROUP BY time)
ORDER BY time"""


def burst_sizes() -> Panel:
    return Panel(
        id=42,
        title="Packets in a burst",
        question="Do the lcores find few packets at each poll (idle) or full bursts (behind)?",
        sql=_histogram(Lcore.BURST_PACKETS),
        unit="ops",
        draw=Heat(scheme="Blues"),
    )


def burst_cycles() -> Panel:
    return Panel(
        id=43,
        title="Cycles of a busy iteration",
        question="Are there iterations that take far longer than the others, and so delay packets?",
        sql=_histogram(Lcore.BURST_CYCLES),
        unit="ops",
        draw=Heat(scheme="Blues"),
    )


QUANTILES = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999}


def _quantiles(column: str) -> str:
    """Upper bounds of the buckets that the quantiles lie in; of the open one, its lower bound."""
    bounds = _bounds(column)
    cells = len(bounds) + 1
    picked = ",\n  ".join(
        f"bounds[least(arrayFirstIndex(x -> x >= {q} * seen[{cells}], seen), {len(bounds)})] "
        f"AS {name}"
        for name, q in QUANTILES.items()
    )
    return f"""WITH {list(bounds)} AS bounds
SELECT time, {picked}
FROM (SELECT time, arrayCumSum(arraySlice(sumForEach({column}), 1, {cells})) AS seen
FROM {rows("lcore", [column])}
GROUP BY time)
WHERE seen[{cells}] > 0
ORDER BY time"""


def burst_quantiles() -> Panel:
    return Panel(
        id=49,
        title="Latency of bursts",
        question="How long does a packet wait for the burst that it came with? At most this "
        "long for half, 99 % and 99.9 % of the bursts.",
        sql=_quantiles(Lcore.BURST_LATENCY_NANOSECONDS),
        unit="ns",
        draw=Lines(),
    )
