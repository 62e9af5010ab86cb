"""Node: what a director does with each packet."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import NODE_UID
from dashboards.model import Board, Row
from dashboards.panels import configuration, connections, state, traffic


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=NODE_UID,
        title="Popscope: node",
        description="What became of every packet, on which node and lcore; is the data complete?",
        rows=(
            Row(101, "State", (
                state.oldest_data(), state.watermark(), state.not_live(), state.frames_missing(),
                state.residual(), state.instances(),
            )),
            Row(102, "Traffic and drops", (
                traffic.packets(), traffic.bits(), traffic.drops(), traffic.drop_reasons(),
                traffic.drops_by_lcore(), traffic.held(), traffic.consumed(), traffic.originated(),
            )),
            Row(103, "Ledger", (state.balance(), state.residuals())),
            Row(104, "Connections", (
                connections.active(), connections.occupancy(), connections.untracked(),
                connections.changes(), connections.ends(),
            )),
            Row(106, "Configuration", (
                configuration.generation(), configuration.neighbours(), configuration.configured(),
                configuration.room(), configuration.held(),
            )),
        ),
        variables=(
            variables.one_pop(), variables.nodes(), variables.instances(), variables.lcores(),
        ),
        annotations=(
            marks.restarts(), marks.config_changes(), *marks.of_events(),
        ),
    )  # fmt: skip
