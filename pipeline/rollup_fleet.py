"""The rollup of nodes, `fleet_<level>`: a row a window and node, from the rollups of its lcores."""

from __future__ import annotations

from lb._counters import Lcore
from lb.catalogue import Catalogue
from pipeline.rollup_sql import ONE_PART, SECONDS
from pipeline.store import DATABASE

SUMS = (
    Lcore.RX_PACKETS,
    Lcore.TX_PACKETS,
    Lcore.RX_BYTES,
    Lcore.TX_BYTES,
    f"{Lcore.RX_PACKETS}_peak",
    Lcore.BUSY_CYCLES,
    Lcore.IDLE_CYCLES,
)
# A lcore has a row a boot: its gauges are the larger ones, not the sum.
LEVELS = (Lcore.ACTIVE_CONNECTIONS, Lcore.MAX_CONNECTIONS)


def table_name(level: str) -> str:
    """The name of a table, without the database."""
    return f"fleet_{level}"


def select(catalogue: Catalogue, level: str, where: str, version: str) -> tuple[str, str]:
    """Names of the columns, and the query that computes them from `lcore_<level>`."""
    drops = catalogue.ledger("drop")
    terms = {term: _sum(catalogue, term) for term in ("originated", "consumed", "drop")}
    reasons = ", ".join(f"'{dict(c.labels)['reason']}', sum(l.{c.id})" for c in drops)
    columns = {
        "ts": "l.ts",
        "pop": "l.pop",
        "node": "l.node",
        "version": version,
        "lcores": "toUInt32(count())",
        "instances": "toUInt32(uniqExact(l.instance))",
        "boots": "arraySort(groupUniqArrayArray(l.boots))",
        **{c: f"sum(l.{c})" for c in (*SUMS, *LEVELS)},
        "originated_packets": f"sum({terms['originated']})",
        "consumed_packets": f"sum({terms['consumed']})",
        "dropped_packets": f"sum({terms['drop']})",
        "drops": f"mapFilter((k, v) -> v > 0, map({reasons}))",
        "busiest_lcore": "toFloat32(max(l.busy_cycles / "
        "greatest(l.busy_cycles + l.idle_cycles, 1)))",
        "fullest_table": "toFloat32(max(l.active_connections / greatest(l.max_connections, 1)))",
        "config_generation": f"min(l.{Lcore.CONFIG_GENERATION})",
    }
    counted = [c.id for term in ("originated", "consumed", "drop") for c in catalogue.ledger(term)]
    inner = [f"sum(r.{c}) AS {c}" for c in (*SUMS, *counted)]
    inner += [f"max(r.{c}) AS {c}" for c in (*LEVELS, Lcore.CONFIG_GENERATION)]
    keys = "r.ts AS ts, r.pop AS pop, r.node AS node, r.instance AS instance, r.lcore AS lcore"
    lcores = (
        f"SELECT {keys}, groupUniqArray(r.boot) AS boots, {', '.join(inner)} "
        f"FROM {DATABASE}.lcore_{level} AS r FINAL WHERE {where} "
        "GROUP BY ts, pop, node, instance, lcore"
    )
    return (
        ", ".join(columns),
        f"SELECT {', '.join(columns.values())} FROM ({lcores}) AS l GROUP BY l.ts, l.pop, l.node",
    )


def _sum(catalogue: Catalogue, term: str) -> str:
    return " + ".join(f"l.{c.id}" for c in catalogue.ledger(term))


def insert(catalogue: Catalogue, level: str, windows: list[int], version: int) -> str:
    """Recompute windows (starts in seconds since the epoch, all in one partition)."""
    first, end = min(windows), max(windows) + SECONDS[level]
    where = f"r.ts >= toDateTime({first}, 'UTC') AND r.ts < toDateTime({end}, 'UTC')"
    if len(windows) * SECONDS[level] < end - first:
        where += f" AND toUnixTimestamp(r.ts) IN ({', '.join(map(str, windows))})"
    names, query = select(catalogue, level, where, f"toUInt64({version})")
    return f"INSERT INTO {DATABASE}.{table_name(level)} ({names}) {query} {ONE_PART}"
