"""Which configuration is in force, and do its next hops answer."""

from __future__ import annotations

from dashboards.model import OK, Column, Lines, Panel, Table, Threshold
from dashboards.sql import gauges, keys, rows
from lb._counters import Lcore, Node

NODE = "concat(node, ' ', instance)"


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
            {
                "wanted": "{neighbours}",
                "resolved": "{resolved_neighbours}",
                "stale": "{stale_neighbours}",
            },
            [Node.NEIGHBOURS, Node.RESOLVED_NEIGHBOURS, Node.STALE_NEIGHBOURS],
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


def room() -> Panel:
    tables = {
        "neighbours": (Node.NEIGHBOURS, Node.MAX_NEIGHBOURS),
        "listeners": (Node.LISTENER_ROWS, Node.MAX_LISTENER_ROWS),
        "backends": (Node.BACKEND_ROWS, Node.MAX_BACKEND_ROWS),
    }
    shares = {
        name: f"{{{used}}} / greatest({{{most}}}, 1)" for name, (used, most) in tables.items()
    }
    return Panel(
        id=73,
        title="Room in the tables of the configuration",
        question="Does a table run out of room, so that a configuration would be refused?",
        sql=gauges("node", shares, [column for pair in tables.values() for column in pair]),
        scope="node",
        unit="percentunit",
        draw=Lines(maximum=1),
    )


def held() -> Panel:
    return Panel(
        id=74,
        title="Room for packets that wait",
        question="Are the queues for packets without a MAC address full, on the worst lcore?",
        sql=f"""SELECT time, node AS series, max(share) AS value
FROM ({
            gauges(
                "lcore",
                {"share": f"{{{Lcore.HELD_NEIGHBOUR_QUEUE}}} / greatest({{max_held_packets}}, 1)"},
                [Lcore.HELD_NEIGHBOUR_QUEUE, Lcore.MAX_HELD_PACKETS],
                {"node": "node", "instance": "instance", "lcore": "lcore"},
            )
        })
GROUP BY time, series
ORDER BY time, series""",
        unit="percentunit",
        draw=Lines(maximum=1),
    )
