"""VIPs: rate, errors, connections. How long answers take is between client and backend."""

from __future__ import annotations

from dashboards.links import VIP_UID, narrowed
from dashboards.model import OK, Column, Heat, Lines, Panel, Table, Threshold
from dashboards.sql import SECONDS, gauges, keys, rates, rows
from lb._counters import Vip

LOSS = (OK, Threshold(0.001, "orange"), Threshold(1, "red"))
NAME = {"series": "vip"}
SCOPE = "vip"


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
  argMax(half_open_connections, t) AS half_open,
  sum(created_connections) / {SECONDS} AS created, sum(picked_up_connections) AS picked_up
FROM {rows("vip", list(Vip), keyframes=True)}
GROUP BY {names}
ORDER BY received DESC, {names}
LIMIT 1000""",
        scope=SCOPE,
        draw=Table(
            columns={
                "vip": Column(link=narrowed(VIP_UID, ["pop", "vip"])),
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


def traffic() -> Panel:
    return Panel(
        id=82,
        title="Packets received by VIP",
        question="Which VIP's traffic rose or fell?",
        sql=rates("vip", {"value": "{rx_packets}"}, [Vip.RX_PACKETS], NAME),
        scope=SCOPE,
        unit="pps",
        draw=Lines(stacked=True),
    )


def bits() -> Panel:
    return Panel(
        id=400,
        title="Bits received by VIP",
        question="Which VIP takes the bandwidth?",
        sql=rates("vip", {"value": "{rx_bytes} * 8"}, [Vip.RX_BYTES], NAME),
        scope=SCOPE,
        unit="bps",
        draw=Lines(stacked=True),
    )


def loss() -> Panel:
    return Panel(
        id=401,
        title="Drops by VIP",
        question="Which VIP loses packets, and since when?",
        sql=rates("vip", {"value": "{dropped_packets}"}, [Vip.DROPPED_PACKETS], NAME),
        scope=SCOPE,
        unit="pps",
        draw=Lines(stacked=True),
    )


def fate() -> Panel:
    return Panel(
        id=402,
        title="Fate of the packets",
        question="What became of the packets of the chosen VIPs?",
        sql=rates(
            "vip",
            {"forwarded": "{tx_packets}", "dropped": "{dropped_packets}"},
            [Vip.TX_PACKETS, Vip.DROPPED_PACKETS],
        ),
        scope=SCOPE,
        unit="pps",
        draw=Lines(stacked=True),
    )


def connections() -> Panel:
    return Panel(
        id=403,
        title="Connections by VIP",
        question="How many connections has each VIP?",
        sql=gauges("vip", {"value": "{active_connections}"}, [Vip.ACTIVE_CONNECTIONS], NAME),
        scope=SCOPE,
        draw=Lines(stacked=True),
    )


def changes() -> Panel:
    columns = {
        "created": Vip.CREATED_CONNECTIONS,
        "picked_up": Vip.PICKED_UP_CONNECTIONS,
        "finished": Vip.FINISHED_CONNECTIONS,
        "reset": Vip.RESET_CONNECTIONS,
    }
    return Panel(
        id=404,
        title="How connections begin and end",
        question="Do clients open more connections than they finish, or reset them?",
        sql=rates("vip", {k: f"{{{c}}}" for k, c in columns.items()}, [*columns.values()]),
        scope=SCOPE,
        unit="ops",
        draw=Lines(),
    )


def half_open() -> Panel:
    return Panel(
        id=405,
        title="Half-open connections by VIP",
        question="Is there a SYN flood, and at which VIP?",
        sql=gauges("vip", {"value": "{half_open_connections}"}, [Vip.HALF_OPEN_CONNECTIONS], NAME),
        scope=SCOPE,
        draw=Lines(),
    )


def by_director() -> Panel:
    return Panel(
        id=406,
        title="Packets by director",
        question="Which directors serve the chosen VIPs, and does each get its share?",
        sql=rates("vip", {"value": "{rx_packets}"}, [Vip.RX_PACKETS], {"series": "node"}),
        scope=SCOPE,
        unit="pps",
        draw=Lines(stacked=True),
    )


def loss_heat() -> Panel:
    return Panel(
        id=407,
        title="Loss of each VIP",
        question="Is a loss of all VIPs at once (a director, a link) or of one (its backends)?",
        sql=rates(
            "vip",
            {"value": "{dropped_packets} / greatest({rx_packets}, 1)"},
            [Vip.DROPPED_PACKETS, Vip.RX_PACKETS],
            NAME,
        ),
        scope=SCOPE,
        unit="percentunit",
        draw=Heat(scheme="Reds"),
        width=24,
    )


def quic() -> Panel:
    columns = {
        "by_server_id": Vip.QUIC_ROUTED_PACKETS,
        "by_flow": Vip.QUIC_FALLBACK_PACKETS,
        "too_short": Vip.QUIC_MALFORMED_PACKETS,
    }
    return Panel(
        id=408,
        title="QUIC",
        question="Do QUIC packets find their backend by the server id in their connection id?",
        sql=rates("vip", {k: f"{{{c}}}" for k, c in columns.items()}, [*columns.values()]),
        scope=SCOPE,
        unit="pps",
        draw=Lines(),
    )
