"""What the worker lcores do with their time, burst by burst."""

from __future__ import annotations

from dashboards.links import narrowed
from dashboards.model import OK, Column, Heat, Lines, Panel, Table, Threshold
from dashboards.sql import COMPLETE, COVERED, ids, keys, rates, rows, total
from lb._counters import Lcore
from lb.catalogue import load

# Padded, so that lcores are in the order of their numbers where names are sorted.
NAME = "concat(node, ' ', leftPad(lcore, 3, '0'))"
BUSY = (Lcore.BUSY_CYCLES, Lcore.IDLE_CYCLES)
BUSY_RATIO = "{busy_cycles} / greatest({busy_cycles} + {idle_cycles}, 1)"
BUSY_COLOURS = (OK, Threshold(0.7, "orange"), Threshold(0.9, "red"))


def busy() -> Panel:
    return Panel(
        id=40,
        title="Busy share of each lcore",
        question="Which lcore is short of time, and when? At 100 % it never finds an empty queue.",
        sql=rates("lcore", {"value": BUSY_RATIO}, BUSY, {"series": NAME}),
        unit="percentunit",
        draw=Heat(maximum=1, scheme="Oranges"),
        width=24,
        height=9,
    )


def lcores() -> Panel:
    columns = [
        Lcore.RX_PACKETS, Lcore.TX_PACKETS, Lcore.RX_BURSTS, *BUSY, Lcore.LOOP_ITERATIONS,
        Lcore.ACTIVE_CONNECTIONS, Lcore.CONFIG_GENERATION, *ids("drop"),
    ]  # fmt: skip
    names = ", ".join(keys("lcore"))
    return Panel(
        id=41,
        title="Lcores",
        question="How do the lcores compare over the range: load, loss, cost of a packet?",
        sql=f"""SELECT {names},
  sum(busy_cycles) / greatest(sum(busy_cycles) + sum(idle_cycles), 1) AS busy,
  sum(rx_packets) / {COVERED} AS received,
  sum(tx_packets) / {COVERED} AS sent,
  sum({total(ids("drop"))}) / {COVERED} AS dropped,
  sum({total(ids("drop"))}) / greatest(sum(rx_packets), 1) AS loss,
  sum(rx_packets) / greatest(sum(rx_bursts), 1) AS packets_per_burst,
  sum(busy_cycles) / greatest(sum(rx_packets), 1) AS cycles_per_packet,
  sum(loop_iterations) / {COVERED} AS loops,
  argMax(active_connections, t) AS connections,
  argMax(config_generation, t) AS generation
FROM {rows("lcore", columns)}
GROUP BY {names}
ORDER BY pop, node, instance, length(lcore), lcore""",
        draw=Table(
            columns={
                "lcore": Column(link=narrowed(keys("lcore"))),
                "busy": Column("percentunit", BUSY_COLOURS),
                "received": Column("pps"),
                "sent": Column("pps"),
                "dropped": Column("pps", (OK, Threshold(1, "orange"))),
                "loss": Column("percentunit"),
                "loops": Column("ops"),
            }
        ),
        width=24,
        height=9,
    )


def _buckets(column: str) -> list[str]:
    bounds = next(c.bounds for c in load().scope("lcore") if c.id == column)
    lows = [1, *(b + 1 for b in bounds)]
    names = [str(b) if low == b else f"{low}-{b}" for low, b in zip(lows, bounds, strict=False)]
    return [*names, f"{lows[-1]} and more"]


def _histogram(column: str) -> str:
    picked = ",\n  ".join(
        f'cells[{i}] / seconds AS "{name}"' for i, name in enumerate(_buckets(column), 1)
    )
    return f"""SELECT time, {picked}
FROM (SELECT time, sumForEach({column}) AS cells, any(step) AS seconds
FROM {rows("lcore", [column])}
WHERE {COMPLETE}
GROUP BY time)
ORDER BY time"""


def burst_sizes() -> Panel:
    return Panel(
        id=42,
        title="Packets in a burst",
        question="Do the lcores find few packets at each poll (idle) or full bursts (behind)?",
        sql=_histogram(Lcore.BURST_PACKETS),
        unit="ops",
        draw=Heat(scheme="Blues"),
    )


def burst_cycles() -> Panel:
    return Panel(
        id=43,
        title="Cycles of a busy iteration",
        question="Are there iterations that take far longer than the others, and so delay packets?",
        sql=_histogram(Lcore.BURST_CYCLES),
        unit="ops",
        draw=Heat(scheme="Blues"),
    )


def cost() -> Panel:
    return Panel(
        id=44,
        title="Cycles for a packet",
        question="Does a packet cost more than it did, on which lcore?",
        sql=rates(
            "lcore",
            {"value": "{busy_cycles} / greatest({rx_packets}, 1)"},
            [Lcore.BUSY_CYCLES, Lcore.RX_PACKETS],
            {"series": NAME},
        ),
        draw=Lines(),
    )


def imbalance() -> Panel:
    per_lcore = rates("lcore", {"share": BUSY_RATIO}, BUSY, {"node": "node", "lcore": "lcore"})
    return Panel(
        id=45,
        title="Imbalance of the lcores",
        question="Is one lcore busier than the others of its node (largest over mean)? 1 is even.",
        sql=f"""SELECT time, node AS series, max(share) / greatest(avg(share), 0.001) AS value
FROM ({per_lcore})
GROUP BY time, series
ORDER BY time, series""",
        draw=Lines(),
    )
