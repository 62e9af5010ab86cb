"""Capacity: what is left, and until when."""

from __future__ import annotations

from dashboards import marks, variables
from dashboards.links import CAPACITY_UID
from dashboards.model import Board, Row
from dashboards.panels import capacity


def board() -> Board:
    """The dashboard, before Grafana's JSON."""
    return Board(
        uid=CAPACITY_UID,
        title="Popscope: capacity",
        description="Which PoP runs out of headroom when, and what if a director leaves?",
        start="now-90d",
        rows=(
            Row(971, "How long is there room", (
                capacity.full_soon(), capacity.first_full(), capacity.least_left(),
                capacity.growth(), capacity.forecast(),
            )),
            Row(972, "Headroom", (
                capacity.headroom(), capacity.without_one(), capacity.without_pop(),
            )),
            Row(973, "Peaks", (
                capacity.busiest_hours(), capacity.busy_days(), capacity.hour_of_day(),
                capacity.ecmp(), capacity.vip_growth(),
            )),
        ),
        variables=(variables.pops(),),
        annotations=(marks.alerts(),),
    )  # fmt: skip
