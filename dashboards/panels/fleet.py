"""The fleet: PoPs and directors, from the rollups of nodes."""

from __future__ import annotations

from dashboards.fleet_sql import COVERED, drops, gauges, largest, rates, rows, top
from dashboards.links import NODE_UID, POP_UID, narrowed
from dashboards.model import ANY_IS_BAD, OK, Column, Heat, Lines, Panel, Stat, Table, Threshold
from dashboards.sql import END

SCOPE = "fleet"
SHOWN = 10
BUSY = (OK, Threshold(0.7, "orange"), Threshold(0.9, "red"))
LOSS = (OK, Threshold(0.0001, "orange"), Threshold(0.01, "red"))
# A minute is rolled up within seconds of its end; after this many, the director is silent.
SILENT_SECONDS = 180
# The last window of each director. Of hours, the one that is still running is not there yet.
LAST = "max(t) + any(spacing)"
SILENT = f"{LAST} < toUnixTimestamp({END}) - greatest(any(spacing), {SILENT_SECONDS})"
RESTARTS = "length(groupUniqArrayArray(boots)) - max(instances)"


def _of_nodes(expression: str, columns: list[str], value: str) -> str:
    """A number over nodes; nothing when there is no node."""
    return f"""SELECT {value} FROM (
SELECT pop, node, {expression}
FROM {rows(columns)}
GROUP BY pop, node
)
HAVING count() > 0"""


def directors() -> Panel:
    return Panel(
        id=200,
        title="Directors with data",
        question="How many directors sent data in the range?",
        sql=_of_nodes("count() AS n", [], "count() AS directors"),
        draw=Stat(),
        scope=SCOPE,
        width=4,
        height=4,
    )


def silent() -> Panel:
    return Panel(
        id=201,
        title="Silent directors",
        question="How many directors sent data in the range and send none at its end?",
        sql=_of_nodes(f"{SILENT} AS silent", [], "countIf(silent) AS silent"),
        draw=Stat(ANY_IS_BAD),
        scope=SCOPE,
        width=4,
        height=4,
    )


def loss() -> Panel:
    return Panel(
        id=202,
        title="Loss",
        question="What share of the received packets was dropped in the range, for any reason?",
        sql=_of_nodes(
            "sum(dropped_packets) AS dropped, sum(rx_packets) AS received",
            ["dropped_packets", "rx_packets"],
            "sum(dropped) / greatest(sum(received), 1) AS loss",
        ),
        unit="percentunit",
        draw=Stat(LOSS),
        scope=SCOPE,
        width=4,
        height=4,
    )


def busiest() -> Panel:
    return Panel(
        id=203,
        title="Busiest lcore",
        question="How busy was the busiest lcore of the fleet, in its busiest minute or hour?",
        sql=_of_nodes("max(busiest_lcore) AS busy", ["busiest_lcore"], "max(busy) AS busy"),
        unit="percentunit",
        draw=Stat(BUSY),
        scope=SCOPE,
        width=4,
        height=4,
    )


def fullest() -> Panel:
    return Panel(
        id=204,
        title="Fullest connection table",
        question="How full was the fullest connection table of the fleet?",
        sql=_of_nodes("max(fullest_table) AS full", ["fullest_table"], "max(full) AS full"),
        unit="percentunit",
        draw=Stat(BUSY),
        scope=SCOPE,
        width=4,
        height=4,
    )


def restarted() -> Panel:
    return Panel(
        id=205,
        title="Restarts",
        question="How often did a core start anew in the range?",
        sql=_of_nodes(
            f"{RESTARTS} AS restarts", ["boots", "instances"], "sum(restarts) AS restarts"
        ),
        draw=Stat((OK, Threshold(1, "orange"))),
        scope=SCOPE,
        width=4,
        height=4,
    )


def packets() -> Panel:
    return Panel(
        id=210,
        title="Packets of the fleet",
        question="How many packets a second come in and go out? Sent is drawn below the axis.",
        sql=rates(
            {"received": "{rx_packets}", "sent": "{tx_packets}"}, ["rx_packets", "tx_packets"]
        ),
        unit="pps",
        draw=Lines(mirrored="sent"),
        scope=SCOPE,
    )


def bits() -> Panel:
    return Panel(
        id=211,
        title="Bits of the fleet",
        question="How many bits a second come in and go out?",
        sql=rates(
            {"received": "{rx_bytes} * 8", "sent": "{tx_bytes} * 8"}, ["rx_bytes", "tx_bytes"]
        ),
        unit="bps",
        draw=Lines(mirrored="sent"),
        scope=SCOPE,
    )


def drop_reasons() -> Panel:
    return Panel(
        id=212,
        title="Drops of the fleet by reason",
        question="Which reason takes packets anywhere, and since when?",
        sql=drops(),
        unit="pps",
        draw=Lines(stacked=True),
        scope=SCOPE,
    )


