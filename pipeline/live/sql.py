"""The live page's queries, written from the counter catalogue.

Parameters: `since` and `until` (Unix ms), `width` (ms of a bucket), `pop` and `node` (a selection).
A sample stamped `ts` counts what came before it, and belongs to the bucket nearest to `ts`.
"""

from __future__ import annotations

from functools import cache

from lb._counters import Backend, Lcore, Node, Vip
from lb.catalogue import load

TABLE_SECONDS = 10  # rates in the tables are means over this long
_BUCKET = "intDiv(toUnixTimestamp64Milli(ts) + intDiv({width:Int64}, 2), {width:Int64})"
_RANGE = (
    "ts >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
    " AND ts < fromUnixTimestamp64Milli({until:Int64}, 'UTC')"
)
# Kinds of events that are about a state, and which states are as they should be.
GOOD_STATES = {
    "health": ("up",),
    "core": ("up",),
    "bgp": ("established", "disabled"),
    "route": ("advertised",),
}
_ROW = "pop, node, instance, lcore"
_PER_SECOND = "1000 / greatest(sum(interval_ms), 1) AS per_second"


def drop_reasons() -> dict[str, str]:
    """Column of popscope.lcore_1s -> reason, for every reason that a packet is dropped for."""
    return {c.id: dict(c.labels)["reason"] for c in load().ledger("drop")}


def reason_help() -> dict[str, str]:
    """What each reason means, in a sentence."""
    return {dict(c.labels)["reason"]: c.help for c in load().ledger("drop")}


def where(selected: bool) -> str:
    """The rows in the range, of one node when one is selected."""
    return _RANGE + (" AND pop = {pop:String} AND node = {node:String}" if selected else "")


def size(selected: bool) -> str:
    """How many lcore rows, nodes and lcores the range has."""
    return (
        f"SELECT count() AS rows, uniqExact(pop, node) AS nodes, uniqExact({_ROW}) AS lcores"
        f" FROM lcore_1s WHERE {where(selected)}"
    )


def traffic(selected: bool, series: int) -> str:
    """Packets and bits a second by bucket and node; all but the busiest `series` are one."""
    busiest = (
        f"SELECT pop, node FROM lcore_1s WHERE {where(selected)} GROUP BY pop, node"
        f" ORDER BY sum({Lcore.RX_PACKETS}) DESC, pop, node LIMIT {series}"
    )
    own = f"(pop, node) IN ({busiest})" if series else "true"
    return f"""
SELECT bucket, if({own}, concat(pop, '/', node), 'other nodes') AS name,
       sum(rx) AS rx, sum(tx) AS tx, sum(rx_bits) AS rx_bits, sum(tx_bits) AS tx_bits
FROM (SELECT {_BUCKET} AS bucket, {_ROW}, {_PER_SECOND},
             sum({Lcore.RX_PACKETS}) * per_second AS rx, sum({Lcore.TX_PACKETS}) * per_second AS tx,
             sum({Lcore.RX_BYTES}) * 8 * per_second AS rx_bits,
             sum({Lcore.TX_BYTES}) * 8 * per_second AS tx_bits
      FROM lcore_1s WHERE {where(selected)} GROUP BY bucket, {_ROW})
GROUP BY bucket, name ORDER BY name, bucket"""


def drops(selected: bool) -> str:
    """Dropped packets by bucket, one column a reason."""
    sums = ", ".join(f"sum({column}) AS {reason}" for column, reason in drop_reasons().items())
    return f"""
SELECT {_BUCKET} AS bucket, {sums}
FROM lcore_1s WHERE {where(selected)} GROUP BY bucket ORDER BY bucket"""


