"""What Grafana and the ClickHouse datasource make of a query before ClickHouse sees it.

`interpolate` is the front end's part (variables, $__conditionalAll), `expand` the plugin's backend
part; an alert rule gets only the latter. Both refuse what the real ones would leave in the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dashboards.errors import MacroError
from dashboards.text import quoted

ALL = "$__all"
_CONDITIONAL = "$__conditionalAll("
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)")
_BARE = re.compile(r"\$\{\w+\}|\$\w+")
_MACRO = re.compile(r"\$__(\w+)(\()?")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The chosen range in Unix milliseconds, and milliseconds of a point."""

    start_ms: int
    end_ms: int
    interval_ms: int = 1_000


Values = Mapping[str, Sequence[str]]


def interpolate(sql: str, values: Values, options: Values | None = None) -> str:
    """Put the variables' values in; `[ALL]` is every option of the variable.

    Raises MacroError for a variable that is not there, a format that is not known, or a
    $__conditionalAll whose second argument is not a bare variable.
    """
    while (start := sql.rfind(_CONDITIONAL)) >= 0:
        arguments, end = _arguments(sql, start + len(_CONDITIONAL) - 1)
        if len(arguments) != 2 or not _BARE.fullmatch(arguments[1].strip()):
            raise MacroError(f"$__conditionalAll takes a condition and a $variable: {arguments}")
        name = arguments[1].strip().strip("${}")
        if name not in values:
            raise MacroError(f"the variable {name} is not on the dashboard")
        everything = list(values[name]) in ([ALL], [""], [])
        sql = sql[:start] + ("1=1" if everything else arguments[0]) + sql[end:]
    return _VARIABLE.sub(lambda m: _value(m, values, options or {}), sql)


def _value(match: re.Match[str], values: Values, options: Values) -> str:
    name, style = match[1] or match[3], match[2]
    if name not in values:
        raise MacroError(f"the variable {name} is not on the dashboard")
    chosen = list(values[name])
    if chosen == [ALL]:
        chosen = list(options.get(name, ()))
    if style == "sqlstring":
        return ",".join(quoted(v) for v in chosen)
    if style == "raw" and len(chosen) == 1:
        return chosen[0]
    if style is None:  # the plugin's own format of a variable with several values: unescaped
        return "'" + "','".join(chosen) + "'"
    raise MacroError(f"the format {style!r} of {name} is not one that we use")


def _arguments(sql: str, opening: int) -> tuple[list[str], int]:
    """The arguments of a macro, split at its own commas, and where it ends."""
    depth, start = 0, opening + 1
    found: list[str] = []
    for i in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[i], 0)
        if depth == 0:
            return [*found, sql[start:i]], i + 1
        if sql[i] == "," and depth == 1:
            found.append(sql[start:i])
            start = i + 1
    raise MacroError(f"a bracket is not closed: {sql[opening:][:60]}")


def expand(sql: str, span: TimeRange) -> str:
    """Expand the macros of the plugin's backend. Raises MacroError for unknown ones."""
    done, position = [], 0
    while match := _MACRO.search(sql, position):
        done.append(sql[position : match.start()])
        arguments, position = _call(sql, match)
        done.append(_expansion(match[1], arguments, span))
    text = "".join([*done, sql[position:]])
    if "$" in text:
        raise MacroError(f"stays in the SQL: {text[text.index('$') :][:40]}")
    return text


def _call(sql: str, match: re.Match[str]) -> tuple[list[str], int]:
    takes = _MACROS.get(match[1], (0, None))[0]
    if not match[2] or not takes:
        return [], match.end(1)
    return _arguments(sql, match.end(2) - 1)


def _expansion(name: str, arguments: list[str], span: TimeRange) -> str:
    takes, macro = _MACROS.get(name, (0, None))
    if macro is None:
        raise MacroError(f"the plugin does not know $__{name}")
    if len(arguments) != takes:
        raise MacroError(f"$__{name} takes {takes} argument, got {arguments}")
    return macro(arguments, span)


def _second(ms: int) -> str:
    return f"toDateTime({ms // 1_000})"


def _millisecond(ms: int) -> str:
    return f"fromUnixTimestamp64Milli({ms})"


def _date(ms: int) -> str:
    return f"toDate('{datetime.fromtimestamp(ms / 1_000, UTC):%Y-%m-%d}')"


def _filter(convert: Callable[[int], str]) -> Callable[[list[str], TimeRange], str]:
    return lambda a, s: f"{a[0]} >= {convert(s.start_ms)} AND {a[0]} <= {convert(s.end_ms)}"


def _interval(_: list[str], span: TimeRange) -> str:
    return str(max(span.interval_ms // 1_000, 1))


def _bucket(arguments: list[str], span: TimeRange) -> str:
    return f"toStartOfInterval(toDateTime({arguments[0]}), INTERVAL {_interval([], span)} second)"


_MACROS: dict[str, tuple[int, Callable[[list[str], TimeRange], str] | None]] = {
    "timeFilter": (1, _filter(_second)),
    "timeFilter_ms": (1, _filter(_millisecond)),
    "dateFilter": (1, _filter(_date)),
    "fromTime": (0, lambda _, s: _second(s.start_ms)),
    "toTime": (0, lambda _, s: _second(s.end_ms)),
    "fromTime_ms": (0, lambda _, s: _millisecond(s.start_ms)),
    "toTime_ms": (0, lambda _, s: _millisecond(s.end_ms)),
    "interval_s": (0, _interval),
    "timeInterval": (1, _bucket),
}
