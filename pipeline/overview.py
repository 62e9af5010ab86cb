"""What `/status` says beyond the pipeline's counters: rates, lag of each exporter, the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.hours import STREAMS
from pipeline.store import DATABASE, Store

_RECENT_SECONDS = 600
_MOST_BEHIND = 50
_RATES = f"""
SELECT count() / 60 AS frames_per_second, sum(rows) / 60 AS rows_per_second,
    sum(bytes) / 60 AS bytes_per_second
FROM {DATABASE}.frames WHERE stored_at > now64(3) - 60"""
_EXPORTERS = f"""
SELECT exporter, toFloat64(max(at)) AS newest FROM (
    SELECT exporter, toUnixTimestamp64Milli(max(ts)) / 1000 AS at FROM {DATABASE}.frames
    WHERE ts > now64(3) - {_RECENT_SECONDS} GROUP BY exporter
    UNION ALL
    SELECT concat(pop, '/', node) AS exporter, toUnixTimestamp(max(ts)) AS at
    FROM {DATABASE}.{STREAMS} GROUP BY exporter
) GROUP BY exporter ORDER BY newest, exporter"""
_PARTS = f"""
SELECT count() AS parts, sum(rows) AS rows, sum(bytes_on_disk) AS bytes,
    (SELECT max(n) FROM (SELECT count() AS n FROM system.parts
        WHERE active AND database = '{DATABASE}' GROUP BY table, partition)
    ) AS most_parts_in_a_partition,
    (SELECT count() FROM system.merges WHERE database = '{DATABASE}') AS merges
FROM system.parts WHERE active AND database = '{DATABASE}'"""
_BEFORE_GAP = f"""
SELECT exporter, toUnixTimestamp64Milli(ts) / 1000 AS at FROM {DATABASE}.frames
WHERE stream = {{stream:UInt64}} AND seq = {{seq:UInt64}} LIMIT 1"""


def overview(
    store: Store, folder: Path, streams: Mapping[int, list[tuple[int, int]]]
) -> dict[str, Any]:
    """Rates of the last minute, `lag` by exporter (the latest first), `missing` by stream, `store`.

    Blocks; raises QueryError. An exporter that was silent for long is known to the hour.
    """
    now = time.time()
    rates = store.query_arrow(_RATES).to_pylist()[0]
    exporters = store.query_arrow(_EXPORTERS).to_pylist()
    missing = sorted(_missing(store, streams, now), key=lambda row: -row["oldest_seconds"])
    parts = store.query_arrow(_PARTS).to_pylist()[0]
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    return {
        "rates": {name: float(value or 0) for name, value in rates.items()},
        "lag": [
            {"exporter": row["exporter"], "newest": row["newest"]}
            | {"lag_seconds": max(now - row["newest"], 0.0)}
            for row in exporters
        ],
        "missing": missing,
        "store": {name: int(value or 0) for name, value in parts.items()} | {"free_bytes": free},
    }


def _missing(
    store: Store, streams: Mapping[int, list[tuple[int, int]]], now: float
) -> list[dict[str, Any]]:
    """Streams with numbers that did not come: how many, and for how long the oldest lacks.

    They wait in a spool, or were never used (an exporter leaves some out after damage).
    """
    gaps = {}
    for stream, pieces in streams.items():
        lost = sum(b[0] - a[1] - 1 for a, b in pairwise(pieces))
        gaps[stream] = (lost, pieces[0][1])
    worst = sorted(gaps.items(), key=lambda item: -item[1][0])[:_MOST_BEHIND]
    rows = []
    for stream, (lost, last) in worst:
        found = store.query_arrow(
            _BEFORE_GAP, {"stream": str(stream), "seq": str(last)}
        ).to_pylist()
        at = found[0]["at"] if found else now
        name = found[0]["exporter"] if found else ""
        rows.append(
            {"exporter": name, "stream": f"{stream:016x}", "frames": lost}
            | {"oldest_seconds": max(now - at, 0.0)}
        )
    return rows
