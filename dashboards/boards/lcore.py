"""Lcores and ports: utilisation, saturation and errors of each worker, queue and device."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import LCORE_UID
from dashboards.model import Board, Row
from dashboards.panels import histograms, lcores, ports


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=LCORE_UID,
        title="Popscope: lcores and ports",
        description="Which lcore, queue or port is short of time or room, burst by burst?",
        rows=(
            Row(921, "Utilisation of lcores", (lcores.busy(), lcores.imbalance(), lcores.cost())),
            Row(922, "Saturation: bursts", (
                histograms.burst_sizes(), histograms.burst_cycles(), histograms.burst_quantiles(),
                lcores.microbursts(), lcores.stages(), ports.queue_microbursts(),
            )),
            Row(923, "Errors", (lcores.drops(), lcores.lcores())),
            Row(924, "Ports and queues", (
                ports.traffic(), ports.loss(), ports.buffers(), ports.queue_skew(), ports.ports(),
                ports.queues(),
            )),
        ),
        variables=(
            variables.one_pop(), variables.nodes(), variables.instances(), variables.lcores(),
        ),
        annotations=(marks.restarts(), marks.config_changes()),
    )  # fmt: skip
