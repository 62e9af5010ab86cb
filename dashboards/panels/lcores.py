"""What the worker lcores do with their time, burst by burst."""

from __future__ import annotations

from dashboards.links import LCORE_UID, narrowed
from dashboards.model import OK, Column, Heat, Lines, Panel, Table, Threshold
from dashboards.sql import COVERED, gauges, ids, keys, rates, rows, total
from lb._counters import Lcore

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


def drops() -> Panel:
    columns = ids("drop")
    return Panel(
        id=46,
        title="Drops of each lcore",
        question="Do all lcores lose packets at once (a fault upstream), or one of them?",
        sql=rates(
            "lcore", {"value": total([f"{{{c}}}" for c in columns])}, columns, {"series": NAME}
        ),
        unit="pps",
        draw=Heat(scheme="Reds"),
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
                "lcore": Column(link=narrowed(LCORE_UID, keys("lcore"))),
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


def microbursts() -> Panel:
    return Panel(
        id=47,
        title="Microbursts of each lcore",
        question="How many packets came in the fullest millisecond of a second? A ring that "
        "overflows at a low mean rate does so here.",
        sql=gauges(
            "lcore",
            {"value": "{microburst_packets}"},
            [Lcore.MICROBURST_PACKETS],
            {"series": NAME},
        ),
        draw=Heat(scheme="Purples"),
    )


STAGES = {
    "ingress": Lcore.STAGE_INGRESS_CYCLES,
    "classify": Lcore.STAGE_CLASSIFY_CYCLES,
    "track": Lcore.STAGE_TRACK_CYCLES,
    "forward": Lcore.STAGE_FORWARD_CYCLES,
    "transmit": Lcore.STAGE_TRANSMIT_CYCLES,
}


def stages() -> Panel:
    return Panel(
        id=48,
        title="Cycles of each stage for a packet",
        question="Which stage makes a packet cost more? Sampled: one burst in 16.",
        sql=rates(
            "lcore",
            {name: f"{{{c}}} / greatest({{rx_packets}}, 1)" for name, c in STAGES.items()},
            [*STAGES.values(), Lcore.RX_PACKETS],
        ),
        draw=Lines(stacked=True),
    )
