"""The statements that compute rollups: whole windows, from the level below, one partition each."""

from __future__ import annotations

from lb.catalogue import Catalogue, Counter
from pipeline import schema
from pipeline.schema import HOUR, MINUTE, RAW
from pipeline.store import DATABASE

SECONDS = {MINUTE: 60, HOUR: 3600}
SOURCE = {MINUTE: RAW, HOUR: MINUTE}
# One insert, one part: a window is never there in half.
ONE_PART = (
    "SETTINGS max_insert_threads = 1, async_insert = 0, min_insert_block_size_rows = 100000000, "
    "min_insert_block_size_bytes = 100000000000"
)


def window_of(level: str) -> str:
    """The expression for the window of `ts`, as DateTime in UTC."""
    return f"toStartOfInterval(ts, toIntervalSecond({SECONDS[level]}), 'UTC')"


def within(first: int, end: int) -> str:
    """The condition that `ts` is from `first` on and before `end`, seconds since the epoch.

    Bounds of milliseconds: the engine takes `ts < toDateTime(end)` for `ts <= end - 1` when it
    chooses parts, and passes over one whose rows are all in the second before `end`.
    """
    return f"ts >= toDateTime64({first}, 3, 'UTC') AND ts < toDateTime64({end}, 3, 'UTC')"


def values(counter: Counter, level: str) -> list[str]:
    """How the columns of one entry are computed from the level below, which is called `s`."""
    function = {"histogram": "sumForEach", "gauge": "max", "counter": "sum"}[counter.kind]
    computed = [f"{function}(s.{counter.id}) AS {counter.id}"]
    if schema.has_peak(counter, level):
        computed.append(f"{_peak(counter, level)} AS {schema.peak_name(counter)}")
    return computed


def _peak(counter: Counter, level: str) -> str:
    if level == HOUR:
        return f"max(s.{schema.peak_name(counter)})"
    return (
        f"max(if(s.interval_ms <= {schema.LONGEST_SECOND_MS}, s.{counter.id}, "
        f"intDiv(s.{counter.id} * 1000, s.interval_ms)))"
    )


def source(scope: str, level: str) -> str:
    """The table that a level is computed from; rollups are read with FINAL."""
    below = SOURCE[level]
    final = " FINAL" if below == MINUTE else ""
    return f"{DATABASE}.{schema.table_name(scope, below)} AS s{final}"


def select(
    catalogue: Catalogue, scope: str, level: str, where: str, version: str, join: str = ""
) -> str:
    """The rows of a level, computed anew. Columns in the order of `columns`."""
    keys = ", ".join((*schema.row_key(scope), "boot"))
    samples = "toUInt32(count())" if level == MINUTE else "toUInt32(sum(s.samples))"
    computed = [v for c in catalogue.scope(scope) for v in values(c, level)]
    listed = ", ".join(
        (f"{window_of(level)} AS w", keys, f"{samples} AS samples", version, *computed)
    )
    return f"SELECT {listed} FROM {source(scope, level)} {join} WHERE {where} GROUP BY w, {keys}"


def insert(catalogue: Catalogue, scope: str, level: str, windows: list[int], version: int) -> str:
    """Recompute windows (starts in seconds since the epoch, all in one partition).

    From the rows that were committed up to `version`: those of a group in flight, or of one that
    is torn just now, would make it say something that nobody can compute again.
    """
    names = ", ".join(c.name for c in schema.columns(catalogue, scope, level))
    first, end = min(windows), max(windows) + SECONDS[level]
    where = within(first, end)
    if len(windows) * SECONDS[level] < end - first:
        listed = ", ".join(str(w) for w in windows)
        where += f" AND toUnixTimestamp({window_of(level)}) IN ({listed})"
    if SOURCE[level] == RAW:
        where += f" AND commit <= {version}"
    table = f"{DATABASE}.{schema.table_name(scope, level)}"
    query = select(catalogue, scope, level, where, f"toUInt64({version})")
    return f"INSERT INTO {table} ({names}) {query} {ONE_PART}"
