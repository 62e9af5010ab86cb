"""The tables of the store, as the catalogue gives them: names, keys, columns and types.

One wide table a scope and a level: `<scope>_1s` raw increments, `<scope>_abs` absolute values of
the keyframes, `<scope>_1m` and `<scope>_1h` rollups. The migrations hold the DDL; this module is
what the generator of migrations, the ingest, the rollups and the audit agree on.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.catalogue import ROW_LABELS, SCOPES, Catalogue, Counter
from pipeline.store import DATABASE, Store

RAW, ABSOLUTE, MINUTE, HOUR = "1s", "abs", "1m", "1h"
LEVELS = (RAW, ABSOLUTE, MINUTE, HOUR)
IDENTITY = ("stream", "seq", "commit")
# A value is averaged to a second for its peak when its interval was longer than this: an exporter
# that was away for a while ships what was counted meanwhile in one frame.
LONGEST_SECOND_MS = 1500

COLUMNS_SQL = f"SELECT table, name FROM system.columns WHERE database = '{DATABASE}'"
_TEXT = "LowCardinality(String)"
_STEADY = " CODEC(DoubleDelta, ZSTD(1))"
_CODECS = {
    RAW: " CODEC(T64, ZSTD(1))",
    ABSOLUTE: " CODEC(Delta, T64, ZSTD(1))",
    MINUTE: " CODEC(T64, ZSTD(1))",
    HOUR: " CODEC(T64, ZSTD(1))",
}
_ARRAY_CODEC = " CODEC(ZSTD(1))"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and its type with codec, as in DDL."""

    name: str
    type: str


def table_name(scope: str, level: str) -> str:
    """The name of a table, without the database."""
    return f"{scope}_{level}"


def frame_tables() -> dict[str, tuple[str, str]]:
    """Table of a frame -> (scope, level): `lcore` -> lcore_1s, `lcore_abs` -> lcore_abs."""
    raw = {scope: (scope, RAW) for scope in SCOPES}
    return raw | {f"{scope}_abs": (scope, ABSOLUTE) for scope in SCOPES}


def row_key(scope: str) -> tuple[str, ...]:
    """The columns that name a row of a scope at one instant, without ts and boot."""
    return ("pop", "node", "instance", *ROW_LABELS[scope])


def key_columns(scope: str, level: str) -> list[Column]:
    """The columns that do not come from the catalogue."""
    labels = [Column(name, _TEXT) for name in row_key(scope)]
    boot = Column("boot", "UInt64 CODEC(ZSTD(1))")
    if level in (MINUTE, HOUR):
        return [
            Column("ts", "DateTime('UTC')" + _STEADY),
            *labels,
            boot,
            Column("samples", "UInt32 CODEC(T64, ZSTD(1))"),
            Column("version", "UInt64" + _STEADY),
        ]
    return [
        Column("ts", "DateTime64(3, 'UTC')" + _STEADY),
        *labels,
        boot,
        Column("interval_ms", "UInt32 CODEC(T64, ZSTD(1))"),
        *(Column(name, "UInt64" + _STEADY) for name in IDENTITY),
    ]


def counter_columns(counter: Counter, level: str) -> list[Column]:
    """The columns of one entry of the catalogue: itself, and its peak in rollups."""
    if counter.kind == "histogram":
        return [Column(counter.id, "Array(UInt64)" + _ARRAY_CODEC)]
    columns = [Column(counter.id, "UInt64" + _CODECS[level])]
    if has_peak(counter, level):
        columns.append(Column(peak_name(counter), "UInt64" + _CODECS[level]))
    return columns


def has_peak(counter: Counter, level: str) -> bool:
    """Whether a level keeps the peak of an entry. A gauge's rollup is its maximum already."""
    return level in (MINUTE, HOUR) and counter.peak and counter.kind == "counter"


def peak_name(counter: Counter) -> str:
    return f"{counter.id}_peak"


def columns(catalogue: Catalogue, scope: str, level: str) -> list[Column]:
    """All columns of a table, in the order of a new store."""
    entries = catalogue.scope(scope)
    return key_columns(scope, level) + [c for e in entries for c in counter_columns(e, level)]


def in_store(store: Store, catalogue: Catalogue) -> Catalogue:
    """The entries that the store has columns for, at every level."""
    found = store.query_arrow(COLUMNS_SQL).to_pylist()
    return with_columns(catalogue, {(row["table"], row["name"]) for row in found})


def with_columns(catalogue: Catalogue, there: set[tuple[str, str]]) -> Catalogue:
    """The entries whose columns are all among `there`: pairs of table and column."""

    def kept(entry: Counter) -> bool:
        return all(
            (table_name(entry.scope, level), column.name) in there
            for level in LEVELS
            for column in counter_columns(entry, level)
        )

    return Catalogue(tuple(filter(kept, catalogue.counters)))


def table_options(scope: str, level: str) -> str:
    """Engine, order, partitions, retention of a table."""
    labels = ", ".join(row_key(scope))
    engine, partition, order, days = {
        RAW: ("MergeTree", "toDate(ts)", f"{labels}, ts", "toIntervalDay(7)"),
        ABSOLUTE: ("MergeTree", "toDate(ts)", f"{labels}, ts", "toIntervalDay(30)"),
        MINUTE: (
            "ReplacingMergeTree(version)",
            "toMonday(ts)",
            f"{labels}, ts, boot",
            "toIntervalDay(90)",
        ),
        HOUR: (
            "ReplacingMergeTree(version)",
            "toYYYYMM(ts)",
            f"{labels}, ts, boot",
            "toIntervalYear(3)",
        ),
    }[level]
    stamp = "toDateTime(ts)" if level in (RAW, ABSOLUTE) else "ts"
    return (
        f"ENGINE = {engine}\nPARTITION BY {partition}\nORDER BY ({order})\n"
        f"TTL {stamp} + {days}\nSETTINGS ttl_only_drop_parts = 1"
    )


def indices(level: str) -> list[str]:
    """Skip indices: a restart looks for the rows of a late commit without reading the table."""
    if level in (RAW, ABSOLUTE):
        return ["INDEX late_commit commit TYPE minmax GRANULARITY 1"]
    return []
