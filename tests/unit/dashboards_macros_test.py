"""Macros and variables are expanded as the plugin and Grafana's front end do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.errors import MacroError
from dashboards.macros import ALL, TimeRange, expand, interpolate

SPAN = TimeRange(1_700_000_000_500, 1_700_003_600_000, 90_000)
VALUES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("sql", "expanded"),
    [
        ("$__timeFilter(ts)", "ts >= toDateTime(1700000000) AND ts <= toDateTime(1700003600)"),
        ("$__dateFilter(d)", "d >= toDate('2023-11-14') AND d <= toDate('2023-11-14')"),
        ("$__fromTime, $__toTime", "toDateTime(1700000000), toDateTime(1700003600)"),
        ("$__fromTime_ms", "fromUnixTimestamp64Milli(1700000000500)"),
        ("greatest($__interval_s, 5)", "greatest(90, 5)"),
        ("$__timeInterval(a.ts)", "toStartOfInterval(toDateTime(a.ts), INTERVAL 90 second)"),
        ("($__toTime) - 1", "(toDateTime(1700003600)) - 1"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_macros(sql: str, expanded: str) -> None:
    assert expand(sql, SPAN) == expanded


@pytest.mark.parametrize("sql", ["$__timefilter(t)", "$__columns(x)", "$__lttb(a)", "$node", "$__"])
def test_what_would_stay_in_the_sql_is_refused(sql: str) -> None:
    with pytest.raises(MacroError):
        expand(sql, SPAN)


@pytest.mark.parametrize("sql", ["$__timeFilter()", "$__timeFilter(a, b)", "$__timeFilter(a"])
def test_wrong_arguments_are_refused(sql: str) -> None:
    with pytest.raises(MacroError):
        expand(sql.replace("()", "(,)"), SPAN)


def test_points_are_never_shorter_than_a_second() -> None:
    assert expand("$__interval_s", TimeRange(0, 1, 200)) == "1"


CONDITION = "$__conditionalAll(pop IN (${pop:sqlstring}), $pop)"


def test_all_removes_the_condition() -> None:
    assert interpolate(CONDITION, {"pop": [ALL]}) == "1=1"
    assert interpolate(CONDITION, {"pop": ["a", "b"]}) == "pop IN ('a','b')"


def test_several_conditions_are_independent() -> None:
    both = f"{CONDITION} AND {CONDITION.replace('pop', 'node')}"
    assert interpolate(both, {"pop": [ALL], "node": ["x"]}) == "1=1 AND node IN ('x')"


@pytest.mark.parametrize(
    "sql",
    [
        "$missing",
        "${missing:sqlstring}",
        "$__conditionalAll(x, $missing)",
        "$__conditionalAll(x, 'a')",
        "$__conditionalAll(x)",
        "$__conditionalAll(x, ${pop:sqlstring})",
        "${pop:csv}",
    ],
)
def test_variables_that_would_not_work_are_refused(sql: str) -> None:
    with pytest.raises(MacroError):
        interpolate(sql, {"pop": ["a"]})


@given(VALUES)
def test_values_cannot_leave_their_quotes(values: list[str]) -> None:
    """Whatever a label holds, the SQL has as many literals as values, and nothing outside."""
    text = interpolate("${pop:sqlstring}", {"pop": values})
    literals = re.findall(r"'(?:[^'\\]|\\.)*'", text, flags=re.DOTALL)
    if values != [ALL]:
        assert ",".join(literals) == text
        assert len(literals) == len(values)
        read = [re.sub(r"\\(.)", r"\1", x[1:-1], flags=re.DOTALL) for x in literals]
        assert read == values


@given(st.integers(0, 2**41), st.integers(1, 2**33))
def test_the_filter_is_the_range_in_whole_seconds(start: int, length: int) -> None:
    text = expand("$__timeFilter(ts)", TimeRange(start, start + length))
    low, high = map(int, re.findall(r"\((\d+)\)", text))
    assert low <= start / 1_000 < low + 1
    assert high <= (start + length) / 1_000 < high + 1
