"""PoP: do its directors do the same, each its share?"""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import POP_UID
from dashboards.model import Board, Row
from dashboards.panels import pop


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=POP_UID,
        title="Popscope: PoP",
        description="One PoP: does each director get its share, and which one differs?",
        rows=(
            Row(911, "Directors", (pop.directors(),)),
            Row(912, "Rate and errors", (pop.packets(), pop.bits(), pop.drops(), pop.busy())),
            Row(913, "ECMP", (
                pop.share(), pop.skew(), pop.skew_by_vip(), pop.picked_up(), pop.connections(),
            )),
        ),
        variables=(variables.one_pop(), variables.nodes()),
        annotations=(
            marks.restarts(), marks.config_changes(), *marks.of_events(),
        ),
    )  # fmt: skip
