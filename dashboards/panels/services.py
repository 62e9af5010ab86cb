"""What is served: configuration, neighbours, VIPs, backends."""

from __future__ import annotations

from dashboards.model import OK, Column, Lines, Panel, Table, Threshold
from dashboards.sql import SECONDS, gauges, keys, rates, rows
from lb._counters import Backend, Lcore, Node, Vip

NODE = "concat(node, ' ', instance)"
LOSS = (OK, Threshold(0.001, "orange"), Threshold(1, "red"))


def generation() -> Panel:
    node = gauges(
        "node", {"value": "{config_generation}"}, [Node.CONFIG_GENERATION], {"node": NODE}
    )
    lcore = gauges(
        "lcore",
        {"value": "{config_generation}"},
        [Lcore.CONFIG_GENERATION],
        {"node": NODE, "lcore": "lcore"},
    )
    return Panel(
        id=70,
        title="Configuration generation",
        question="Which configuration is in force, and do the workers use it? Two lines that stay "
        "apart mean that a worker is stuck on an old one.",
        sql=f"""SELECT time, series, value FROM (
SELECT time, concat(node, ' in force') AS series, value FROM ({node})
UNION ALL
SELECT time, concat(node, ' oldest worker') AS series, min(value) AS value FROM ({lcore})
GROUP BY time, series
)
ORDER BY time, series""",
        draw=Lines(minimum=None),
        reads=2,
    )


def neighbours() -> Panel:
    return Panel(
        id=71,
        title="Neighbours",
        question="Are there next hops or backends whose MAC address does not resolve?",
        sql=gauges(
            "node",
            {"wanted": "{neighbours}", "resolved": "{resolved_neighbours}"},
            [Node.NEIGHBOURS, Node.RESOLVED_NEIGHBOURS],
        ),
        scope="node",
        draw=Lines(),
        width=6,
    )


def configured() -> Panel:
    names = ", ".join(keys("node"))
    columns = [
        Node.CONFIG_GENERATION, Node.LISTENERS, Node.BACKENDS, Node.NEIGHBOURS,
        Node.RESOLVED_NEIGHBOURS, Node.APPLIED_CONFIGS, Node.REJECTED_CONFIGS,
    ]  # fmt: skip
    return Panel(
        id=72,
        title="Configuration of each core",
        question="Do all cores serve the same, and was a configuration refused in the range?",
        sql=f"""SELECT {names}, argMax(config_generation, t) AS generation,
  argMax(listeners, t) AS listeners, argMax(backends, t) AS backends,
  argMax(neighbours, t) - argMax(resolved_neighbours, t) AS unresolved,
  sum(applied_configs) AS applied, sum(rejected_configs) AS rejected
FROM {rows("node", columns)}
GROUP BY {names}
ORDER BY {names}""",
        scope="node",
        draw=Table(
            columns={
                "unresolved": Column("short", (OK, Threshold(1, "orange"))),
                "rejected": Column("short", (OK, Threshold(1, "red"))),
            }
        ),
        width=18,
    )


def vips() -> Panel:
    names = ", ".join(keys("vip"))
    return Panel(
        id=80,
        title="VIPs",
        question="Which VIP carries most, and which one loses packets?",
        sql=f"""SELECT {names}, sum(rx_packets) / {SECONDS} AS received,
  sum(rx_bytes) * 8 / {SECONDS} AS bits_in, sum(tx_packets) / {SECONDS} AS forwarded,
  sum(dropped_packets) AS dropped, sum(dropped_packets) / greatest(sum(rx_packets), 1) AS loss,
  argMax(held_packets, t) AS held, argMax(active_connections, t) AS connections,
  sum(created_connections) / {SECONDS} AS created, sum(picked_up_connections) AS picked_up
FROM {rows("vip", list(Vip), keyframes=True)}
GROUP BY {names}
ORDER BY received DESC, {names}
LIMIT 1000""",
        scope="vip",
        draw=Table(
            columns={
                "received": Column("pps"),
                "bits_in": Column("bps"),
                "forwarded": Column("pps"),
                "dropped": Column("short", LOSS),
                "loss": Column("percentunit"),
                "created": Column("ops"),
            },
            sort="received",
        ),
        width=24,
    )


def backends() -> Panel:
    names = ", ".join(keys("backend"))
    return Panel(
        id=81,
        title="Backends",
        question="Does each backend of a pool get its share, and does one lose packets?",
        sql=f"""SELECT {names}, sum(tx_packets) / {SECONDS} AS sent,
  sum(tx_bytes) * 8 / {SECONDS} AS bits_out, sum(dropped_packets) AS dropped,
  argMax(active_connections, t) AS connections,
  sum(created_connections) / {SECONDS} AS created, sum(picked_up_connections) AS picked_up
FROM {rows("backend", list(Backend), keyframes=True)}
GROUP BY {names}
ORDER BY pool, backend, {names}
LIMIT 1000""",
        scope="backend",
        draw=Table(
            columns={
                "sent": Column("pps"),
                "bits_out": Column("bps"),
                "dropped": Column("short", LOSS),
                "created": Column("ops"),
            },
        ),
        width=24,
    )


def vip_traffic() -> Panel:
    return Panel(
        id=82,
        title="Packets received by VIP",
        question="Which VIP's traffic rose or fell?",
        sql=rates("vip", {"value": "{rx_packets}"}, [Vip.RX_PACKETS], {"series": "vip"}),
        scope="vip",
        unit="pps",
        draw=Lines(stacked=True),
    )


def backend_traffic() -> Panel:
    return Panel(
        id=83,
        title="Packets sent by backend",
        question="Did traffic move from one backend to another, as after a drain?",
        sql=rates(
            "backend",
            {"value": "{tx_packets}"},
            [Backend.TX_PACKETS],
            {"series": "concat(pool, ' ', backend)"},
        ),
        scope="backend",
        unit="pps",
        draw=Lines(stacked=True),
    )