def received_by_pop() -> Panel:
    each = rates({"value": "{rx_packets}"}, ["rx_packets"], {"series": "pop"})
    return Panel(
        id=213,
        title="Packets received by PoP",
        question="Which PoP's traffic rose, fell, or moved to another PoP?",
        sql=top(each, SHOWN, "other PoPs"),
        unit="pps",
        draw=Lines(stacked=True),
        scope=SCOPE,
    )


def connections_by_pop() -> Panel:
    return Panel(
        id=214,
        title="Connections by PoP",
        question="Where are the connections?",
        sql=top(gauges("active_connections", {"series": "pop"}), SHOWN, "other PoPs"),
        draw=Lines(stacked=True),
        scope=SCOPE,
    )


def loss_by_pop() -> Panel:
    each = rates(
        {"value": "{dropped_packets} / greatest({rx_packets}, 1)"},
        ["dropped_packets", "rx_packets"],
        {"series": "pop"},
    )
    return Panel(
        id=215,
        title="Loss of each PoP",
        question="Which PoP loses packets, and when?",
        sql=each,
        unit="percentunit",
        draw=Heat(scheme="Reds"),
        scope=SCOPE,
    )


def busy_by_pop() -> Panel:
    return Panel(
        id=216,
        title="Busiest lcore of each PoP",
        question="Which PoP is short of time, and when?",
        sql=largest("busiest_lcore", {"series": "pop"}),
        unit="percentunit",
        draw=Heat(maximum=1),
        scope=SCOPE,
    )


def _table(keys: str, columns: str, order: str, limit: int) -> str:
    return f"""SELECT {columns}
FROM (SELECT pop, node, {SILENT} AS silent, sum(rx_packets) / {COVERED} AS received,
  sum(tx_packets) / {COVERED} AS sent, sum(rx_bytes) * 8 / {COVERED} AS bits_in,
  sum(dropped_packets) AS dropped, sum(rx_packets) AS packets, max(busiest_lcore) AS busiest,
  max(fullest_table) AS fullest, argMax(active_connections, t) AS connections,
  argMax(config_generation, t) AS generation, {RESTARTS} AS restarts,
  toDateTime({LAST}) AS last
FROM {rows(TABLE_COLUMNS)}
GROUP BY pop, node) AS n
GROUP BY {keys}
ORDER BY {order}
LIMIT {limit}"""


TABLE_COLUMNS = [
    "rx_packets", "tx_packets", "rx_bytes", "dropped_packets", "busiest_lcore", "fullest_table",
    "active_connections", "config_generation", "boots", "instances",
]  # fmt: skip
UNITS = {
    "received": Column("pps"),
    "bits_in": Column("bps"),
    "dropped": Column("short", (OK, Threshold(1, "orange"))),
    "loss": Column("percentunit", LOSS),
    "busiest": Column("percentunit", BUSY),
    "fullest": Column("percentunit", BUSY),
}


def pops() -> Panel:
    columns = """pop, count() AS directors, countIf(n.silent) AS silent_directors,
  sum(n.received) AS received, sum(n.bits_in) AS bits_in, sum(n.dropped) AS dropped,
  sum(n.dropped) / greatest(sum(n.packets), 1) AS loss, max(n.busiest) AS busiest,
  max(n.fullest) AS fullest, sum(n.connections) AS connections,
  uniqExact(n.generation) AS generations, sum(n.restarts) AS restarts"""
    return Panel(
        id=220,
        title="PoPs",
        question="Which PoP has silent directors, loses packets, or is nearly full? A PoP whose "
        "directors have several generations serves several configurations.",
        sql=_table("pop", columns, "silent_directors DESC, loss DESC, received DESC, pop", 1_000),
        draw=Table(
            columns={
                "pop": Column(link=narrowed(POP_UID, ["pop"])),
                "silent_directors": Column("short", ANY_IS_BAD),
                **UNITS,
                "restarts": Column("short", (OK, Threshold(1, "orange"))),
            }
        ),
        scope=SCOPE,
        width=24,
        height=10,
    )


def worst() -> Panel:
    columns = """pop, node, any(n.silent) AS is_silent, any(n.last) AS newest_data,
  any(n.received) AS received, any(n.bits_in) AS bits_in, any(n.dropped) AS dropped,
  any(n.dropped) / greatest(any(n.packets), 1) AS loss, any(n.busiest) AS busiest,
  any(n.fullest) AS fullest, any(n.connections) AS connections,
  any(n.generation) AS generation"""
    order = "is_silent DESC, loss DESC, busiest DESC, pop, node"
    return Panel(
        id=221,
        title="The 50 worst directors",
        question="Which director of the whole fleet should be looked at first?",
        sql=_table("pop, node", columns, order, 50),
        draw=Table(
            columns={
                "node": Column(link=narrowed(NODE_UID, ["pop", "node"])),
                "is_silent": Column("short", ANY_IS_BAD),
                **UNITS,
            }
        ),
        scope=SCOPE,
        width=24,
        height=10,
    )
