"""Results are framed, and refused, as the plugin and Grafana's expressions do."""

from __future__ import annotations

import pytest

from dashboards.errors import FrameError
from dashboards.frames import Kind, Shape, check_alert, check_ascending, check_panel, kind, shape

T, N, S, B, J = Kind.TIME, Kind.NUMBER, Kind.STRING, Kind.BOOL, Kind.JSON


@pytest.mark.parametrize(
    ("column_type", "expected"),
    [
        ("DateTime64(3, 'UTC')", T),
        ("Nullable(DateTime)", T),
        ("UInt64", N),
        ("Nullable(Float64)", N),
        ("Decimal(18, 3)", N),
        ("LowCardinality(Nullable(String))", S),
        ("Enum8('a' = 1)", S),
        ("IPv4", S),
        ("Bool", B),
        ("Array(UInt64)", J),
        ("Map(String, UInt64)", J),
        ("Tuple(UInt8, String)", J),
        ("UInt256", J),
    ],
)
def test_kinds(column_type: str, expected: Kind) -> None:
    assert kind(column_type) is expected


@pytest.mark.parametrize(
    ("kinds", "rows", "expected"),
    [
        ([S, S, N], 3, Shape.NUMBERS),
        ([N], 1, Shape.NUMBERS),
        ([S, S, N], 0, Shape.EMPTY),
        ([S, N, N], 3, Shape.OTHER),
        ([S, B, N], 3, Shape.OTHER),
        ([S, J], 3, Shape.OTHER),
        ([T, N, N], 3, Shape.WIDE),
        ([T, S, N], 3, Shape.LONG),
        ([T, T, N], 3, Shape.OTHER),
    ],
)
def test_shapes(kinds: list[Kind], rows: int, expected: Shape) -> None:
    assert shape(kinds, rows) is expected


def test_a_number_beside_the_value_is_refused_in_grafanas_words() -> None:
    """An lcore as UInt16 beside the value: seen in the field."""
    with pytest.raises(FrameError, match="must be a wide series but got type not"):
        check_alert(["lcore", "value"], [N, N], 2)
    check_alert(["lcore", "value"], [S, N], 2)


@pytest.mark.parametrize(
    ("panel", "names", "kinds"),
    [
        ("timeseries", ["t", "v"], [T, N]),
        ("timeseries", ["time"], [T]),
        ("timeseries", ["time", "s", "a", "b"], [T, S, N, N]),
        ("heatmap", ["time", "v"], [T, J]),
        ("timeseries", ["v"], [N]),
    ],
)
def test_series_that_cannot_be_drawn(panel: str, names: list[str], kinds: list[Kind]) -> None:
    with pytest.raises(FrameError):
        check_panel(panel, False, names, kinds)


def test_tables_and_stats() -> None:
    check_panel("table", True, ["a", "b"], [S, S])
    with pytest.raises(FrameError):
        check_panel("table", True, ["a"], [J])
    with pytest.raises(FrameError):
        check_panel("stat", True, ["a"], [S])


def test_rows_must_ascend() -> None:
    check_ascending([1, 1, 2])
    with pytest.raises(FrameError, match="sorted ascending by time"):
        check_ascending([2, 1])
