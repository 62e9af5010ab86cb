"""Hours of nodes, PoPs and streams: small tables that planners' queries read instead of lcores.

They are computed from the hourly rollups. `node_hours` knows what the law says of every keyframe,
`stream_hours` which numbers came, so that a query over them can prove that nothing was lost.
"""

from __future__ import annotations

from lb.catalogue import LEDGER_TERMS, Catalogue
from pipeline.rollup_sql import SECONDS, within
from pipeline.schema import HOUR
from pipeline.store import DATABASE

NODES, POPS, STREAMS = "node_hours", "pop_hours", "stream_hours"
TABLES = (NODES, POPS, STREAMS)  # in this order: PoPs are computed from nodes

_ONE_PART = (
    "SETTINGS max_insert_threads = 1, async_insert = 0, min_insert_block_size_rows = 100000000, "
    "min_insert_block_size_bytes = 100000000000"
)
# Where they lie behind the hours of lcores; those of a store that was filled before are found, too.
BEHIND = f"""
SELECT toUnixTimestamp(ts) FROM (
    SELECT ts, max(version) AS v FROM {DATABASE}.lcore_1h GROUP BY ts
) AS l LEFT JOIN (
    SELECT ts, max(version) AS seen, count() AS n FROM {DATABASE}.{POPS} GROUP BY ts
) AS p USING (ts) WHERE v > seen OR n = 0"""


def insert(catalogue: Catalogue, table: str, windows: list[int], version: int) -> str:
    """Compute hours (starts in seconds since the epoch, all of one month) anew."""
    span = within(min(windows), max(windows) + SECONDS[HOUR])
    hours = ", ".join(map(str, windows))
    where = f"{span} AND toUnixTimestamp(toStartOfHour(ts, 'UTC')) IN ({hours})"
    rows = {NODES: _nodes, POPS: _pops, STREAMS: _streams}[table](catalogue, where)
    return f"INSERT INTO {DATABASE}.{table} SELECT *, toUInt64({version}) FROM ({rows}) {_ONE_PART}"


def _nodes(catalogue: Catalogue, where: str) -> str:
    place = "ts, pop, node"
    flows = {t: _sum(catalogue, t) for t in LEDGER_TERMS if t not in ("rx", "held")}
    summed = ", ".join(
        [
            *(f"sum({name}) AS {name}" for name in _SUMS),
            *(f"max({name}) AS {name}" for name in _GREATEST),
            *(f"sum({expression}) AS {term}" for term, expression in flows.items()),
        ]
    )
    workers = (
        f"SELECT ts, pop, node, instance, lcore, {summed} FROM {DATABASE}.lcore_1h AS s FINAL "
        f"WHERE {where} GROUP BY ts, pop, node, instance, lcore"
    )
    wrong = (
        f"{_sum(catalogue, 'rx')} + {flows['originated']} != "
        f"{flows['tx']} + {flows['drop']} + {flows['consumed']} + {_sum(catalogue, 'held')}"
    )
    law = (
        "SELECT hour AS ts, pop, node, count() AS keyframes, countIf(wrong) AS unbalanced FROM ("
        f"SELECT toStartOfHour(ts, 'UTC') AS hour, pop, node, {wrong} AS wrong "
        f"FROM {DATABASE}.lcore_abs WHERE {where}) GROUP BY {place}"
    )
    ports = (
        "SELECT ts, pop, node, sum(rx_missed_packets) AS missed "
        f"FROM {DATABASE}.port_1h AS p FINAL WHERE {where} GROUP BY {place}"
    )
    cycles = "busy_cycles + idle_cycles"
    return (
        "SELECT toDateTime(ts, 'UTC'), pop, node, sum(rx_packets), sum(rx_bytes), sum(tx_bytes), "
        "sum(rx_packets_peak), max(rx_packets_peak), sum(rx_bytes_peak), sum(tx_bytes_peak), "
        f"sum(busy_cycles), sum({cycles}), max(busy_cycles / greatest({cycles}, 1)), "
        "sum(active_connections), sum(max_connections), sum(created_connections), "
        "sum(tx), sum(originated), sum(consumed), sum(drop), "
        "any(missed), toUInt32(any(keyframes)), toUInt32(any(unbalanced)) "
        f"FROM ({workers}) AS w LEFT JOIN ({ports}) AS p USING ({place}) "
        f"LEFT JOIN ({law}) AS l USING ({place}) GROUP BY {place}"
    )


_SUMS = ("rx_packets", "rx_bytes", "tx_bytes", "busy_cycles", "idle_cycles", "created_connections")
_GREATEST = (
    "rx_packets_peak", "rx_bytes_peak", "tx_bytes_peak", "active_connections", "max_connections",
)  # fmt: skip


def _sum(catalogue: Catalogue, term: str) -> str:
    return f"({' + '.join(['0', *(c.id for c in catalogue.ledger(term))])})"


def _pops(_: Catalogue, where: str) -> str:
    return (
        "SELECT ts, pop, toUInt32(count()), sum(rx_packets), sum(rx_bytes), sum(tx_bytes), "
        "sum(rx_packets_peak), sum(rx_bytes_peak), sum(tx_bytes_peak), sum(busy_cycles), "
        "sum(cycles), max(busy_cycles / greatest(cycles, 1)), max(busiest_lcore_share), "
        "max(active_connections / greatest(max_connections, 1)), sum(active_connections), "
        f"sum(max_connections) FROM {DATABASE}.{NODES} AS n FINAL WHERE {where} GROUP BY ts, pop"
    )


def _streams(_: Catalogue, where: str) -> str:
    place = "hour, pop, node, stream"
    hour = "toStartOfHour(ts, 'UTC') AS hour"
    taken = (
        f"SELECT {hour}, pop, node, stream, toUInt32(count()) AS takeovers "
        f"FROM {DATABASE}.instances WHERE {where} AND taken_over GROUP BY {place}"
    )
    came = (
        f"SELECT {hour}, pop, node, stream, min(first) AS low, max(seq) AS high, "
        f"sum(seq - first + 1) AS numbers FROM {DATABASE}.frames WHERE {where} GROUP BY {place}"
    )
    return (
        "SELECT toDateTime(hour, 'UTC'), pop, node, stream, low, high, numbers, takeovers "
        f"FROM ({came}) AS f LEFT JOIN ({taken}) AS t USING ({place})"
    )
