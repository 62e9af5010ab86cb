"""What a dashboard is made of, before Grafana's JSON: panels, rows, variables, annotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Threshold:
    """From `value` on, a number has this colour."""

    value: float
    colour: str


OK = Threshold(float("-inf"), "green")
ANY_IS_BAD = (OK, Threshold(1, "red"))


@dataclass(frozen=True, slots=True)
class Lines:
    """A time series: the column `time`, number columns, and at most one string column `series`."""

    stacked: bool = False
    mirrored: str = ""  # regular expression of the series drawn below the axis
    maximum: float | None = None
    minimum: float | None = 0


@dataclass(frozen=True, slots=True)
class Stat:
    """One number or text, from the last row of the result."""

    thresholds: tuple[Threshold, ...] = (OK,)
    text: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """How a table shows one column."""

    unit: str = ""
    thresholds: tuple[Threshold, ...] = ()
    link: str = ""  # URL, with ${__value.raw} and ${__data.fields.x}


@dataclass(frozen=True, slots=True)
class Table:
    """A table, one row of the result a line."""

    columns: dict[str, Column] = field(default_factory=dict)
    sort: str = ""  # the column that it is sorted by, largest first


@dataclass(frozen=True, slots=True)
class Heat:
    """Rows by time: a number column a row, or one string column `series` that names the row."""

    maximum: float | None = None
    scheme: str = "Oranges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `question` is what it answers; `reads` is how often it reads its series."""

    id: int
    title: str
    question: str
    sql: str
    draw: Lines | Stat | Table | Heat
    promql: tuple[tuple[str, str], ...] = ()  # instead of `sql`: legend and expression of each line
    unit: str = "short"
    width: int = 12
    height: int = 8
    scope: str = "lcore"
    reads: int = 1

    @property
    def kind(self) -> str:
        """Grafana's name of the panel's kind."""
        return {Lines: "timeseries", Stat: "stat", Table: "table", Heat: "heatmap"}[type(self.draw)]


@dataclass(frozen=True, slots=True)
class Row:
    """A titled group of panels, laid out from left to right."""

    id: int
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of the dashboard, filled by a query. `many`: several values, or All."""

    name: str
    label: str
    sql: str
    description: str
    scope: str = "node"
    many: bool = True


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks on every chart: columns `time`, `text`, `tags`."""

    name: str
    colour: str
    sql: str
    scope: str = "node"


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `uid` names it in links and never changes; `start` is where its range begins.

    Queries of its parts are narrowed by the variables that it has, and by no others.
    """

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    annotations: tuple[Annotation, ...]
    start: str = "now-30m"
    source: Literal["clickhouse", "prometheus"] = "clickhouse"

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its variables."""
        return tuple(variable.name for variable in self.variables)