def lcores(selected: bool, rows: int) -> str:
    """Busy share (per mille), drops and packets by bucket and lcore.

    Of the `rows` that dropped most and were busiest; 0: of all.
    """
    dropped = _terms("drop")
    worst = (
        f"SELECT {_ROW} FROM lcore_1s WHERE {where(selected)} GROUP BY {_ROW}"
        f" ORDER BY sum({dropped}) DESC, sum({Lcore.BUSY_CYCLES}) DESC, {_ROW} LIMIT {rows}"
    )
    chosen = f" AND ({_ROW}) IN ({worst})" if rows else ""
    return f"""
SELECT {_BUCKET} AS bucket, concat(pop, '/', node, '/', instance, '/', lcore) AS name,
       toInt64(round(1000 * sum({Lcore.BUSY_CYCLES})
           / greatest(sum({Lcore.BUSY_CYCLES} + {Lcore.IDLE_CYCLES}), 1))) AS busy,
       toInt64(sum({dropped})) AS drops,
       toInt64(round(sum({Lcore.RX_PACKETS}) * 1000 / greatest(sum(interval_ms), 1))) AS packets
FROM lcore_1s WHERE {where(selected)}{chosen}
GROUP BY bucket, {_ROW} ORDER BY naturalSortKey(name), bucket"""


def residual(selected: bool) -> str:
    """Packets by bucket that the ledger law does not account for, however they are signed.

    Held packets are a level: what changed of it counts. A row without the one before it in the
    range (its first, or one after a gap) cannot be judged; `unjudged` counts those.
    """
    out = " - ".join(_terms(term) for term in ("tx", "drop", "consumed"))
    flow = f"{_terms('rx')} + {_terms('originated')} - {out}"
    # Terms are summed before the rows are sorted, so that few columns are.
    return f"""
SELECT {_BUCKET} AS bucket, sum(if(judged, abs(flow - (held - held_before)), 0)) AS residual,
       countIf(NOT judged) AS unjudged
FROM (SELECT ts, flow, held, lagInFrame(held) OVER w AS held_before,
             dateDiff('millisecond', lagInFrame(ts, 1, ts) OVER w, ts) AS since_before,
             since_before > 0 AND since_before <= 1.5 * interval_ms AS judged
      FROM (SELECT ts, interval_ms, cityHash64({_ROW}, boot) AS line, toInt64({flow}) AS flow,
                   toInt64({_terms("held")}) AS held
            FROM lcore_1s WHERE {where(selected)})
      WINDOW w AS (PARTITION BY line ORDER BY ts
                   ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))
GROUP BY bucket ORDER BY bucket"""


def instances() -> str:
    """The last that was heard of every instance in the range."""
    return f"""
SELECT pop, node, instance, hex(argMax(boot, (ts, start))) AS boot,
       argMax(state, (ts, start)) AS state, argMax(age_ms, (ts, start)) AS age_ms,
       toUnixTimestamp64Milli(max(start)) AS start_ms, toUnixTimestamp64Milli(max(ts)) AS heard_ms
FROM instances WHERE {where(False)} GROUP BY pop, node, instance"""


def generations() -> str:
    """The configuration that every instance had in force at last in the range."""
    return f"""
SELECT pop, node, instance, argMax({Node.CONFIG_GENERATION}, ts) AS generation
FROM node_1s WHERE {where(False)} GROUP BY pop, node, instance"""


def events(selected: bool, rows: int) -> str:
    """Restarts of a core and new configurations, the newest first."""
    generation = Node.CONFIG_GENERATION
    return f"""
SELECT toUnixTimestamp64Milli(ts) AS ms, pop, node, instance, boot != boot_before AS restart,
       generation
FROM (SELECT ts, pop, node, instance, boot, {generation} AS generation,
             lagInFrame(boot, 1, boot) OVER w AS boot_before,
             lagInFrame({generation}, 1, {generation}) OVER w AS generation_before
      FROM node_1s WHERE {where(selected)}
      WINDOW w AS (PARTITION BY pop, node, instance ORDER BY ts
                   ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))
WHERE boot != boot_before OR generation != generation_before
ORDER BY ts DESC LIMIT {rows}"""


