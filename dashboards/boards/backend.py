"""Backends: where a VIP's packets go."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import BACKEND_UID
from dashboards.model import Board, Row
from dashboards.panels import backends


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=BACKEND_UID,
        title="Popscope: backends",
        description="Which backend gets what, does a drain go on, and whose packets are lost?",
        rows=(
            Row(941, "All backends", (backends.backends(),)),
            Row(942, "Rate", (backends.traffic(), backends.bits(), backends.skew())),
            Row(943, "Errors", (backends.drops(),)),
            Row(944, "Connections", (backends.connections(), backends.created())),
        ),
        variables=(
            variables.one_pop(), variables.nodes(), variables.pools(), variables.backends(),
        ),
        annotations=(marks.health(), marks.operations(), marks.alerts()),
    )  # fmt: skip
