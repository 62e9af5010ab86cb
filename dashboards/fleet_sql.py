"""SQL over the rollups of nodes (`fleet_1m`, `fleet_1h`), which lie in the order of time.

What spans many PoPs reads these: a row a minute or hour and node, whatever number of lcores it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards.sql import Level, condition

MINUTES = Level("1m", 60, 12 * 3_600, 90)
HOURS = Level("1h", 3_600, 0, 0)
KEYS = ("pop", "node")
# Seconds that the windows of a group cover. A node that was silent in some of them sent nothing.
COVERED = "(uniqExact(t) * any(spacing))"


def chosen(level: Level) -> str:
    """SQL, constant for a query: true for exactly one level."""
    return MINUTES.serves if level is MINUTES else f"NOT {MINUTES.serves}"


def rows(columns: Sequence[str], *, narrowed: bool = True) -> str:
    """A subquery: rows of the range. Columns: pop, node, `time` (start of the point), `t` (start of
    the window, Unix seconds), `spacing` (seconds of a window), and those asked for. `narrowed`: by
    the variables.
    """
    branches = [_branch(level, columns, narrowed) for level in (MINUTES, HOURS)]
    return "(\n  " + "\n  UNION ALL\n  ".join(branches) + "\n)"


def _branch(level: Level, columns: Sequence[str], narrowed: bool) -> str:
    size = f"greatest($__interval_s, {level.seconds})"
    picked = [
        *KEYS,
        f"toDateTime(intDiv(toUnixTimestamp(ts), {size}) * {size}) AS time",
        "toUnixTimestamp(ts) AS t",
        f"{level.seconds} AS spacing",
        *columns,
    ]
    conditions = [
        chosen(level),
        level.in_range,
        f"ts <= $__toTime - INTERVAL {level.seconds} SECOND",
        *(map(condition, KEYS) if narrowed else ()),
    ]
    return (
        f"SELECT {', '.join(picked)}\n  FROM popscope.fleet_{level.suffix} FINAL\n  WHERE "
        + "\n    AND ".join(conditions)
    )


def rates(
    values: Mapping[str, str], columns: Sequence[str], by: Mapping[str, str] | None = None
) -> str:
    """Per-second rates over time: `values` maps a name to an expression of columns' rates."""
    by = by or {}
    groups = ", ".join(["time", *by])
    sums = {c: f"(sum({c}) / {COVERED})" for c in columns}
    picked = [
        "time",
        *(f"{v} AS {k}" for k, v in by.items()),
        *(f"{v.format_map(sums)} AS {k}" for k, v in values.items()),
    ]
    return f"SELECT {', '.join(picked)}\nFROM {rows(columns)}\nGROUP BY {groups}\nORDER BY {groups}"


def largest(column: str, by: Mapping[str, str]) -> str:
    """The largest value of a share over time."""
    groups = ", ".join(["time", *by])
    names = ", ".join(f"{v} AS {k}" for k, v in by.items())
    return (
        f"SELECT time, {names}, max({column}) AS value\nFROM {rows([column])}\n"
        f"GROUP BY {groups}\nORDER BY {groups}"
    )


def gauges(column: str, by: Mapping[str, str] | None = None) -> str:
    """A gauge over time: the largest value of each node in a point, summed over the nodes."""
    by = by or {}
    groups = ", ".join(["time", *by])
    names = ", ".join(["time", *(f"{v} AS {k}" for k, v in by.items())])
    return (
        f"SELECT {names}, sum(level) AS value\n"
        f"FROM (SELECT time, {', '.join(KEYS)}, max({column}) AS level\nFROM {rows([column])}\n"
        f"GROUP BY time, {', '.join(KEYS)})\nGROUP BY {groups}\nORDER BY {groups}"
    )


def drops() -> str:
    """Dropped packets a second by reason; only reasons that occur have a line."""
    return f"""SELECT time, reason AS series, packets / covered AS value
FROM (SELECT time, sumMap(drops) AS reasons, {COVERED} AS covered
FROM {rows(["drops"])}
GROUP BY time)
ARRAY JOIN mapKeys(reasons) AS reason, mapValues(reasons) AS packets
ORDER BY time, series"""


def top(sql: str, count: int, others: str) -> str:
    """Only the largest series of `SELECT time, series, value`; the rest is summed as `others`."""
    return f"""SELECT time, if(place <= {count}, name, '{others}') AS series, sum(value) AS value
FROM (SELECT time, name, value, dense_rank() OVER (ORDER BY weight DESC, name) AS place
FROM (SELECT time, series AS name, value, sum(value) OVER (PARTITION BY series) AS weight
FROM ({sql})))
GROUP BY time, series
ORDER BY time, series"""
