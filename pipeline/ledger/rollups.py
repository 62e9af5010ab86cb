"""Check 5: raw = 1m = 1h, in every window that lies wholly in the range."""

from __future__ import annotations

import time

from lb.catalogue import SCOPES, Catalogue
from pipeline import schema
from pipeline.ledger.model import Check, Range
from pipeline.ledger.source import Source
from pipeline.rollup_sql import SECONDS, select, source, window_of, within
from pipeline.schema import HOUR, MINUTE
from pipeline.store import DATABASE

# A window is computed some seconds after its end; one that is still missing then is late.
LATE_SECONDS = 120


def check(asker: Source, catalogue: Catalogue, asked: Range, now: float | None = None) -> Check:
    """Compute every window anew and compare it with what is stored."""
    found = Check("rollups", "raw = 1 min = 1 h")
    now = time.time() if now is None else now
    for level in (MINUTE, HOUR):
        size = SECONDS[level]
        first = -(-asked.from_ms // (1000 * size)) * size
        end = asked.to_ms // (1000 * size) * size
        if first >= end:
            if level == MINUTE:
                found.unknown = "the range holds not one whole minute: ask for 2 minutes or more"
            continue
        for scope in SCOPES:
            if catalogue.scope(scope):
                _windows(asker, catalogue, asked, (scope, level, first, end, now), found)
    return found


def _windows(
    asker: Source,
    catalogue: Catalogue,
    asked: Range,
    what: tuple[str, str, int, int, float],
    found: Check,
) -> None:
    """Compare the windows of a table.

    They are computed anew while this looks at them. So what is stored is read first, and the last
    commits after everything else: a window that changed meanwhile has a commit that it lacked.
    """
    scope, level, first, end, now = what
    table = schema.table_name(scope, level)
    where = within(first, end)
    where += "".join(f" AND {k} = {{{k}:String}}" for k in ("pop", "node") if getattr(asked, k))
    queries = (
        _stored(catalogue, scope, level, where),
        _computed(catalogue, scope, level, where),
        f"SELECT toUnixTimestamp({window_of(level)}) AS w, max(commit) AS c, "
        f"toUnixTimestamp(max(stored_at)) AS at FROM {DATABASE}.frames "
        f"WHERE {where} AND has(tables, '{scope}') GROUP BY w",
    )
    stored, computed, came = (
        {row.pop("w"): row for row in asker.table(sql, asked.params).to_pylist()} for sql in queries
    )
    for window in sorted(stored.keys() | came.keys()):
        there = stored.get(window, {"v": 0, "n": 0, "h": 0})
        anew = computed.get(window, {"n": 0, "h": 0})
        last = came.get(window, {"c": 0, "at": 0})
        found.examined += there["n"]
        if there["v"] < last["c"]:
            if max(window + SECONDS[level], last["at"]) + LATE_SECONDS < now:
                found.fail(f"{table}: window {window} is not computed from all that is stored")
            else:
                found.notes.append(f"{table}: window {window} is still to be computed")
        elif (anew["n"], anew["h"]) != (there["n"], there["h"]):
            detail = f"{there['n']} rows stored, {anew['n']} computed from {source(scope, level)}"
            found.fail(f"{table}: window {window} differs: {detail}")


def _stored(catalogue: Catalogue, scope: str, level: str, where: str) -> str:
    """Version, rows and a hash of every stored window."""
    names = ", ".join(_names(catalogue, scope, level))
    table = f"{DATABASE}.{schema.table_name(scope, level)}"
    return (
        "SELECT toUnixTimestamp(ts) AS w, max(version) AS v, count() AS n, "
        f"sum(cityHash64({names})) AS h FROM (SELECT * FROM {table} FINAL WHERE {where}) GROUP BY w"
    )


def _computed(catalogue: Catalogue, scope: str, level: str, where: str) -> str:
    """Rows and a hash of every window as it is computed anew.

    A minute from the raw rows that it had seen: others may be those of a group in flight.
    """
    names = ", ".join(_names(catalogue, scope, level))
    join = ""
    if level == MINUTE:
        table = f"{DATABASE}.{schema.table_name(scope, level)}"
        seen = f"SELECT ts AS seen_w, max(version) AS seen_v FROM {table} WHERE {where} GROUP BY ts"
        join = f"INNER JOIN ({seen}) AS seen ON {window_of(level)} = seen_w"
        where += " AND commit <= seen_v"
    rows = select(catalogue, scope, level, where, "0", join)
    return (
        "SELECT toUnixTimestamp(w) AS w, count() AS n, "
        f"sum(cityHash64({names})) AS h FROM ({rows}) GROUP BY w"
    )


def _names(catalogue: Catalogue, scope: str, level: str) -> list[str]:
    skipped = ("ts", "version")
    return [c.name for c in schema.columns(catalogue, scope, level) if c.name not in skipped]
