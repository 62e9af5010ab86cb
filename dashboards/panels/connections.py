"""The connection tables of the workers."""

from __future__ import annotations

from dashboards.model import Lines, Panel
from dashboards.sql import gauges, rates
from lb._counters import Lcore


def active() -> Panel:
    return Panel(
        id=50,
        title="Connections in the tables",
        question="How many connections are tracked, on which node?",
        sql=gauges(
            "lcore",
            {"value": "{active_connections}"},
            [Lcore.ACTIVE_CONNECTIONS],
            {"series": "concat(node, ' ', instance)"},
        ),
        draw=Lines(stacked=True),
        width=8,
    )


def occupancy() -> Panel:
    return Panel(
        id=51,
        title="Occupancy of the fullest table",
        question="How near is a worker's table to being full? At 100 % new flows are not tracked.",
        sql=f"""SELECT time, node AS series, max(share) AS value
FROM ({
            gauges(
                "lcore",
                {"share": "{active_connections} / greatest({max_connections}, 1)"},
                [Lcore.ACTIVE_CONNECTIONS, Lcore.MAX_CONNECTIONS],
                {"node": "node", "instance": "instance", "lcore": "lcore"},
            )
        })
GROUP BY time, series
ORDER BY time, series""",
        unit="percentunit",
        draw=Lines(maximum=1),
        width=8,
    )


def untracked() -> Panel:
    return Panel(
        id=52,
        title="Packets forwarded untracked",
        question="How many packets go by the Maglev table alone, the connection table being full?",
        sql=rates("lcore", {"untracked": "{untracked_packets}"}, [Lcore.UNTRACKED_PACKETS]),
        unit="pps",
        draw=Lines(),
        width=8,
    )


def changes() -> Panel:
    return Panel(
        id=53,
        title="Connections made and ended",
        question="How do connections begin and end? Picked up: adopted in mid-flow (failover).",
        sql=rates(
            "lcore",
            {
                "created": "{created_connections}",
                "picked_up": "{picked_up_connections}",
                "closed": "{closed_connections}",
                "expired": "{expired_connections}",
                "orphaned": "{orphaned_connections}",
            },
            [
                Lcore.CREATED_CONNECTIONS,
                Lcore.PICKED_UP_CONNECTIONS,
                Lcore.CLOSED_CONNECTIONS,
                Lcore.EXPIRED_CONNECTIONS,
                Lcore.ORPHANED_CONNECTIONS,
            ],
        ),
        unit="ops",
        draw=Lines(),
        width=24,
    )


def ends() -> Panel:
    columns = {
        "finished": Lcore.FINISHED_CONNECTIONS,
        "reset": Lcore.RESET_CONNECTIONS,
        "revived": Lcore.REVIVED_CONNECTIONS,
        "reset_by_drain": Lcore.DRAIN_RESET_CONNECTIONS,
        "moved_by_drain": Lcore.DRAIN_LEFT_CONNECTIONS,
    }
    return Panel(
        id=54,
        title="Ends of connections",
        question="Do clients finish their connections, or are they reset, and by whom? Revived: a "
        "RST that was not the client's.",
        sql=rates("lcore", {k: f"{{{c}}}" for k, c in columns.items()}, [*columns.values()]),
        unit="ops",
        draw=Lines(),
        width=24,
    )
