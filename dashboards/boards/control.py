"""Control plane: health, BGP, routes, drains and configurations."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import CONTROL_UID
from dashboards.model import Board, Row
from dashboards.panels import control


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=CONTROL_UID,
        title="Popscope: control plane",
        description="What is down, withdrawn or drained, since when, and why?",
        rows=(
            Row(951, "State", (
                control.unhealthy(), control.sessions_down(), control.not_advertised(),
                control.drained(), control.not_right(), control.pools(), control.routes(),
            )),
            Row(952, "Changes", (
                control.transitions(), control.flapping(), control.generations(), control.log(),
            )),
        ),
        variables=(variables.one_pop(), variables.nodes()),
        annotations=(marks.alerts(),),
    )  # fmt: skip
