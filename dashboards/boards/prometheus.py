"""Node, for those who scrape `/metrics` with Prometheus and have no ClickHouse."""

from __future__ import annotations

from dashboards.links import PROMETHEUS_UID
from dashboards.model import Board, Row, Variable
from dashboards.panels import prometheus as panels

SEEN = "popscope_instance_up"


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=PROMETHEUS_UID,
        title="Popscope: node (Prometheus)",
        description="A node by Prometheus alone: load, loss, connections; by the recording rules.",
        source="prometheus",
        rows=(
            Row(981, "State", (
                panels.alive(), panels.heartbeat(), panels.residual(), panels.loss(),
            )),
            Row(982, "Rate and errors", (panels.packets(), panels.bits(), panels.drops())),
            Row(983, "Utilisation and saturation", (
                panels.busy(), panels.connections(), panels.occupancy(), panels.queues(),
                panels.spool(),
            )),
            Row(984, "Services", (panels.vips(), panels.backends())),
        ),
        variables=(
            Variable("pop", "PoP", f"label_values({SEEN}, pop)", "PoPs that are scraped."),
            Variable(
                "node", "Node", f'label_values({SEEN}{{pop=~"$pop"}}, node)', "Nodes of the PoPs."
            ),
        ),
        annotations=(),
    )  # fmt: skip
