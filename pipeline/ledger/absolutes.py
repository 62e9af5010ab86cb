"""Check 2: increments sum to what the absolute counters say, for every counter of every row.

Between two keyframes of a stream, and since the boot. A row's counters are one array, so that
everything is compared in SQL and only what differs comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lb.catalogue import Catalogue
from pipeline import schema
from pipeline.ledger.model import MAX_FINDINGS, Check, Range, moment
from pipeline.ledger.source import Source
from pipeline.ledger.takeovers import Takeovers
from pipeline.ledger.vectors import BOOT, Vector, keys_of, scopes
from pipeline.schema import ABSOLUTE, RAW
from pipeline.store import DATABASE


def check_intervals(
    source: Source, catalogue: Catalogue, asked: Range, takeovers: Takeovers
) -> Check:
    """Increments between keyframes = difference of the absolute values.

    The interval that ends with a takeover is left out: that says itself what is missing.
    """
    found = Check("keyframes", "increments between keyframes = difference of absolute counters")
    for scope, values in scopes(catalogue):
        kept = takeovers.without("seq")
        sides = _differences(asked, scope, values), _sums(asked, scope, values)
        counted, stored = (f"SELECT * FROM ({side}) WHERE {kept}" for side in sides)
        keys = (*keys_of(scope), "stream", "seq")
        _compare(source, asked, scope, values, (counted, stored, keys), found)
    return found


def check_boots(source: Source, catalogue: Catalogue, asked: Range, takeovers: Takeovers) -> Check:
    """Increments since the boot = the last absolute value, less what takeovers say is missing."""
    found = Check("boots", "increments since the boot = last absolute counter")
    for scope, values in scopes(catalogue):
        last = _totals(asked, scope, values)
        if takeovers.any:
            last = _less(last, takeovers.missing(scope, values), scope)
        sides = last, _since_boot(asked, scope, values)
        _compare(source, asked, scope, values, (*sides, tuple(keys_of(scope))), found)
    twice = source.table(
        f"SELECT {BOOT}, uniqExact(stream) AS n FROM {DATABASE}.instances "
        f"WHERE {_until(asked)} GROUP BY {BOOT} "
        f"HAVING n > 1 + uniqExactIf(stream, taken_over) LIMIT {MAX_FINDINGS}",
        asked.params,
    ).to_pylist()
    for row in twice:
        name = f"{row['pop']} {row['node']} {row['instance']} boot {row['boot']:016x}"
        found.notes.append(
            f"{name} is in {row['n']} streams: a spool was lost, and counts may be there twice, or "
            "lack"
        )
    return found


def _compare(
    source: Source,
    asked: Range,
    scope: str,
    values: Vector,
    sides: tuple[str, str, tuple[str, ...]],
    found: Check,
) -> None:
    counted, stored, keys = sides
    size = len(values.names)
    shown = ", ".join(f"toString({k})" for k in schema.row_key(scope))
    row = source.table(
        "SELECT countIf(there) AS n, countIf(bad) AS bad_rows, countIf(NOT there) AS open_rows, "
        f"groupArrayIf({MAX_FINDINGS})(([{shown}], toUnixTimestamp64Milli(at), d, s), bad) "
        f"AS rows FROM (SELECT {', '.join(keys)}, greatest(a.at, b.at) AS at, "
        f"notEmpty(a.v) AS there, there AND d != s AS bad, "
        f"arrayResize(a.v, {size}) AS d, arrayResize(b.v, {size}) AS s "
        f"FROM ({counted}) AS a FULL JOIN ({stored}) AS b USING ({', '.join(keys)}))",
        asked.params,
    ).to_pylist()[0]
    found.examined += row["n"] * size
    for bad in row["rows"]:
        found.fail(f"{scope}: {_describe(values.names, *bad.values())}", 0)
    found.failed += row["bad_rows"]
    if row["open_rows"]:
        found.notes.append(
            f"{scope}: {row['open_rows']} rows have no absolute counters to compare with: "
            "their boot ended, and its segment was lost before it was read, or their name was "
            "given anew before a takeover"
        )


def _describe(
    names: Sequence[str], place: list[str], at: int, counted: list[int], stored: list[int]
) -> str:
    rows: list[Any] = [r for r in zip(names, counted, stored, strict=True) if r[1] != r[2]]
    name, first, second = rows[0]
    more = f", and {len(rows) - 1} more counters" if len(rows) > 1 else ""
    return f"{' '.join(place)} at {at}: {name}: counted {first}, stored {second}{more}"


def _keyframes(asked: Range) -> str:
    """Keyframes (stream, seq) with the one before, from which their interval begins.

    The first one of a stream has none, unless the stream begins with it: nothing came before. An
    interval in which the clock was set back may lie in the range only in parts: it is left out.
    """
    frames = (
        "SELECT stream, seq, first, keyframe, row_number() OVER w > 1 "
        "AND first > lagInFrame(seq) OVER w + 1 AND ts < lagInFrame(ts) OVER w AS jump "
        f"FROM {DATABASE}.frames WHERE {asked.where('back')} "
        "WINDOW w AS (PARTITION BY stream ORDER BY seq)"
    )
    jumps = (
        "SELECT stream, seq, first, keyframe, "
        f"sum(jump) OVER (PARTITION BY stream ORDER BY seq) AS jumps FROM ({frames})"
    )
    return (
        "SELECT st, k, prev FROM (SELECT stream AS st, seq AS k, jumps, "
        "lagInFrame(toInt64(seq), 1, -1) OVER w AS prev, lagInFrame(jumps) OVER w AS before, "
        "min(first) OVER (PARTITION BY stream) AS begin "
        f"FROM ({jumps}) WHERE keyframe WINDOW w AS (PARTITION BY stream ORDER BY seq)) "
        "WHERE jumps = before AND (prev >= 0 OR begin = 0)"
    )


def _rows(asked: Range, scope: str, level: str, values: Vector) -> str:
    keys = ", ".join(keys_of(scope))
    table = f"{DATABASE}.{schema.table_name(scope, level)}"
    return (
        f"SELECT {keys}, stream, seq, ts, {values.sql} AS x FROM {table} "
        f"WHERE {asked.where('back')}"
    )


def _sums(asked: Range, scope: str, values: Vector) -> str:
    """Increments by the keyframe that ends their interval."""
    keys = ", ".join(keys_of(scope))
    return (
        f"SELECT {keys}, stream, k AS seq, max(ts) AS at, sumForEach(x) AS v "
        f"FROM ({_rows(asked, scope, RAW, values)}) AS r "
        f"ASOF JOIN ({_keyframes(asked)}) AS f ON r.stream = f.st AND r.seq <= f.k "
        f"WHERE toInt64(r.seq) > prev GROUP BY {keys}, stream, k"
    )


def _differences(asked: Range, scope: str, values: Vector) -> str:
    """Absolute values less those of the keyframe before. Rows of one name count as one."""
    keys = ", ".join(keys_of(scope))
    summed = (
        f"SELECT {keys}, stream, seq, any(ts) AS at, sumForEach(x) AS v "
        f"FROM ({_rows(asked, scope, ABSOLUTE, values)}) GROUP BY {keys}, stream, seq"
    )
    lagged = (
        f"SELECT *, lagInFrame(v) OVER (PARTITION BY {keys}, stream ORDER BY seq) AS old "
        f"FROM ({summed})"
    )
    return (
        f"SELECT {keys}, stream, seq, at, "
        "if(empty(old), v, arrayMap((x, y) -> toUInt64(x - y), v, arrayResize(old, length(v)))) "
        "AS v "
        f"FROM ({lagged}) AS a INNER JOIN ({_keyframes(asked)}) AS f "
        "ON a.stream = f.st AND a.seq = f.k"
    )


def _until(asked: Range) -> str:
    """Of the boots in the range whose raw rows are all kept: whatever is before its end."""
    whole = (
        f"SELECT {BOOT} FROM {DATABASE}.instances WHERE {asked.where()} "
        f"GROUP BY {BOOT} HAVING min(start) >= {moment('oldest')}"
    )
    return f"{asked.before()} AND ({BOOT}) IN ({whole})"


def _ends(asked: Range, scope: str) -> str:
    """The last keyframe of a boot, by its number: clocks are set back. Of a stream that another one
    followed, for its spool was lost, all rows count.
    """
    table = f"{DATABASE}.{schema.table_name(scope, ABSOLUTE)}"
    newest = f"row_number() OVER (PARTITION BY {BOOT} ORDER BY at DESC) = 1"
    return (
        f"SELECT {BOOT}, stream, if({newest}, seq, {(1 << 64) - 1}) AS last FROM ("
        f"SELECT {BOOT}, stream, max(t.seq) AS seq, max(ts) AS at FROM {table} AS t "
        f"WHERE {_until(asked)} GROUP BY {BOOT}, stream)"
    )


def _totals(asked: Range, scope: str, values: Vector) -> str:
    """Absolute values at the end."""
    keys = ", ".join(keys_of(scope))
    rows = _up_to_end(asked, scope, ABSOLUTE, values, "=")
    return f"SELECT {keys}, max(at) AS at, maxForEach(v) AS v FROM ({rows}) GROUP BY {keys}"


def _less(totals: str, missing: str, scope: str) -> str:
    """Absolute values less what is missing; none where that is not known."""
    keys = ", ".join(keys_of(scope))
    lack = (
        f"SELECT {keys}, sumForEach(m) AS m, max(unsure) AS unsure FROM ({missing}) GROUP BY {keys}"
    )
    rest = "arrayMap((x, y) -> toUInt64(toInt64(x) - y), v, arrayResize(m, length(v)))"
    return (
        f"SELECT {keys}, a.at AS at, if(unsure, emptyArrayUInt64(), {rest}) AS v "
        f"FROM ({totals}) AS a LEFT JOIN ({lack}) AS b USING ({keys})"
    )


def _since_boot(asked: Range, scope: str, values: Vector) -> str:
    keys = ", ".join(keys_of(scope))
    rows = _up_to_end(asked, scope, RAW, values, "<=")
    return f"SELECT {keys}, max(at) AS at, sumForEach(v) AS v FROM ({rows}) GROUP BY {keys}"


def _up_to_end(asked: Range, scope: str, level: str, values: Vector, relation: str) -> str:
    """Sums by row and stream."""
    keys = ", ".join(keys_of(scope))
    table = f"{DATABASE}.{schema.table_name(scope, level)}"
    return (
        f"SELECT {keys}, stream, max(ts) AS at, sumForEach({values.sql}) AS v FROM {table} AS t "
        f"INNER JOIN ({_ends(asked, scope)}) AS e USING ({BOOT}, stream) "
        f"WHERE seq {relation} last GROUP BY {keys}, stream"
    )
