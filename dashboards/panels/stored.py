"""Between a node's snapshot and the store: what came, when, and what did not."""

from __future__ import annotations

from dashboards.links import NODE_UID, narrowed
from dashboards.model import ANY_IS_BAD, OK, Column, Heat, Lines, Panel, Stat, Table, Threshold
from dashboards.sql import END, IN_RANGE, condition

# Frames lie in the order of their streams, one or a few a node: those of the chosen nodes are found
# by the states that came with them. At most the last 3 hours of the range, a row a second and node.
_NODE = " AND ".join(map(condition, ("pop", "node")))
_RECENT = f"{IN_RANGE} AND ts > $__toTime_ms - INTERVAL 3 HOUR"
FRAMES = f"""popscope.frames
WHERE {_RECENT}
  AND stream IN (SELECT DISTINCT stream FROM popscope.instances WHERE {_RECENT} AND {_NODE})"""
DELAY = "greatest(dateDiff('millisecond', ts, stored_at), 0) / 1000"
TIME = "toDateTime(intDiv(toUnixTimestamp(ts), $__interval_s) * $__interval_s) AS time"
SCOPE = "frames"
DELAYS = (OK, Threshold(2, "orange"), Threshold(30, "red"))


def delay_now() -> Panel:
    return Panel(
        id=600,
        title="From snapshot to store (p99)",
        question="How long does a frame take from the node's snapshot until it can be asked for?",
        sql=f"SELECT quantile(0.99)({DELAY}) AS delay\nFROM {FRAMES}\nHAVING count() > 0",
        unit="s",
        draw=Stat(DELAYS),
        scope=SCOPE,
        width=6,
        height=4,
    )


def missing() -> Panel:
    return Panel(
        id=601,
        title="Frames missing",
        question="How many frames are not stored, though later ones of the same spool are?",
        sql=f"""SELECT sum(missing) AS missing FROM (
SELECT toInt64(max(seq) - min(first) + 1) - toInt64(sum(seq - first + 1)) AS missing
FROM {FRAMES}
GROUP BY stream
)
HAVING count() > 0""",
        draw=Stat(ANY_IS_BAD),
        scope=SCOPE,
        width=6,
        height=4,
    )


def merged() -> Panel:
    return Panel(
        id=602,
        title="Frames merged",
        question="Did a spool run out of room, so that seconds were merged? Sums are not affected.",
        sql=f"SELECT sum(seq - first) AS merged\nFROM {FRAMES}\nHAVING count() > 0",
        draw=Stat((OK, Threshold(1, "orange"))),
        scope=SCOPE,
        width=6,
        height=4,
    )


def taken_over() -> Panel:
    return Panel(
        id=603,
        title="Spools lost, rows torn",
        question="Did a node lose its spool, or was a row torn by a kill? popscope ledger verify "
        "says how many packets, if any, that cost.",
        sql=f"""SELECT countIf(taken_over) AS spools_lost, sum(torn_rows) AS rows_torn
FROM popscope.instances
WHERE {_RECENT} AND {_NODE}
HAVING count() > 0""",
        draw=Stat(ANY_IS_BAD),
        scope="instances",
        width=6,
        height=4,
    )


def delays() -> Panel:
    return Panel(
        id=610,
        title="From snapshot to store (last 3 h)",
        question="Is the data as fresh as it was?",
        sql=f"""SELECT {TIME}, quantile(0.5)({DELAY}) AS p50, quantile(0.99)({DELAY}) AS p99,
  max({DELAY}) AS longest
FROM {FRAMES}
GROUP BY time
ORDER BY time""",
        unit="s",
        draw=Lines(),
        scope=SCOPE,
    )


def delays_by_node() -> Panel:
    return Panel(
        id=611,
        title="Longest delay of each node (last 3 h)",
        question="Are all nodes late (the pipeline), or one (its way here)?",
        sql=f"""SELECT {TIME}, node AS series, max({DELAY}) AS delay
FROM {FRAMES}
GROUP BY time, series
ORDER BY time, series""",
        unit="s",
        draw=Heat(),
        scope=SCOPE,
    )


def volume() -> Panel:
    return Panel(
        id=612,
        title="Rows of frames by node (last 3 h)",
        question="Which node sends how many rows, and did it stop?",
        sql=f"""SELECT {TIME}, node AS series, sum(rows) / $__interval_s AS value
FROM {FRAMES}
GROUP BY time, series
ORDER BY time, series""",
        unit="rowsps",
        draw=Lines(stacked=True),
        scope=SCOPE,
    )


def octets() -> Panel:
    return Panel(
        id=613,
        title="Bytes of frames by node (last 3 h)",
        question="How much does telemetry cost on the way here, unpacked?",
        sql=f"""SELECT {TIME}, node AS series, sum(bytes) / $__interval_s AS value
FROM {FRAMES}
GROUP BY time, series
ORDER BY time, series""",
        unit="Bps",
        draw=Lines(stacked=True),
        scope=SCOPE,
    )


