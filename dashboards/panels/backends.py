"""Backends: does each get its share, and does its traffic arrive."""

from __future__ import annotations

from dashboards.links import BACKEND_UID, narrowed
from dashboards.model import OK, Column, Lines, Panel, Table, Threshold
from dashboards.sql import SECONDS, gauges, keys, rates, rows
from lb._counters import Backend

LOSS = (OK, Threshold(0.001, "orange"), Threshold(1, "red"))
NAME = {"series": "concat(pool, ' ', backend)"}
SCOPE = "backend"


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
        scope=SCOPE,
        draw=Table(
            columns={
                "backend": Column(link=narrowed(BACKEND_UID, ["pop", "pool", "backend"])),
                "sent": Column("pps"),
                "bits_out": Column("bps"),
                "dropped": Column("short", LOSS),
                "created": Column("ops"),
            },
        ),
        width=24,
    )


def traffic() -> Panel:
    return Panel(
        id=83,
        title="Packets sent by backend",
        question="Did traffic move from one backend to another, as after a drain?",
        sql=rates("backend", {"value": "{tx_packets}"}, [Backend.TX_PACKETS], NAME),
        scope=SCOPE,
        unit="pps",
        draw=Lines(stacked=True),
    )


def bits() -> Panel:
    return Panel(
        id=500,
        title="Bits sent by backend",
        question="Which backend takes the bandwidth?",
        sql=rates("backend", {"value": "{tx_bytes} * 8"}, [Backend.TX_BYTES], NAME),
        scope=SCOPE,
        unit="bps",
        draw=Lines(stacked=True),
    )


def drops() -> Panel:
    return Panel(
        id=501,
        title="Drops by backend",
        question="Whose packets are lost after a backend was chosen: a neighbour that does not "
        "answer, an MTU, a limit?",
        sql=rates("backend", {"value": "{dropped_packets}"}, [Backend.DROPPED_PACKETS], NAME),
        scope=SCOPE,
        unit="pps",
        draw=Lines(stacked=True),
    )


def connections() -> Panel:
    return Panel(
        id=502,
        title="Connections by backend",
        question="Does a drained backend become empty, and does a new one fill up?",
        sql=gauges(
            "backend", {"value": "{active_connections}"}, [Backend.ACTIVE_CONNECTIONS], NAME
        ),
        scope=SCOPE,
        draw=Lines(stacked=True),
    )


def created() -> Panel:
    return Panel(
        id=503,
        title="Connections begun by backend",
        question="Which backend gets the new connections, opened and picked up?",
        sql=rates(
            "backend",
            {"value": "{created_connections} + {picked_up_connections}"},
            [Backend.CREATED_CONNECTIONS, Backend.PICKED_UP_CONNECTIONS],
            NAME,
        ),
        scope=SCOPE,
        unit="ops",
        draw=Lines(stacked=True),
    )


def skew() -> Panel:
    each = rates(
        "backend",
        {"value": "{tx_packets}"},
        [Backend.TX_PACKETS],
        {"members_of": "pool", "name": "backend"},
    )
    return Panel(
        id=504,
        title="Skew of each pool",
        question="How much more than the mean does the busiest backend of a pool get? "
        "Weights and few clients are good reasons.",
        sql=f"""SELECT time, members_of AS series, max(value) / greatest(avg(value), 0.001) AS skew
FROM ({each})
GROUP BY time, series
ORDER BY time, series""",
        scope=SCOPE,
        draw=Lines(minimum=1),
    )
