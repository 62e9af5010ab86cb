"""VIPs: rate, errors and connections of what is served."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import VIP_UID
from dashboards.model import Board, Row
from dashboards.panels import vips


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=VIP_UID,
        title="Popscope: VIPs",
        description="Which VIP carries what, on which director, and which one loses packets?",
        rows=(
            Row(931, "All VIPs", (vips.vips(),)),
            Row(932, "Rate", (vips.traffic(), vips.bits(), vips.by_director(), vips.quic())),
            Row(933, "Errors", (vips.loss(), vips.fate(), vips.loss_heat())),
            Row(934, "Connections", (vips.connections(), vips.changes(), vips.half_open())),
        ),
        variables=(variables.one_pop(), variables.nodes(), variables.vips()),
        annotations=(marks.restarts(), *marks.of_events()),
    )
