"""The dashboard "Node and lcores": what a director does with each packet, lcore by lcore."""

from __future__ import annotations

from dashboards.links import NODE_UID
from dashboards.model import Annotation, Board, Row, Variable
from dashboards.panels import connections, lcores, ports, services, state, traffic
from dashboards.sql import distinct, rows


def _variables() -> tuple[Variable, ...]:
    return (
        Variable("pop", "PoP", distinct("pop", "node"), "PoPs with data in the range."),
        Variable(
            "node",
            "Node",
            distinct("node", "node", given=["pop"]),
            "Directors of the chosen PoPs.",
        ),
        Variable(
            "instance",
            "Instance",
            distinct("instance", "node", given=["pop", "node"]),
            "Cores on the chosen directors.",
        ),
        Variable(
            "lcore",
            "Lcore",
            distinct("lcore", "lcore", given=["pop", "node", "instance"]),
            "Worker lcores of the chosen cores.",
            scope="lcore",
        ),
    )


def restarts() -> Annotation:
    """The boot id of a core changed: one mark at the first row of the new boot."""
    return Annotation(
        "Restarts",
        "red",
        f"""SELECT time, concat(node, ' ', instance, ' restarted, boot ', lower(hex(boot))) AS text,
  'restart' AS tags
FROM (SELECT pop, node, instance, boot, toDateTime(min(t)) AS time,
  min(time) OVER (PARTITION BY pop, node, instance) AS earliest
FROM {rows("node", ["boot"])}
GROUP BY pop, node, instance, boot)
WHERE time > earliest
ORDER BY time""",
    )


def config_changes() -> Annotation:
    """The generation in force differs from the one of the row before."""
    return Annotation(
        "Configuration changes",
        "blue",
        f"""SELECT time, concat(node, ' ', instance, ' uses configuration ',
  toString(generation)) AS text, 'config' AS tags
FROM (SELECT time, pop, node, instance, generation, lagInFrame(generation, 1, generation)
  OVER (PARTITION BY pop, node, instance ORDER BY time
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
FROM (SELECT time, pop, node, instance, max(config_generation) AS generation
FROM {rows("node", ["config_generation"])}
GROUP BY time, pop, node, instance))
WHERE generation != before
ORDER BY time""",
    )


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=NODE_UID,
        title="Popscope: node and lcores",
        description="What became of every packet, on which node and lcore; is the data complete?",
        rows=(
            Row(101, "State", (
                state.oldest_data(), state.watermark(), state.not_live(), state.frames_missing(),
                state.residual(), state.instances(),
            )),
            Row(102, "Traffic and drops", (
                traffic.packets(), traffic.bits(), traffic.drops(), traffic.drop_reasons(),
                traffic.drops_by_lcore(), traffic.held(), traffic.consumed(), traffic.originated(),
                state.balance(),
            )),
            Row(103, "Lcores", (
                lcores.busy(), lcores.lcores(), lcores.burst_sizes(), lcores.burst_cycles(),
                lcores.cost(), lcores.imbalance(),
            )),
            Row(104, "Connections", (
                connections.active(), connections.occupancy(), connections.untracked(),
                connections.changes(),
            )),
            Row(105, "Ports", (ports.loss(), ports.buffers(), ports.ports(), ports.queues())),
            Row(106, "Configuration and services", (
                services.generation(), services.vip_traffic(), services.neighbours(),
                services.configured(), services.vips(), services.backends(),
                services.backend_traffic(),
            )),
        ),
        variables=_variables(),
        annotations=(restarts(), config_changes()),
    )  # fmt: skip
