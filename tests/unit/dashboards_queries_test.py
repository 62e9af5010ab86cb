"""Every query of every dashboard runs on an embedded store, as Grafana would send it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from dashboards.frames import Kind, check_ascending, check_panel
from dashboards.macros import TimeRange
from dashboards.model import Annotation, Board, Lines, Panel, Table, Variable
from dashboards.sql import HOURS, MINUTES, RAW, SERIES_ROWS, chosen
from tests.unit.dashboards_asking import (
    BOARDS,
    EVERYTHING,
    RANGES,
    ask,
    chosen_values,
    span,
)
from tests.unit.dashboards_seed import LABELS, NODES, RESTARTED, Seed, seeded

ITEMS = [(name, i) for name, b in BOARDS.items() for i in (*b.panels, *b.variables, *b.annotations)]
# Nodes that a choice has, on a dashboard of several PoPs and on one of a single PoP.
CHOSEN_NODES = {"one": (2, 1), "many": (4, 1), "all": (4, 2)}
# The conditions of variables are the same at every level: each level with one choice, raw with all.
ASKED = [("raw", "one"), ("raw", "many"), ("raw", "all"), ("minutes", "many"), ("hours", "all")]
GRANULE = 8_192
HOURS_STORED = 41 * 24
# What the data has no answer to: a fleet that does not grow is never full.
EMPTY = {"Days until the first PoP is full"}


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded(tmp_path_factory.mktemp("store")) as found:
        yield found


def name_of(item: Panel | Variable | Annotation) -> str:
    return item.title if isinstance(item, Panel) else item.name


def may_be_empty(item: Any, name: str, choice: str) -> bool:
    """An event is seen where it happened: the restart on one node, changes not in whole hours."""
    if isinstance(item, Panel):
        return item.title in EMPTY or (name == "raw" and item.scope.startswith("capacity"))
    is_rare = isinstance(item, Annotation) and item.scope != "events"
    return is_rare and (name == "hours" or item.name == "Restarts")


def budget(board: Board, item: Panel | Variable | Annotation, name: str, choice: str) -> int:
    """Rows that the query may read: its series at the level, and a granule at both their ends."""
    reads = item.reads if isinstance(item, Panel) else 1
    nodes = CHOSEN_NODES[choice]["node" in board.names]
    if item.scope == "fleet":
        nodes, reads = len(NODES), 2
    seconds = RANGES[name][0]
    per_row = {"raw": 1, "minutes": 60, "hours": 3_600}[name]
    if item.scope in ("instances", "frames"):
        rows, reads = min(seconds, SERIES_ROWS), 2
    elif item.scope.startswith("capacity"):
        rows = HOURS_STORED * len(LABELS["lcore"])
    else:
        rows = min(seconds // per_row, SERIES_ROWS) + 5
    series = nodes * len(LABELS.get(item.scope, [()]))
    return reads * (series * rows + (series + 1) * 2 * GRANULE)


@pytest.mark.parametrize(("file", "item"), ITEMS, ids=[f"{b}-{name_of(i)}" for b, i in ITEMS])
def test_query_runs_for_every_choice_and_range(seed: Seed, file: str, item: Any) -> None:
    board = BOARDS[file]
    for name, choice in ASKED:
        result = ask(seed, item.sql, chosen_values(board, choice), span(seed, name))
        where = f"{name}, {choice}"
        assert result.rows or may_be_empty(item, name, choice), f"no rows: {where}"
        if isinstance(item, Panel):
            is_table = not isinstance(item.draw, Lines) and item.kind in ("table", "stat")
            check_panel(item.kind, is_table, result.names, result.kinds)
            if not is_table:
                check_ascending(result.column("time"))
                assert len({tuple(r[:2]) for r in result.rows}) == len(result.rows) or (
                    Kind.STRING not in result.kinds
                ), f"a line has two values at one time: {where}"
        assert result.read <= budget(board, item, name, choice), f"{result.read} rows: {where}"


@pytest.mark.parametrize("item", [i for _, i in ITEMS if isinstance(i, Annotation)], ids=name_of)
def test_annotation_columns(seed: Seed, item: Annotation) -> None:
    result = ask(seed, item.sql, EVERYTHING, span(seed, "raw"))
    assert result.names == ["time", "text", "tags"]
    assert result.kinds == [Kind.TIME, Kind.STRING, Kind.STRING]
    check_ascending(result.column("time"))


def test_restart_and_configuration_change_are_marked(seed: Seed) -> None:
    marks = {a.name: a.sql for a in BOARDS["node.json"].annotations}
    restart = ask(seed, marks["Restarts"], EVERYTHING, span(seed, "raw"))
    assert [RESTARTED in text for text in restart.column("text")] == [True]
    change = ask(seed, marks["Configuration changes"], EVERYTHING, span(seed, "raw"))
    assert len(change.rows) == len(NODES)
    assert all("configuration 8" in text for text in change.column("text"))


def test_a_stat_of_nothing_is_not_a_reassuring_zero(seed: Seed) -> None:
    long_ago = TimeRange((seed.now - 900 * 86_400) * 1_000, (seed.now - 899 * 86_400) * 1_000)
    for item in (p for b in BOARDS.values() for p in b.panels):
        if item.kind == "stat" and not item.scope.startswith("capacity"):
            assert ask(seed, item.sql, EVERYTHING, long_ago).rows == [], item.title


def test_exactly_one_level_serves_any_range(seed: Seed) -> None:
    now = int(datetime.now(UTC).timestamp())
    conditions = ", ".join(f"toUInt8({chosen(level)})" for level in (RAW, MINUTES, HOURS))
    hour, day = 3_600, 86_400
    lengths = (60, 3 * hour, 3 * hour + 1, day, 7 * day, 7 * day + 1, 365 * day)
    expected = {(60, 0): [1, 0, 0], (day, 0): [0, 1, 0], (60, 8 * day): [0, 1, 0],
                (60, 100 * day): [0, 0, 1], (365 * day, 0): [0, 0, 1]}  # fmt: skip
    for length, ago in product(lengths, (0, 8 * day, 100 * day)):
        at = TimeRange((now - ago - length) * 1_000, (now - ago) * 1_000)
        levels = ask(seed, f"SELECT {conditions}", EVERYTHING, at).rows[0]
        assert sum(levels) == 1, (length, ago)
        assert levels == expected.get((length, ago), levels)


def test_levels_are_kept_as_long_as_the_schema_keeps_them(seed: Seed) -> None:
    for level in (RAW, MINUTES):
        ddl = seed.store.query(
            f"SHOW CREATE TABLE popscope.lcore_{level.suffix}", "TSVRaw"
        ).decode()
        assert f"toIntervalDay({level.kept_days})" in ddl


def test_tables_can_have_their_columns(seed: Seed) -> None:
    """A setting for a column that the query does not give would silently do nothing."""
    for item in (p for b in BOARDS.values() for p in b.panels):
        if isinstance(item.draw, Table):
            names = ask(seed, item.sql, EVERYTHING, span(seed, "raw")).names
            wanted = {*item.draw.columns, *([item.draw.sort] if item.draw.sort else [])}
            assert wanted <= set(names), item.title
