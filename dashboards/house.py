"""The house style: a board as Grafana's JSON; layout, ids, variables and links in one place.

Stands between our panels and grafana-foundation-sdk, whose automatic layout does not wrap and which
gives panels no ids (links from alerts need them).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from dashboards.links import beside
from dashboards.model import Annotation, Board, Row, Variable
from dashboards.paint import painted
from dashboards.sdk import JSONEncoder, build, dashboard
from dashboards.sql import with_variables
from dashboards.target import DATASOURCE, PLUGIN, PROMETHEUS, PROMETHEUS_SOURCE, ClickHouse

WIDTH = 24
EXPLORE_TAG = "popscope"
# Keys that the SDK writes and that are not in every Grafana's schema.
_SUPERFLUOUS = frozenset(("auto", "auto_count", "auto_min", "footer", "placement"))


def rendered(board: Board) -> str:
    """The dashboard as JSON text, the same for the same board."""
    tree = json.loads(json.dumps(_dashboard(board).build(), cls=JSONEncoder))
    tree["annotations"].setdefault("list", [])
    lists = [
        *tree["templating"]["list"],
        *tree["annotations"]["list"],
        *tree["links"],
        *(p.get("options", {}) for p in tree["panels"]),
    ]
    for part in lists:
        for key in _SUPERFLUOUS & part.keys():
            del part[key]
    return text(tree)


def text(tree: dict[str, Any]) -> str:
    """A dashboard as it is written to a file."""
    return json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def fitted(board: Board) -> Board:
    """The board with the queries of its panels and annotations narrowed by its variables only."""
    names = board.names
    rows = tuple(
        replace(row, panels=tuple(replace(p, sql=with_variables(p.sql, names)) for p in row.panels))
        for row in board.rows
    )
    annotations = tuple(replace(a, sql=with_variables(a.sql, names)) for a in board.annotations)
    return replace(board, rows=rows, annotations=annotations)


def _dashboard(board: Board) -> build.Dashboard:
    made = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([EXPLORE_TAG])
        .timezone("utc")
        .time(board.start, "now")
        .refresh("10s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(_datasource(board))
    )
    for uid, title in beside(board.uid):
        made.link(_neighbour(uid, title))
    made.link(_other_dashboards())
    for variable in board.variables:
        made.with_variable(_variable(variable, board))
    for annotation in board.annotations:
        made.annotation(_annotation(annotation))
    top = 0
    for row in board.rows:
        top = _place(made, row, top)
    return made


def _place(made: build.Dashboard, row: Row, top: int) -> int:
    """Lay a row's panels out from left to right, wrapping; returns the line below them."""
    made.with_row(build.Row(row.title).id(row.id).grid_pos(_position(0, top, WIDTH, 1)))
    x, y, tallest = 0, top + 1, 0
    for panel in row.panels:
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        made.with_panel(painted(panel).grid_pos(_position(x, y, panel.width, panel.height)))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return y + tallest


def _position(x: int, y: int, w: int, h: int) -> dashboard.GridPos:
    return dashboard.GridPos(x=x, y=y, w=w, h=h)


def _datasource(board: Board) -> build.DatasourceVariable:
    kind = PROMETHEUS if board.source == PROMETHEUS else PLUGIN
    return build.DatasourceVariable("datasource").label("Data source").type(kind)


def _variable(variable: Variable, board: Board) -> build.QueryVariable:
    source, query = DATASOURCE, ClickHouse("variable", variable.sql, table=True).build().to_json()
    if board.source == PROMETHEUS:
        source, query = PROMETHEUS_SOURCE, {"query": variable.sql, "refId": "variable"}
    # Of a single value, Grafana takes the first that the query gives.
    chosen = dashboard.VariableOption(selected=False, text="", value="")
    if variable.many:
        chosen = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        build.QueryVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .datasource(source)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.DISABLED)
        .multi(variable.many)
        .include_all(variable.many)
        .current(chosen)
    )


def _annotation(annotation: Annotation) -> build.AnnotationQuery:
    return (
        build.AnnotationQuery()
        .name(annotation.name)
        .datasource(DATASOURCE)
        .enable(True)
        .hide(False)
        .icon_color(annotation.colour)
        .target(ClickHouse("annotation", annotation.sql, table=True))
    )


def _neighbour(uid: str, title: str) -> build.DashboardLink:
    return (
        build.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .include_vars(True)
        .keep_time(True)
    )


def _other_dashboards() -> build.DashboardLink:
    return (
        build.DashboardLink("Popscope")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([EXPLORE_TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
