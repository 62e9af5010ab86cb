"""Pipeline: is what the other dashboards show complete, and how old is it?"""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import PIPELINE_UID
from dashboards.model import Board, Row
from dashboards.panels import stored


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=PIPELINE_UID,
        title="Popscope: pipeline",
        description="Is the data complete and fresh, node by node, and what does it cost?",
        rows=(
            Row(961, "State", (
                stored.delay_now(), stored.missing(), stored.merged(), stored.taken_over(),
                stored.exporters(),
            )),
            Row(962, "Freshness", (
                stored.delays(), stored.delays_by_node(), stored.backlog(), stored.volume(),
                stored.octets(),
            )),
            Row(964, "Proof", (stored.proof(),)),
            Row(963, "Store", (stored.rolled_up(), stored.tables(), stored.foreign())),
        ),
        variables=(variables.one_pop(), variables.nodes()),
        annotations=(marks.alerts(),),
    )  # fmt: skip
