"""The text of /metrics, prepared: labels are written once, a scrape fills in numbers.

Text format 0.0.4 and OpenMetrics 1.0. The families come from the segments themselves, so that a
counter that this exporter's catalogue does not know is shown too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporters.names import Names
from exporters.segment import Field
from exporters.snapshot import Rows
from exporters.tables import Matrix

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Shown:
    """An instance to show: its rows by scope; `values` replace those of the rows."""

    instance: str
    rows: tuple[tuple[Rows, Matrix], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where numbers of the text come from: cells of a matrix, for the rows that are shown."""

    shown: int
    scope: int
    extra: bool
    cell: int
    cells: int
    rows: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Plan:
    """A text with a gap for each number, and where the numbers come from, for these names."""

    text: str
    places: tuple[Place, ...]
    names: tuple[tuple[str, Names], ...]


class Renderer:
    """Renders instances of one node. Keeps a plan a format until names or instances change."""

    def __init__(self, pop: str, node: str) -> None:
        self._common = f'pop="{escape(pop)}",node="{escape(node)}"'
        self._plans: dict[bool, Plan] = {}

    def render(self, shown: Sequence[Shown], openmetrics: bool) -> bytes:
        """The families of all instances; what ends with EOF in OpenMetrics is to follow."""
        names = tuple((s.instance, rows.names) for s in shown for rows, _ in s.rows)
        plan = self._plans.get(openmetrics)
        if plan is None or not _same(plan.names, names):
            plan = self._plans[openmetrics] = self._plan(shown, openmetrics, names)
        pieces = [_numbers(shown, place) for place in plan.places]
        numbers = np.concatenate(pieces).tolist() if pieces else []
        return (plan.text % tuple(numbers)).encode()

    def _plan(
        self, shown: Sequence[Shown], openmetrics: bool, names: tuple[tuple[str, Names], ...]
    ) -> Plan:
        lines, places = list[str](), list[Place]()
        for family, members in _families(shown).items():
            first = members[0][0]
            lines.extend(_head(family, first, openmetrics))
            for field, place in members:
                if (field.kind, field.unit) == (first.kind, first.unit):
                    labels = list(self._labels(shown[place.shown], place))
                    lines.extend(_samples(family, field, labels))
                    places.append(place)
        return Plan("".join(lines), tuple(places), names)

    def _labels(self, shown: Shown, place: Place) -> Iterator[str]:
        """The row labels of the rows of a place, as text."""
        names = shown.rows[place.scope][0].names
        start = f'{self._common},instance="{escape(shown.instance)}"'
        for row in place.rows.tolist():
            pairs = zip(names.label_keys, names.labels[row], strict=True)
            yield start + "".join(f',{key}="{escape(value)}"' for key, value in pairs)


def escape(value: str) -> str:
    """A label value as it stands between quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def negotiate(accept: str) -> bool:
    """Whether an Accept header prefers OpenMetrics to the text format."""
    quality = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weights = [p[2:] for p in parameters if p.startswith("q=")]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        if kind in quality and _version_fits(kind, parameters):
            quality[kind] = max(quality[kind], weight)
    return quality["application/openmetrics-text"] > 0 and (
        quality["application/openmetrics-text"] >= quality["text/plain"]
    )


def _version_fits(kind: str, parameters: Sequence[str]) -> bool:
    versions = [p.removeprefix("version=") for p in parameters if p.startswith("version=")]
    return kind == "text/plain" or not versions or versions[0] in ("1.0.0", "0.0.1")


def _same(a: tuple[tuple[str, Names], ...], b: tuple[tuple[str, Names], ...]) -> bool:
    return len(a) == len(b) and all(
        x[0] == y[0] and x[1] is y[1] for x, y in zip(a, b, strict=True)
    )


def _families(shown: Sequence[Shown]) -> dict[str, list[tuple[Field, Place]]]:
    """Every family with its members in all instances: a family's lines must stand together."""
    families: dict[str, list[tuple[Field, Place]]] = {}
    for i, s in enumerate(shown):
        for j, (rows, _) in enumerate(s.rows):
            for field, extra, cell in _fields(rows):
                place = Place(i, j, extra, cell, field.cells, rows.names.shown)
                family = f"popscope_{rows.scope}_{field.metric}"
                families.setdefault(family, []).append((field, place))
    return families


def _fields(rows: Rows) -> Iterator[tuple[Field, bool, int]]:
    """Each field, whether it is among the extra cells, and its first cell there."""
    place = 0
    for field in rows.fields.known:
        yield field, False, int(rows.fields.to[place])
        place += field.cells
    place = 0
    for field in rows.fields.unknown:
        yield field, True, place
        place += field.cells


def _head(family: str, field: Field, openmetrics: bool) -> Iterator[str]:
    is_counter = field.kind == "counter"
    name = family + "_total" if is_counter and not openmetrics else family
    text = field.help.replace("\\", "\\\\").replace("\n", "\\n").replace("%", "%%")
    yield f"# HELP {name} {text}\n# TYPE {name} {field.kind}\n"
    if openmetrics and field.unit:
        yield f"# UNIT {name} {field.unit}\n"


def _samples(family: str, field: Field, labels: Sequence[str]) -> Iterator[str]:
    own = "".join(f',{key}="{escape(value)}"' for key, value in field.labels)
    suffix = "_total" if field.kind == "counter" else ""
    for row in labels:
        text = (row + own).replace("%", "%%")
        if field.kind != "histogram":
            yield f"{family}{suffix}{{{text}}} %d\n"
            continue
        for bound in (*(f"{b}.0" for b in field.bounds), "+Inf"):
            yield f'{family}_bucket{{{text},le="{bound}"}} %d\n'
        yield f"{family}_sum{{{text}}} %d\n{family}_count{{{text}}} %d\n"


def _numbers(shown: Sequence[Shown], place: Place) -> npt.NDArray[np.uint64]:
    rows, values = shown[place.shown].rows[place.scope]
    source = rows.extra if place.extra else values
    if place.cells == 1:
        column: npt.NDArray[np.uint64] = source[place.rows, place.cell]
        return column
    cells = source[place.rows, place.cell : place.cell + place.cells]
    buckets = np.cumsum(cells[:, :-1], axis=1, dtype=np.uint64)
    return np.hstack((buckets, cells[:, -1:], buckets[:, -1:])).reshape(-1)
