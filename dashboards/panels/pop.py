"""One PoP: does every director of it do the same, and its share?"""

from __future__ import annotations

from dashboards.links import NODE_UID, VIP_UID, narrowed
from dashboards.model import OK, Column, Heat, Lines, Panel, Table, Threshold
from dashboards.panels.lcores import BUSY, BUSY_COLOURS, BUSY_RATIO
from dashboards.sql import COVERED, SECONDS, gauges, ids, rates, rows, total
from lb._counters import Lcore, Vip

BY_NODE = {"series": "node"}
SKEW = (OK, Threshold(1.5, "orange"), Threshold(3, "red"))
LOSS = (OK, Threshold(0.0001, "orange"), Threshold(0.01, "red"))


def packets() -> Panel:
    return Panel(
        id=300,
        title="Packets received by director",
        question="Does each director get its share of the traffic, and since when not?",
        sql=rates("lcore", {"value": "{rx_packets}"}, [Lcore.RX_PACKETS], BY_NODE),
        unit="pps",
        draw=Lines(stacked=True),
    )


def bits() -> Panel:
    return Panel(
        id=301,
        title="Bits sent by director",
        question="How many bits a second does each director send to backends?",
        sql=rates("lcore", {"value": "{tx_bytes} * 8"}, [Lcore.TX_BYTES], BY_NODE),
        unit="bps",
        draw=Lines(stacked=True),
    )


def drops() -> Panel:
    columns = ids("drop")
    return Panel(
        id=302,
        title="Drops by director",
        question="Do all directors lose packets, or one?",
        sql=rates("lcore", {"value": total([f"{{{c}}}" for c in columns])}, columns, BY_NODE),
        unit="pps",
        draw=Lines(stacked=True),
    )


def busy() -> Panel:
    per_lcore = rates("lcore", {"share": BUSY_RATIO}, BUSY, {"node": "node", "lcore": "lcore"})
    return Panel(
        id=303,
        title="Busiest lcore of each director",
        question="Which director is short of time, and when?",
        sql=f"""SELECT time, node AS series, max(share) AS value
FROM ({per_lcore})
GROUP BY time, series
ORDER BY time, series""",
        unit="percentunit",
        draw=Heat(maximum=1),
    )


def share() -> Panel:
    each = rates("lcore", {"value": "{rx_packets}"}, [Lcore.RX_PACKETS], {"name": "node"})
    return Panel(
        id=304,
        title="Share of each director (ECMP)",
        question="Do the routers spread the traffic evenly over the directors?",
        sql=f"""SELECT time, name AS series,
  value / greatest(sum(value) OVER (PARTITION BY time), 1) AS share
FROM ({each})
ORDER BY time, series""",
        unit="percentunit",
        draw=Lines(maximum=1),
    )


def skew() -> Panel:
    each = rates(
        "lcore", {"value": "{rx_packets}"}, [Lcore.RX_PACKETS], {"site": "pop", "name": "node"}
    )
    return Panel(
        id=305,
        title="ECMP skew",
        question="How much more than the mean does the busiest director get? 1 is even.",
        sql=f"""SELECT time, site AS series, max(value) / greatest(avg(value), 0.001) AS skew
FROM ({each})
GROUP BY time, series
ORDER BY time, series""",
        draw=Lines(minimum=1),
    )


def picked_up() -> Panel:
    return Panel(
        id=306,
        title="Connections picked up in mid-flow",
        question="Did traffic move to another director, as when one leaves or comes back?",
        sql=rates(
            "lcore",
            {"value": "{picked_up_connections}"},
            [Lcore.PICKED_UP_CONNECTIONS],
            BY_NODE,
        ),
        unit="ops",
        draw=Lines(),
    )


def connections() -> Panel:
    return Panel(
        id=307,
        title="Connections by director",
        question="Where are the PoP's connections?",
        sql=gauges("lcore", {"value": "{active_connections}"}, [Lcore.ACTIVE_CONNECTIONS], BY_NODE),
        draw=Lines(stacked=True),
    )


def directors() -> Panel:
    dropped = total(ids("drop"))
    columns = [
        Lcore.RX_PACKETS, Lcore.TX_PACKETS, Lcore.RX_BYTES, *BUSY, Lcore.ACTIVE_CONNECTIONS,
        Lcore.MAX_CONNECTIONS, Lcore.CONFIG_GENERATION, *ids("drop"),
    ]  # fmt: skip
    return Panel(
        id=308,
        title="Directors side by side",
        question="Which director differs from its neighbours: load, loss, configuration?",
        sql=f"""SELECT pop, node, sum(l.received) AS received,
  received / greatest(sum(received) OVER (PARTITION BY pop), 1) AS share, sum(l.sent) AS sent,
  sum(l.bits_in) AS bits_in, sum(l.dropped) AS dropped,
  sum(l.dropped) / greatest(sum(l.packets), 1) AS loss, max(l.busy) AS busiest,
  max(l.full) AS fullest, sum(l.connections) AS connections, min(l.generation) AS generation,
  count() AS lcores
FROM (SELECT pop, node, instance, lcore, sum(rx_packets) AS packets,
  packets / {COVERED} AS received, sum(tx_packets) / {COVERED} AS sent,
  sum(rx_bytes) * 8 / {COVERED} AS bits_in, sum({dropped}) AS dropped,
  sum(busy_cycles) / greatest(sum(busy_cycles) + sum(idle_cycles), 1) AS busy,
  argMax(active_connections, t) AS connections,
  connections / greatest(argMax(max_connections, t), 1) AS full,
  argMax(config_generation, t) AS generation
FROM {rows("lcore", columns)}
GROUP BY pop, node, instance, lcore) AS l
GROUP BY pop, node
ORDER BY pop, node""",
        draw=Table(
            columns={
                "node": Column(link=narrowed(NODE_UID, ["pop", "node"])),
                "received": Column("pps"),
                "share": Column("percentunit"),
                "sent": Column("pps"),
                "bits_in": Column("bps"),
                "dropped": Column("short", (OK, Threshold(1, "orange"))),
                "loss": Column("percentunit", LOSS),
                "busiest": Column("percentunit", BUSY_COLOURS),
                "fullest": Column("percentunit", BUSY_COLOURS),
            }
        ),
        width=24,
    )


def skew_by_vip() -> Panel:
    return Panel(
        id=309,
        title="ECMP skew of each VIP",
        question="Is a VIP served by all directors, in equal parts? Skew: largest over mean.",
        sql=f"""SELECT pop, vip, address, port, protocol, sum(packets) / any(seconds) AS received,
  any(directors) AS of_directors, countIf(packets > 0) AS serving,
  max(packets) / greatest(sum(packets), 1) AS largest_share, argMax(node, packets) AS largest,
  max(packets) * any(directors) / greatest(sum(packets), 1) AS skew
FROM (SELECT pop, node, vip, address, port, protocol, sum(rx_packets) AS packets,
  {SECONDS} AS seconds, uniqExact(node) OVER (PARTITION BY pop) AS directors
FROM {rows("vip", [Vip.RX_PACKETS], keyframes=True)}
GROUP BY pop, node, vip, address, port, protocol)
GROUP BY pop, vip, address, port, protocol
ORDER BY received DESC, pop, vip, address, port, protocol
LIMIT 1000""",
        scope="vip",
        draw=Table(
            columns={
                "vip": Column(link=narrowed(VIP_UID, ["pop", "vip"])),
                "received": Column("pps"),
                "largest_share": Column("percentunit"),
                "skew": Column("short", SKEW),
            },
            sort="received",
        ),
        width=24,
    )
