"""How the datasource frames a result, and what Grafana's alert rules can do with it.

Follows the rules of the plugin's library (a time series is wide, or long and in the order of time)
and of Grafana's expressions (a number set: one number column, all others strings).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from dashboards.errors import FrameError


class Kind(StrEnum):
    """What a column of ClickHouse becomes in a frame."""

    TIME = "time"
    NUMBER = "number"
    STRING = "string"
    BOOL = "bool"
    JSON = "json"


class Shape(StrEnum):
    """What a result is to an alert rule."""

    NUMBERS = "numbers"
    WIDE = "wide"
    LONG = "long"
    OTHER = "not"
    EMPTY = "no data"


_WRAPPED = re.compile(r"(?:LowCardinality|Nullable)\((.*)\)")
_KINDS = (
    (re.compile(r"Date"), Kind.TIME),
    (re.compile(r"Bool"), Kind.BOOL),
    (re.compile(r"U?Int(8|16|32|64)$|Float|Decimal"), Kind.NUMBER),
    (re.compile(r"String|FixedString|Enum|IPv[46]|UUID"), Kind.STRING),
)


def kind(column_type: str) -> Kind:
    """The kind of a column of this type of ClickHouse."""
    while match := _WRAPPED.fullmatch(column_type):
        column_type = match[1]
    return next((k for pattern, k in _KINDS if pattern.match(column_type)), Kind.JSON)


def check_panel(panel: str, is_table: bool, names: Sequence[str], kinds: Sequence[Kind]) -> None:
    """Raises FrameError when a panel of this kind cannot show columns of these kinds."""
    if Kind.JSON in kinds:
        raise FrameError(f"column {names[kinds.index(Kind.JSON)]} is of no kind that a panel shows")
    if panel == "stat" and Kind.NUMBER not in kinds:
        raise FrameError("a stat needs a number")
    if is_table:
        return
    if kinds.count(Kind.TIME) != 1 or names[kinds.index(Kind.TIME)] != "time":
        raise FrameError("a time series needs exactly one time column, named time")
    if Kind.NUMBER not in kinds:
        raise FrameError("a time series needs a number column")
    if kinds.count(Kind.STRING) and kinds.count(Kind.NUMBER) != 1:
        raise FrameError("a long series must have one number column, else its names are ambiguous")


def check_ascending(times: Sequence[int]) -> None:
    """Raises FrameError when rows of a time series are not in the order of time."""
    if any(a > b for a, b in pairwise(times)):
        raise FrameError("long series must be sorted ascending by time")


def shape(kinds: Sequence[Kind], rows: int) -> Shape:
    """What the result is to an alert rule."""
    if not rows:
        return Shape.EMPTY
    numbers, times, strings = (kinds.count(k) for k in (Kind.NUMBER, Kind.TIME, Kind.STRING))
    if times == 0:
        only_labels = numbers == 1 and strings == len(kinds) - 1
        return Shape.NUMBERS if only_labels else Shape.OTHER
    if times == 1 and numbers:
        return Shape.WIDE if strings == 0 else Shape.LONG
    return Shape.OTHER


def check_alert(names: Sequence[str], kinds: Sequence[Kind], rows: int) -> None:
    """Raises FrameError, in Grafana's words, when a threshold cannot be put on the result."""
    found = shape(kinds, rows)
    if found not in (Shape.NUMBERS, Shape.EMPTY):
        raise FrameError(
            f"input data must be a wide series but got type {found.value} ({', '.join(names)})"
        )
