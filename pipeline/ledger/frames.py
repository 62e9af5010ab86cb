"""Check 3: no frame is missing, none is there twice, and each has all of its rows, once."""

from __future__ import annotations

from typing import Any

from lb.catalogue import Catalogue
from pipeline import schema
from pipeline.ledger import gap
from pipeline.ledger.model import MAX_FINDINGS, Check, Range, moment
from pipeline.ledger.source import Source
from pipeline.store import DATABASE

_KNOWN = "commit <= {commit:UInt64}"
_MOST_GAPS = 100


def check_sequence(source: Source, catalogue: Catalogue, asked: Range) -> Check:
    """Every stream with frames in the range is without a gap: from its first frame, or from where
    the raw rows begin that are certainly kept, up to its last one in the range. By number, for
    clocks are set back.
    """
    found = Check("sequence", "frames of a stream are without a gap")
    rows = source.table(
        "SELECT stream, any(exporter) AS exporter, count() AS n, low, high, "
        "toInt64(high + 1) - toInt64(low) - toInt64(sum(seq - first + 1)) AS missing, "
        "count() - uniqExact(seq) AS twice "
        f"FROM {DATABASE}.frames AS f INNER JOIN ({_bounds(asked)}) AS b USING (stream) "
        f"WHERE seq BETWEEN low AND high AND {_KNOWN} GROUP BY stream, low, high "
        "ORDER BY stream",
        asked.params,
    ).to_pylist()
    for row in rows:
        found.examined += row["n"]
        name = f"{row['exporter']} stream {row['stream']:016x}"
        if row["twice"]:
            found.fail(f"{name}: {row['twice']} frames are there twice", row["twice"])
        elif row["missing"]:
            _missing(source, catalogue, asked, row, found)
    return found


def _bounds(asked: Range) -> str:
    """The numbers of each stream to look at. Frames are kept for longer than raw rows."""
    streams = f"SELECT DISTINCT stream FROM {DATABASE}.frames WHERE {asked.where()}"
    return (
        f"SELECT stream, maxIf(seq, {asked.where()}) AS high, "
        f"maxIf(seq + 1, ts < {moment('oldest')}) AS low "
        f"FROM {DATABASE}.frames WHERE stream IN ({streams}) AND {_KNOWN} GROUP BY stream"
    )


def _missing(
    source: Source, catalogue: Catalogue, asked: Range, row: dict[str, Any], found: Check
) -> None:
    """Name the gaps of a stream; those in which no count is missing are no fault."""
    params = asked.params | {k: str(row[k]) for k in ("stream", "low", "high")}
    gaps = source.table(
        "SELECT before + 1 AS low, first - 1 AS high FROM (SELECT toInt64(first) AS first, "
        "lagInFrame(toInt64(seq), 1, toInt64({low:UInt64}) - 1) OVER (ORDER BY frames.first) "
        f"AS before FROM {DATABASE}.frames WHERE stream = {{stream:UInt64}} "
        f"AND seq BETWEEN {{low:UInt64}} AND {{high:UInt64}} AND {_KNOWN}) "
        f"WHERE first > before + 1 ORDER BY low LIMIT {_MOST_GAPS}",
        params,
    ).to_pylist()
    bad = [g for g in gaps if not gap.is_harmless(source, catalogue, asked, row["stream"], g)]
    name = f"{row['exporter']} stream {row['stream']:016x}"
    size = row["high"] + 1 - row["low"]
    if bad or len(gaps) == _MOST_GAPS:
        found.fail(f"{name}: {row['missing']} of {size} frames lack: {_list(bad or gaps)}")
    else:
        found.notes.append(
            f"{name}: has no frames {_list(gaps)}: the exporter left these numbers out after its "
            "spool was damaged; the absolute counters around them show that nothing is missing but "
            "what a takeover tells"
        )


def _list(gaps: list[dict[str, int]]) -> str:
    shown = ", ".join(f"{g['low']}..{g['high']}" for g in gaps[:5])
    return shown + (f" and {len(gaps) - 5} more" if len(gaps) > 5 else "")


def check_rows(source: Source, asked: Range) -> Check:
    """A frame says how many rows of each table it brought: so many are there, and no others."""
    found = Check("rows", "every frame has all of its rows, once")
    for name, (scope, level) in schema.frame_tables().items():
        said = (
            "SELECT stream, seq, table_rows[indexOf(tables, "
            f"'{name}')] AS said_rows FROM {DATABASE}.frames WHERE {asked.where()}"
        )
        _compare(source, asked, schema.table_name(scope, level), said, found)
    return found


def _compare(source: Source, asked: Range, table: str, said: str, found: Check) -> None:
    there = (
        f"SELECT stream, seq, count() AS there_rows FROM {DATABASE}.{table} "
        f"WHERE {asked.where()} GROUP BY stream, seq"
    )
    # Rows of a group that a crash cut off wait for their frame, which comes again.
    waiting = (
        f"(stream, seq) IN (SELECT stream, seq FROM {DATABASE}.orphans WHERE table = '{table}')"
    )
    row = source.table(
        "SELECT sum(there_rows) AS n, countIf(bad) AS wrong, countIf(orphan) AS orphans, "
        f"groupArrayIf({MAX_FINDINGS})((stream, seq, said_rows, there_rows), bad) AS rows FROM "
        f"(SELECT stream, seq, said_rows, there_rows, said_rows = 0 AND {waiting} AS orphan, "
        f"said_rows != there_rows AND NOT orphan AS bad FROM ({said}) AS a "
        f"FULL JOIN ({there}) AS b USING (stream, seq))",
        asked.params,
    ).to_pylist()[0]
    found.examined += int(row["n"])
    found.failed += row["wrong"]
    for bad in row["rows"]:
        stream, seq, said_rows, there_rows = bad.values()
        found.fail(
            f"{table}: stream {stream:016x} frame {seq}: brought {said_rows} rows, "
            f"{there_rows} are there",
            0,
        )
    if row["orphans"]:
        found.notes.append(f"{table}: rows of {row['orphans']} frames wait for their frame")


def last_commit(source: Source) -> int:
    """The last commit that is whole."""
    row = source.table(f"SELECT max(commit) AS n FROM {DATABASE}.frames", {})
    return int(row.column("n")[0].as_py())


def count(source: Source, asked: Range) -> tuple[int, list[str]]:
    """Frames in the range, and the nodes that they are of."""
    row = source.table(
        "SELECT count() AS n, arraySort(groupUniqArray(concat(pop, '/', node))) AS nodes "
        f"FROM {DATABASE}.frames WHERE {asked.where()}",
        asked.params,
    ).to_pylist()[0]
    return row["n"], row["nodes"]
