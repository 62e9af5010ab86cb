"""Pieces of SQL that the panels share: the level by range, the filters, rates, sums and gauges.

A source is a UNION ALL of the levels of one scope (1 s, 1 min, 1 h), each with a condition that is
constant for a query, so that ClickHouse reads one of them. No source reads more than about
`SERIES_ROWS` rows of a series, whatever the range. Only macros of the ClickHouse datasource 4.0 are
used, and the time column keeps its name: an alias of it would defeat the primary key. Columns of
milliseconds are compared with milliseconds (`*_ms`): with whole seconds, the range would end up to
a second early, and the engine may pass over a part whose rows are all in its last second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lb.catalogue import ROW_LABELS, load

SPAN = "(toUnixTimestamp($__toTime) - toUnixTimestamp($__fromTime))"
# A range may end in the future ("today").
END = "least($__toTime, now())"
# Seconds from the first row in the range, of all the groups of a query, to the range's end.
SECONDS = f"greatest(toUnixTimestamp({END}) - min(min(t)) OVER (), 1)"
NODE_KEYS = ("pop", "node", "instance")
# The variables of the dashboards that narrow a scope, besides those of the node.
NARROWED_BY = {"lcore": ("lcore",), "vip": ("vip",), "backend": ("pool", "backend")}
VARIABLES = (*NODE_KEYS, *(key for keys in NARROWED_BY.values() for key in keys))
# Scopes of which every frame has every row; the others leave out rows in which nothing changed.
ALWAYS = ("lcore", "node")
# Step of the scopes whose rows may be left out: several samples fall into each.
SPARSE_STEP = 10
SERIES_ROWS = 10_800
# Of a table whose `ts` has milliseconds.
IN_RANGE = "$__timeFilter_ms(ts)"
# Rows of a table `<scope>_abs` are a minute apart.
ABSOLUTE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: the suffix of its table, seconds between rows, and when it is chosen."""

    suffix: str
    seconds: int
    longest_range: int
    kept_days: int

    @property
    def serves(self) -> str:
        """SQL, constant for a query: the level has the range, and not too many rows of it."""
        return (
            f"({SPAN} <= {self.longest_range} AND "
            f"$__fromTime >= now() - INTERVAL {self.kept_days} DAY)"
        )

    @property
    def in_range(self) -> str:
        """SQL: the row is in the range, exactly."""
        return IN_RANGE if self.seconds == 1 else "$__timeFilter(ts)"


RAW = Level("1s", 1, SERIES_ROWS, 7)
MINUTES = Level("1m", 60, 7 * 86_400, 90)
HOURS = Level("1h", 3_600, 0, 0)


def chosen(level: Level) -> str:
    """SQL, constant for a query: true for exactly one level."""
    if level is RAW:
        return RAW.serves
    if level is MINUTES:
        return f"NOT {RAW.serves} AND {MINUTES.serves}"
    return f"NOT {RAW.serves} AND NOT {MINUTES.serves}"


def where(scope: str) -> str:
    """The conditions that the dashboards' variables put on a scope."""
    return " AND ".join(map(condition, (*NODE_KEYS, *NARROWED_BY.get(scope, ()))))


def condition(key: str) -> str:
    """What a variable puts on the column of its name."""
    return f"$__conditionalAll({key} IN (${{{key}:sqlstring}}), ${key})"


def with_variables(sql: str, names: Sequence[str]) -> str:
    """The query without the conditions of variables that a dashboard does not have."""
    for key in set(VARIABLES) - set(names):
        sql = re.sub(rf"\s+AND {re.escape(condition(key))}", "", sql)
    return sql


def step(scope: str, level: Level) -> str:
    """Seconds of a point in a chart, as SQL."""
    shortest = SPARSE_STEP if level is RAW and scope not in ALWAYS else level.seconds
    return f"greatest($__interval_s, {shortest})"


def keys(scope: str) -> tuple[str, ...]:
    """What names a series of the scope."""
    return (*NODE_KEYS, *ROW_LABELS[scope])


def _branch(scope: str, level: Level, columns: Sequence[str]) -> str:
    table = f"popscope.{scope}_{level.suffix}" + ("" if level is RAW else " FINAL")
    size = step(scope, level)
    conditions = [chosen(level), level.in_range, where(scope)]
    if level is not RAW:  # the window that is still being filled would look like a dip
        conditions.append(f"ts <= $__toTime - INTERVAL {level.seconds} SECOND")
    picked = [
        *keys(scope),
        f"toDateTime(intDiv(toUnixTimestamp(ts), {size}) * {size}) AS time",
        "toFloat64(ts) AS t",
        f"{level.seconds} AS spacing",
        f"{'interval_ms / 1000' if level is RAW else level.seconds} AS seconds",
        f"{size} AS step",
        *columns,
    ]
    return f"SELECT {', '.join(picked)}\n  FROM {table}\n  WHERE " + "\n    AND ".join(conditions)


