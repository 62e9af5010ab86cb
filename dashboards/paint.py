"""A panel of ours as a panel of Grafana: one function a kind."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any, TypeAlias

from dashboards.model import Column, Heat, Lines, Panel, Stat, Table, Threshold
from dashboards.sdk import (
    build,
    build_common,
    common,
    dashboard,
    heat_model,
    heatmap,
    prometheus,
    stat,
    table,
    timeseries,
)
from dashboards.target import DATASOURCE, PROMETHEUS_SOURCE, ClickHouse

Setting = dashboard.DynamicConfigValue
Painted: TypeAlias = timeseries.Panel | stat.Panel | table.Panel | heatmap.Panel
# The name of a line is the value of its one label, the column `series`, or its column's name.
BY_SERIES = "${__field.labels.series}"


def painted(panel: Panel) -> Painted:
    """The panel without its place."""
    made = _kind(panel)
    made.id(panel.id).title(panel.title).description(panel.question)
    made.unit(panel.unit)
    if not panel.promql:
        made.datasource(DATASOURCE)
        made.with_target(ClickHouse("A", panel.sql, table=isinstance(panel.draw, Table | Stat)))
        return made
    made.datasource(PROMETHEUS_SOURCE)
    for ref, (legend, expr) in zip("ABCD", panel.promql, strict=False):
        query = prometheus.Dataquery().ref_id(ref).expr(expr).legend_format(legend).range()
        made.with_target(query.datasource(PROMETHEUS_SOURCE))
    return made


def _kind(panel: Panel) -> Painted:
    match panel.draw:
        case Lines() as lines:
            return _lines(lines, " AS series" in panel.sql)
        case Stat() as number:
            return _stat(number)
        case Table() as rows:
            return _table(rows)
        case Heat() as heat:
            return _heat(heat, panel)


def _lines(lines: Lines, by_series: bool) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(35 if lines.stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(_tooltip())
    )
    if lines.stacked:
        made.stacking(build_common.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if by_series:
        made.display_name(BY_SERIES)
    if lines.minimum is not None and not lines.mirrored:
        made.min(lines.minimum)
    if lines.maximum is not None:
        made.max(lines.maximum)
    if lines.mirrored:
        made.override_by_regexp(lines.mirrored, [Setting("custom.transform", "negative-Y")])
    return made


def _legend() -> build_common.VizLegendOptions:
    return (
        build_common.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
        .sort_by("Max")
        .sort_desc(True)
    )


def _tooltip() -> build_common.VizTooltipOptions:
    return (
        build_common.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )


def _stat(number: Stat) -> stat.Panel:
    reduce = build_common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    if number.text:
        reduce.fields("/.*/")
    return (
        stat.Panel()
        .reduce_options(reduce)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .thresholds(_thresholds(number.thresholds))
        .color_scheme(_by_threshold())
    )


def _table(rows: Table) -> table.Panel:
    made = table.Panel().cell_height(common.TableCellHeight.SM).filterable(True)
    for name, column in rows.columns.items():
        made.override_by_name(name, _settings(column))
    if rows.sort:
        made.sort_by([build_common.TableSortByFieldState().display_name(rows.sort).desc(True)])
    return made


def _settings(column: Column) -> list[Setting]:
    settings = [Setting("unit", column.unit)] if column.unit else []
    if column.thresholds:
        settings += [
            Setting("thresholds", _thresholds(column.thresholds).build()),
            Setting("color", {"mode": "thresholds"}),
            Setting("custom.cellOptions", {"type": "color-text"}),
        ]
    if column.link:
        settings.append(Setting("links", [{"title": "Show only this", "url": column.link}]))
    return settings


def _heat(heat: Heat, panel: Panel) -> heatmap.Panel:
    colours = (
        heatmap.HeatmapColorOptions()
        .mode(heat_model.HeatmapColorMode.SCHEME)
        .scheme(heat.scheme)
        .steps(64)
        .min(0)
    )
    if heat.maximum is not None:
        colours.max(heat.maximum)
    made = (
        heatmap.Panel()
        .calculate(False)
        .color(colours)
        .cell_gap(0)
        .cell_values(heatmap.CellValues().unit(panel.unit))
        .filter_values(heatmap.FilterValueRange().le(-1))  # the SDK's default hides cells of 0
        .rows_frame(heatmap.RowsHeatmapOptions().layout(common.HeatmapCellLayout.AUTO))
        .show_legend()
        .tooltip(heatmap.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE))
    )
    return made.display_name(BY_SERIES) if " AS series" in panel.sql else made


def _thresholds(steps: Sequence[Threshold]) -> build.ThresholdsConfig:
    return (
        build.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=_value(s.value), color=s.colour) for s in steps])
    )


def _value(value: float) -> Any:
    return None if isinf(value) else value  # Grafana's JSON has null for the lowest step


def _by_threshold() -> build.FieldColor:
    return build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)
