"""Ports and queues: what the devices themselves say."""

from __future__ import annotations

from dashboards.model import OK, Column, Heat, Lines, Panel, Table, Threshold
from dashboards.sql import SECONDS, gauges, keys, rates, rows
from lb._counters import Node, Port, PortQueue

LOSS = (
    Port.RX_MISSED_PACKETS,
    Port.RX_NO_MBUF_FAILURES,
    Port.RX_ERROR_PACKETS,
    Port.TX_ERROR_PACKETS,
)
ANY = (OK, Threshold(0.001, "orange"))


def loss() -> Panel:
    return Panel(
        id=60,
        title="Loss at the ports",
        question="Are packets lost before a worker sees them, or in the device?",
        sql=rates(
            "port",
            {
                "missed": "{rx_missed_packets}",
                "no_mbuf": "{rx_no_mbuf_failures}",
                "rx_errors": "{rx_error_packets}",
                "tx_errors": "{tx_error_packets}",
            },
            LOSS,
        ),
        scope="port",
        unit="pps",
        draw=Lines(),
    )


def ports() -> Panel:
    names = ", ".join(keys("port"))
    columns = [
        Port.LINK_UP, Port.MTU_BYTES, Port.RX_PACKETS, Port.TX_PACKETS, Port.RX_BYTES,
        Port.TX_BYTES, *LOSS,
    ]  # fmt: skip
    return Panel(
        id=61,
        title="Ports",
        question="Which port is down, loses packets, or carries most?",
        sql=f"""SELECT {names}, argMax(link_up, t) AS link, argMax(mtu_bytes, t) AS mtu,
  sum(rx_packets) / {SECONDS} AS received, sum(tx_packets) / {SECONDS} AS sent,
  sum(rx_bytes) * 8 / {SECONDS} AS bits_in, sum(tx_bytes) * 8 / {SECONDS} AS bits_out,
  sum(rx_missed_packets) AS missed, sum(rx_no_mbuf_failures) AS no_mbuf,
  sum(rx_error_packets) AS rx_errors, sum(tx_error_packets) AS tx_errors
FROM {rows("port", columns, keyframes=True)}
GROUP BY {names}
ORDER BY {names}""",
        scope="port",
        draw=Table(
            columns={
                "link": Column("short", (Threshold(float("-inf"), "red"), Threshold(1, "green"))),
                "received": Column("pps"),
                "sent": Column("pps"),
                "bits_in": Column("bps"),
                "bits_out": Column("bps"),
                **{
                    c: Column("short", ANY) for c in ("missed", "no_mbuf", "rx_errors", "tx_errors")
                },
            }
        ),
        width=24,
        height=6,
    )


def queues() -> Panel:
    names = ", ".join(keys("port_queue"))
    columns = list(PortQueue)
    return Panel(
        id=62,
        title="Queues",
        question="Is the load spread over the queues, and does a queue refuse packets?",
        sql=f"""SELECT {names},
  sum(rx_packets) / {SECONDS} AS received, sum(tx_packets) / {SECONDS} AS sent,
  sum(rx_bytes) * 8 / {SECONDS} AS bits_in, sum(tx_bytes) * 8 / {SECONDS} AS bits_out,
  sum(tx_refused_packets) AS refused
FROM {rows("port_queue", columns)}
GROUP BY {names}
ORDER BY {names}""",
        scope="port_queue",
        draw=Table(
            columns={
                "received": Column("pps"),
                "sent": Column("pps"),
                "bits_in": Column("bps"),
                "bits_out": Column("bps"),
                "refused": Column("short", ANY),
            }
        ),
        width=24,
        height=7,
    )


def buffers() -> Panel:
    return Panel(
        id=63,
        title="Packet buffers in use",
        question="Do the packet buffers run out?",
        sql=gauges(
            "node",
            {"value": "{used_mbufs} / greatest({max_mbufs}, 1)"},
            [Node.USED_MBUFS, Node.MAX_MBUFS],
            {"series": "concat(node, ' ', instance)"},
        ),
        scope="node",
        unit="percentunit",
        draw=Lines(maximum=1),
    )


def traffic() -> Panel:
    return Panel(
        id=64,
        title="Bits at the ports",
        question="How much does each device take in and send out? Sent is below the axis.",
        sql=rates(
            "port",
            {"received": "{rx_bytes} * 8", "sent": "{tx_bytes} * 8"},
            [Port.RX_BYTES, Port.TX_BYTES],
        ),
        scope="port",
        unit="bps",
        draw=Lines(mirrored="sent"),
    )


def queue_skew() -> Panel:
    each = rates(
        "port_queue",
        {"value": "{rx_packets}"},
        [PortQueue.RX_PACKETS],
        {"name": "concat(node, ' port ', port)", "queue": "queue"},
    )
    return Panel(
        id=65,
        title="RSS skew",
        question="Does the device spread packets evenly over its queues (largest over mean)? "
        "1 is even; few flows cannot be spread.",
        sql=f"""SELECT time, name AS series, max(value) / greatest(avg(value), 0.001) AS skew
FROM ({each})
GROUP BY time, series
ORDER BY time, series""",
        scope="port_queue",
        draw=Lines(minimum=1),
    )


def queue_microbursts() -> Panel:
    return Panel(
        id=66,
        title="Microbursts of each queue",
        question="How many packets came from a queue in the fullest millisecond of a second?",
        sql=gauges(
            "port_queue",
            {"value": "{microburst_packets}"},
            [PortQueue.MICROBURST_PACKETS],
            {"series": "concat(node, ' port ', port, ' queue ', leftPad(queue, 3, '0'))"},
        ),
        scope="port_queue",
        draw=Heat(scheme="Purples"),
    )