def _keyframes(scope: str, columns: Sequence[str]) -> str:
    gauges = {c.id for c in load().scope(scope) if c.kind == "gauge"}
    picked = [
        *keys(scope),
        "toDateTime(ts) AS time",
        "toFloat64(ts) AS t",
        "60 AS spacing",
        "0 AS seconds",
        "60 AS step",
        *(c if c in gauges else f"0 AS {c}" for c in columns),
    ]
    return (
        f"SELECT {', '.join(picked)}\n  FROM popscope.{scope}_abs\n"
        f"  WHERE ts > $__toTime_ms - INTERVAL 3 MINUTE AND {IN_RANGE}\n    AND {where(scope)}"
    )


def rows(scope: str, columns: Sequence[str], *, keyframes: bool = False) -> str:
    """A subquery: the scope's rows of the range, at the level that serves it.

    Columns: the keys of the scope, `time` (start of the point), `t` (Unix seconds), `spacing`
    (seconds between rows of the level), `seconds` (covered by the row), `step` (seconds of a point)
    and those asked for. `keyframes` adds the
    latest absolute rows, counters as 0, so that a gauge of a row in which nothing changed is known.
    """
    branches = [_branch(scope, level, columns) for level in (RAW, MINUTES, HOURS)]
    if keyframes:
        branches.append(_keyframes(scope, columns))
    return "(\n  " + "\n  UNION ALL\n  ".join(branches) + "\n)"


# Seconds that the rows of one series in a point cover. A rollup has a row a boot and window.
COVERED = "if(any(spacing) = 1, sum(seconds), uniqExact(t) * any(spacing))"
# A point of a sparse scope is shown when all of it lies in the range.
COMPLETE = "time >= $__fromTime AND time + step <= $__toTime"


def _select(by: Mapping[str, str], values: Sequence[str]) -> str:
    return ", ".join(["time", *(f"{v} AS {k}" for k, v in by.items()), *values])


def rates(
    scope: str,
    values: Mapping[str, str],
    columns: Sequence[str],
    by: Mapping[str, str] | None = None,
) -> str:
    """Per-second rates over time: `values` maps a name to an expression of summed columns.

    `by` maps a name to an expression of the scope's keys: one line each.
    """
    by = by or {}
    groups = ", ".join(["time", *by])
    if scope in ALWAYS:
        inner = ", ".join(f"sum({c}) / {COVERED} AS {c}_rate" for c in columns)
        source = (
            f"(SELECT time, {', '.join(keys(scope))}, {inner}\nFROM {rows(scope, columns)}\n"
            f"GROUP BY time, {', '.join(keys(scope))})"
        )
        sums = {c: f"sum({c}_rate)" for c in columns}
    else:
        source = f"{rows(scope, columns)}\nWHERE {COMPLETE}"
        sums = {c: f"sum({c}) / any(step)" for c in columns}
    picked = [f"{_fill(v, sums)} AS {k}" for k, v in values.items()]
    return f"SELECT {_select(by, picked)}\nFROM {source}\nGROUP BY {groups}\nORDER BY {groups}"


def gauges(
    scope: str,
    values: Mapping[str, str],
    columns: Sequence[str],
    by: Mapping[str, str] | None = None,
) -> str:
    """Gauges over time: the largest value of each row in a point, summed over the rows."""
    by = by or {}
    groups = ", ".join(["time", *by])
    inner = ", ".join(f"max({c}) AS {c}_max" for c in columns)
    sums = {c: f"sum({c}_max)" for c in columns}
    picked = [f"{_fill(v, sums)} AS {k}" for k, v in values.items()]
    return (
        f"SELECT {_select(by, picked)}\n"
        f"FROM (SELECT time, {', '.join(keys(scope))}, {inner}\nFROM {rows(scope, columns)}\n"
        f"GROUP BY time, {', '.join(keys(scope))})\nGROUP BY {groups}\nORDER BY {groups}"
    )


def _fill(expression: str, columns: Mapping[str, str]) -> str:
    return expression.format_map(columns)


def total(ids: Sequence[str]) -> str:
    """The sum of several columns, as one expression."""
    return " + ".join(ids)


def ids(term: str, scope: str = "lcore") -> list[str]:
    """Columns of one term of the ledger law."""
    return [c.id for c in load().ledger(term, scope)]


def distinct(column: str, scope: str, *, given: Sequence[str] = ()) -> str:
    """The values of a label in the range, for a variable; `given`: the variables before it."""
    conditions = "".join(f"\n    AND {condition(k)}" for k in given)
    branches = [
        f"SELECT DISTINCT {column}\n  FROM popscope.{scope}_{level.suffix}\n"
        f"  WHERE {chosen(level)}\n    AND {level.in_range}{conditions}"
        for level in (RAW, MINUTES, HOURS)
    ]
    order = f"length({column}), {column}" if column == "lcore" else column
    union = "\n  UNION ALL\n  ".join(branches)
    return f"SELECT DISTINCT {column} FROM (\n  {union}\n)\nORDER BY {order}"
