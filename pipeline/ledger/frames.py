"""Check 3: no frame is missing, none is there twice, and each has all of its rows, once."""

from __future__ import annotations

from pipeline import schema
from pipeline.ledger.model import MAX_FINDINGS, Check, Range, moment
from pipeline.ledger.source import Source
from pipeline.store import DATABASE

# A stream is looked at from its beginning, not only in the range.
_UNTIL = f"ts < {moment('hi')} AND commit <= {{commit:UInt64}}"


def check_sequence(source: Source, asked: Range) -> Check:
    """Every stream with frames in the range is without a gap, from its first frame on."""
    found = Check("sequence", "frames of a stream are without a gap")
    streams = f"SELECT DISTINCT stream FROM {DATABASE}.frames WHERE {asked.where()}"
    rows = source.table(
        "SELECT stream, any(exporter) AS exporter, count() AS n, max(seq) AS high, "
        "toInt64(high + 1) - toInt64(sum(seq - first + 1)) AS missing, "
        "count() - uniqExact(seq) AS twice "
        f"FROM {DATABASE}.frames WHERE stream IN ({streams}) AND {_UNTIL} "
        "GROUP BY stream ORDER BY stream",
        asked.params,
    ).to_pylist()
    for row in rows:
        found.examined += row["n"]
        name = f"{row['exporter']} stream {row['stream']:016x}"
        if row["twice"]:
            found.fail(f"{name}: {row['twice']} frames are there twice", row["twice"])
        elif row["missing"]:
            gaps = _gaps(source, asked, row["stream"])
            found.fail(f"{name}: {row['missing']} of {row['high'] + 1} frames lack: {gaps}")
    return found


def _gaps(source: Source, asked: Range, stream: int) -> str:
    rows = source.table(
        "SELECT before + 1 AS low, first - 1 AS high FROM (SELECT toInt64(first) AS first, "
        "lagInFrame(toInt64(seq), 1, -1) OVER (ORDER BY frames.first) AS before "
        f"FROM {DATABASE}.frames WHERE stream = {{stream:UInt64}} "
        f"AND {_UNTIL}) "
        "WHERE first > before + 1 ORDER BY low LIMIT 5",
        asked.params | {"stream": str(stream)},
    ).to_pylist()
    return ", ".join(f"{r['low']}..{r['high']}" for r in rows) or "none"


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