def backlog() -> Panel:
    return Panel(
        id=614,
        title="Backlog delivered (last 3 h)",
        question="Are frames stored now that were made long before (over 30 s): an outage filled "
        "up again?",
        sql=f"""SELECT {TIME}, countIf({DELAY} > 30) AS late_frames, count() AS frames
FROM {FRAMES}
GROUP BY time
ORDER BY time""",
        draw=Lines(),
        scope=SCOPE,
    )


def exporters() -> Panel:
    return Panel(
        id=620,
        title="Exporters (last 3 h)",
        question="Up to when is the data of each node there, and how does it come?",
        sql=f"""SELECT pop, node, exporter, uniqExact(stream) AS spools, max(ts) AS watermark,
  dateDiff('millisecond', max(ts), toDateTime64({END}, 3)) / 1000 AS data_age,
  count() AS frames, sum(seq - first) AS merged, countIf({DELAY} > 30) AS late,
  max({DELAY}) AS longest_delay, avg(rows) AS rows_a_frame, avg(bytes) AS bytes_a_frame
FROM {FRAMES}
GROUP BY pop, node, exporter
ORDER BY data_age DESC, pop, node""",
        draw=Table(
            columns={
                "node": Column(link=narrowed(NODE_UID, ["pop", "node"])),
                "data_age": Column("s", (OK, Threshold(5, "orange"), Threshold(30, "red"))),
                "merged": Column("short", (OK, Threshold(1, "orange"))),
                "longest_delay": Column("s", DELAYS),
                "bytes_a_frame": Column("bytes"),
            }
        ),
        scope=SCOPE,
        width=24,
    )


def rolled_up() -> Panel:
    """Of the nodes' rollup, which is the last that is computed."""
    each = "\nUNION ALL\n".join(
        f"SELECT '{level}' AS level, max(ts) + {seconds} AS up_to,\n"
        f"  toUnixTimestamp({END}) - toUnixTimestamp(max(ts) + {seconds}) AS behind\n"
        f"FROM popscope.fleet_{suffix} WHERE $__timeFilter(ts)\n"
        f"  AND ts > $__toTime - INTERVAL {hours} HOUR\nHAVING count() > 0"
        for level, suffix, seconds, hours in (
            ("minutes", "1m", 60, 1),
            ("hours", "1h", 3_600, 6),
        )
    )
    return Panel(
        id=621,
        title="Rollups",
        question="Up to when are minutes and hours computed, as far as the range shows? "
        "A window is computed seconds after its end.",
        sql=each,
        draw=Table(columns={"behind": Column("s")}),
        scope="fleet",
        width=8,
    )


def tables() -> Panel:
    return Panel(
        id=622,
        title="Size of the store",
        question="Which table takes the room, and how many bytes is a row?",
        sql="""SELECT name, total_rows AS stored_rows, total_bytes AS stored_bytes,
  total_bytes / greatest(total_rows, 1) AS bytes_a_row
FROM system.tables
WHERE database = 'popscope' AND total_rows > 0
ORDER BY stored_bytes DESC""",
        draw=Table(columns={"stored_bytes": Column("bytes"), "bytes_a_row": Column("bytes")}),
        scope="tables",
        width=8,
    )


def foreign() -> Panel:
    return Panel(
        id=623,
        title="Foreign metrics with most series",
        question="Whose metrics (remote write, OTLP) have how many series?",
        sql="""SELECT tenant, name AS metric, uniq(series) AS different_series,
  max(seen) AS last_seen
FROM popscope.series
WHERE $__timeFilter(seen)
GROUP BY tenant, metric
ORDER BY different_series DESC, tenant, metric
LIMIT 50""",
        draw=Table(),
        scope="series",
        width=8,
    )


def proof() -> Panel:
    return Panel(
        id=624,
        title="Was every packet kept account of? (whole hours)",
        question="Can it be proven that nothing was lost in the range: no packet missed by a port, "
        "no keyframe against the law, no frame missing, no spool lost?",
        sql=f"""SELECT pop, node, count() AS whole_hours, sum(received) AS packets_received,
  sum(transmitted) AS packets_sent, sum(dropped) AS dropped_with_reason, sum(lost) AS missed,
  sum(unbalanced_keyframes) AS unbalanced, sum(missing_frames) AS frames_missing,
  sum(takeovers) AS spools_lost
FROM popscope.packet_ledger
WHERE $__timeFilter(ts) AND ts <= $__toTime - INTERVAL 3600 SECOND
  AND {_NODE}
GROUP BY pop, node
ORDER BY pop, node""",
        draw=Table(
            columns={
                name: Column("short", ANY_IS_BAD)
                for name in ("missed", "unbalanced", "frames_missing", "spools_lost")
            }
        ),
        scope="capacity_ledger",
        width=24,
    )
