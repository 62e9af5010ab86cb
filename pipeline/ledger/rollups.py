"""Check 4: raw = 1m = 1h, in every window that lies wholly in the range."""

from __future__ import annotations

import time

from lb.catalogue import SCOPES, Catalogue
from pipeline import schema
from pipeline.ledger.model import Check, Range
from pipeline.ledger.source import Source
from pipeline.rollup_sql import SECONDS, select, source, window_of
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
        for scope in SCOPES:
            if first < end and catalogue.scope(scope):
                _windows(asker, catalogue, asked, (scope, level, first, end, now), found)
    return found


def _windows(
    asker: Source,
    catalogue: Catalogue,
    asked: Range,
    what: tuple[str, str, int, int, float],
    found: Check,
) -> None:
    scope, level, first, end, now = what
    table = schema.table_name(scope, level)
    where = f"ts >= toDateTime({first}, 'UTC') AND ts < toDateTime({end}, 'UTC')"
    where += "".join(f" AND {k} = {{{k}:String}}" for k in ("pop", "node") if getattr(asked, k))
    stored = f"SELECT * FROM {DATABASE}.{table} FINAL WHERE {where}"
    came = (
        f"SELECT {window_of(level)} AS w, max(commit) AS c FROM {DATABASE}.frames "
        f"WHERE {where} AND has(tables, '{scope}') GROUP BY w"
    )
    rows = asker.table(
        f"SELECT toUnixTimestamp(w) AS w, f.c AS c, s.v AS v, a.n AS an, a.h AS ah, "
        "s.n AS sn, s.h AS sh "
        f"FROM ({came}) AS f LEFT JOIN ({_digest(catalogue, scope, level, where)}) AS a USING (w) "
        f"FULL JOIN ({_stored_digest(catalogue, scope, level, stored)}) AS s USING (w) ORDER BY w",
        asked.params,
    ).to_pylist()
    for row in rows:
        found.examined += row["sn"]
        if row["v"] < row["c"]:
            if row["w"] + SECONDS[level] + LATE_SECONDS < now:
                found.fail(f"{table}: window {row['w']} is not computed from all that is stored")
            else:
                found.notes.append(f"{table}: window {row['w']} is still to be computed")
        elif (row["an"], row["ah"]) != (row["sn"], row["sh"]):
            detail = f"{row['sn']} rows stored, {row['an']} computed from {source(scope, level)}"
            found.fail(f"{table}: window {row['w']} differs: {detail}")


def _digest(catalogue: Catalogue, scope: str, level: str, where: str) -> str:
    """Rows and a hash of every computed window."""
    names = ", ".join(_names(catalogue, scope, level))
    rows = select(catalogue, scope, level, where, "0")
    return f"SELECT w, count() AS n, sum(cityHash64({names})) AS h FROM ({rows}) GROUP BY w"


def _stored_digest(catalogue: Catalogue, scope: str, level: str, stored: str) -> str:
    names = ", ".join(_names(catalogue, scope, level))
    return (
        f"SELECT ts AS w, max(version) AS v, count() AS n, sum(cityHash64({names})) AS h "
        f"FROM ({stored}) GROUP BY w"
    )


def _names(catalogue: Catalogue, scope: str, level: str) -> list[str]:
    skipped = ("ts", "version")
    return [c.name for c in schema.columns(catalogue, scope, level) if c.name not in skipped]
