"""Fleet: which PoP, and which director, should be looked at."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import FLEET_UID
from dashboards.model import Board, Row
from dashboards.panels import fleet


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=FLEET_UID,
        title="Popscope: fleet",
        description="All PoPs, by the minute: which one is silent, loses packets, is full?",
        rows=(
            Row(901, "State", (
                fleet.directors(), fleet.silent(), fleet.loss(), fleet.busiest(), fleet.fullest(),
                fleet.restarted(),
            )),
            Row(902, "PoPs", (fleet.pops(),)),
            Row(903, "Rate and errors", (
                fleet.packets(), fleet.bits(), fleet.drop_reasons(), fleet.received_by_pop(),
            )),
            Row(904, "Utilisation and saturation", (
                fleet.loss_by_pop(), fleet.busy_by_pop(), fleet.connections_by_pop(),
            )),
            Row(905, "Directors", (fleet.worst(),)),
        ),
        variables=(variables.pops(),),
        annotations=(marks.routing(), marks.alerts()),
    )  # fmt: skip