def troubles(selected: bool, rows: int) -> str:
    """Alerts that fire, and what is not as it should be, by what was told last in the range.

    A state is told again within an hour, with the reason `still`, and so is known after `recent`;
    of an alert, only the beginning and the end are told.
    """
    good = ", ".join(f"('{k}', '{state}')" for k, states in GOOD_STATES.items() for state in states)
    kinds = ", ".join(f"'{kind}'" for kind in GOOD_STATES)
    return f"""
SELECT kind, pop, node, subject, now AS state, why AS reason, told AS detail, ms
FROM (SELECT e.kind AS kind, e.pop AS pop, e.node AS node, e.subject AS subject,
             argMax(e.state, e.ts) AS now, argMaxIf(e.reason, e.ts, e.reason != 'still') AS why,
             argMaxIf(e.detail, e.ts, e.reason != 'still') AS told,
             toUnixTimestamp64Milli(min(e.ts)) AS first,
             toUnixTimestamp64Milli(maxIf(e.ts, e.reason != 'still')) AS last,
             if(last > 0, last, first) AS ms
      FROM events AS e WHERE {where(selected)}
        AND (e.kind = 'alert' OR ts >= fromUnixTimestamp64Milli({{recent:Int64}}, 'UTC'))
      GROUP BY kind, pop, node, subject)
WHERE kind IN ({kinds}) AND (kind, now) NOT IN ({good})
   OR kind = 'alert' AND now = 'firing' OR kind = 'drain' AND now = 'draining'
   OR kind = 'config' AND now = 'rejected'
ORDER BY kind = 'alert' DESC, ms DESC, kind, pop, node, subject LIMIT {rows}"""


def vips(selected: bool, rows: int) -> str:
    """Rates of every listener in the range; from `rate_since` to `rate_until` (ms)."""
    rates = (Vip.RX_PACKETS, Vip.RX_BYTES, Vip.CREATED_CONNECTIONS, Vip.DROPPED_PACKETS)
    return _rated("vip", ("vip", "address", "port", "protocol"), rates, selected, rows)


def backends(selected: bool, rows: int) -> str:
    """Rates of every backend in the range, as `vips`."""
    rates = (
        Backend.TX_PACKETS,
        Backend.TX_BYTES,
        Backend.CREATED_CONNECTIONS,
        Backend.DROPPED_PACKETS,
    )
    return _rated("backend", ("pool", "backend", "address"), rates, selected, rows)


def _rated(
    scope: str, labels: tuple[str, ...], rates: tuple[str, ...], selected: bool, rows: int
) -> str:
    """Rows without a change may be missing from <scope>_1s; keyframes have all of them."""
    key = ", ".join(labels)
    row = f"ts, pop, node, instance, {key}, active_connections"
    packets, octets, created, dropped = rates
    recent = (
        "ts > fromUnixTimestamp64Milli({rate_since:Int64}, 'UTC')"
        " AND ts <= fromUnixTimestamp64Milli({rate_until:Int64}, 'UTC')"
    )
    # Planning costs more than reading here: each of these expressions stands in one place.
    return f"""
SELECT {key}, sum(ps) / {TABLE_SECONDS} AS packets, 8 * sum(os) / {TABLE_SECONDS} AS bits,
       sum(cs) / {TABLE_SECONDS} AS new, sum(ds) / {TABLE_SECONDS} AS drops, sum(level) AS active,
       count() OVER () AS rows
FROM (SELECT pop, node, instance, {key}, sum(p) AS ps, sum(o) AS os, sum(c) AS cs, sum(d) AS ds,
             argMax(active_connections, (ts, flow)) AS level
      FROM (SELECT {row}, 1 AS flow, {recent} AS now, {packets} * now AS p, {octets} * now AS o,
                   {created} * now AS c, {dropped} * now AS d
            FROM {scope}_1s WHERE {where(selected)}
            UNION ALL
            SELECT {row}, 0, 0, 0, 0, 0, 0 FROM {scope}_abs WHERE {where(selected)})
      GROUP BY pop, node, instance, {key})
GROUP BY {key} ORDER BY drops DESC, packets DESC, {key} LIMIT {rows}"""


@cache
def _terms(term: str) -> str:
    """The sum of one term of the ledger law, for a row."""
    return "(" + " + ".join(c.id for c in load().ledger(term)) + ")"
