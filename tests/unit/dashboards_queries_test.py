"""Every query of every dashboard runs on an embedded store, as Grafana would send it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import pytest

from dashboards.frames import Kind, check_ascending, check_panel, kind
from dashboards.macros import ALL, TimeRange, expand, interpolate
from dashboards.model import Annotation, Board, Lines, Panel, Table, Variable
from dashboards.render import boards
from dashboards.sql import HOURS, MINUTES, RAW, SERIES_ROWS, chosen
from pipeline import rollup
from pipeline.sql import words as sql_words
from pipeline.sql.filter import check
from pipeline.store import QueryLimits, Store
from tests.unit.dashboards_seed import LABELS, NODES, RESTARTED, Seed, seeded

BOARDS = boards()
ITEMS = [(name, i) for name, b in BOARDS.items() for i in (*b.panels, *b.variables, *b.annotations)]
# Range in seconds, seconds of a point.
RANGES = {"raw": (1_800, 2), "minutes": (2 * 86_400, 120), "hours": (30 * 86_400, 3_600)}
OPTIONS = {
    "pop": ["ams", "fra"],
    "node": [node for _, node in NODES],
    "instance": ["core0"],
    "lcore": ["1", "2"],
}
CHOICES: dict[str, dict[str, list[str]]] = {
    "one": {"pop": ["fra"], "node": ["fra-d1"], "instance": ["core0"], "lcore": ["2"]},
    "many": {"pop": ["ams", "fra"], "node": ["ams-d1", "fra-d2"], "instance": ["core0"],
             "lcore": ["1", "2"]},
    "all": {name: [ALL] for name in OPTIONS},
}  # fmt: skip
SERIES = {"one": 1, "many": 2, "all": 4}
GRANULE = 8_192
LCORES = len(NODES) * len(LABELS["lcore"])


class Result(NamedTuple):
    names: list[str]
    kinds: list[Kind]
    rows: list[list[Any]]
    read: int

    def column(self, name: str) -> list[Any]:
        return [row[self.names.index(name)] for row in self.rows]


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded(tmp_path_factory.mktemp("store")) as found:
        yield found


def span(seed: Seed, name: str, end: int = 0) -> TimeRange:
    seconds, point = RANGES[name]
    last = (seed.now + end) * 1_000
    return TimeRange(last - seconds * 1_000, last, point * 1_000)


def ask(seed: Seed, sql: str, choice: str, chosen_span: TimeRange) -> Result:
    text = expand(interpolate(sql, CHOICES[choice], OPTIONS), chosen_span)
    with seed.store.read_only(QueryLimits()) as session:  # as the pipeline's HTTP interface does
        answer = session.answer(check(session, words(seed.store), text).sql, "JSONCompact")
    tree = json.loads(answer.data)
    return Result(
        [c["name"] for c in tree["meta"]],
        [kind(c["type"]) for c in tree["meta"]],
        tree["data"],
        answer.rows_read,
    )


@cache
def words(store: Store) -> sql_words.Words:
    return sql_words.load(store)


def name_of(item: Panel | Variable | Annotation) -> str:
    return item.title if isinstance(item, Panel) else item.name


def may_be_empty(item: object, name: str, choice: str) -> bool:
    """An event is seen where it happened: the restart on one node, changes not in whole hours."""
    if not isinstance(item, Annotation):
        return False
    return name == "hours" or (item.name == "Restarts" and choice == "one")


def budget(item: Panel | Variable | Annotation, name: str, choice: str) -> int:
    """Rows that the query may read: its series at the level, and a granule at both their ends."""
    reads = item.reads if isinstance(item, Panel) else 1
    seconds = RANGES[name][0]
    per_row = {"raw": 1, "minutes": 60, "hours": 3_600}[name]
    if item.scope == "instances":
        rows = min(seconds, SERIES_ROWS)
    else:
        rows = min(seconds // per_row, SERIES_ROWS) + 5
    series = SERIES[choice] * len(LABELS.get(item.scope, [()]))
    return reads * (series * rows + (series + 1) * 2 * GRANULE)


@pytest.mark.parametrize(("board", "item"), ITEMS, ids=[f"{b}-{name_of(i)}" for b, i in ITEMS])
def test_query_runs_for_every_choice_and_range(seed: Seed, board: str, item: Any) -> None:
    for name, choice in product(RANGES, CHOICES):
        result = ask(seed, item.sql, choice, span(seed, name))
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
        assert result.read <= budget(item, name, choice), f"{result.read} rows read: {where}"


@pytest.mark.parametrize("item", [i for _, i in ITEMS if isinstance(i, Annotation)], ids=name_of)
def test_annotation_columns(seed: Seed, item: Annotation) -> None:
    result = ask(seed, item.sql, "all", span(seed, "raw"))
    assert result.names == ["time", "text", "tags"]
    assert result.kinds == [Kind.TIME, Kind.STRING, Kind.STRING]
    check_ascending(result.column("time"))


def test_restart_and_configuration_change_are_marked(seed: Seed) -> None:
    marks = {a.name: a.sql for a in BOARDS["node.json"].annotations}
    restart = ask(seed, marks["Restarts"], "all", span(seed, "raw"))
    assert [RESTARTED in text for text in restart.column("text")] == [True]
    change = ask(seed, marks["Configuration changes"], "all", span(seed, "raw"))
    assert len(change.rows) == len(NODES)
    assert all("configuration 8" in text for text in change.column("text"))


def panel(title: str) -> Panel:
    found: Board = BOARDS["node.json"]
    return next(p for p in found.panels if p.title.startswith(title))


@pytest.mark.parametrize("name", RANGES)
def test_rates_are_the_same_at_every_level(seed: Seed, name: str) -> None:
    """The seed adds the same every second: a level that loses or doubles rows shows it."""
    packets = ask(seed, panel("Packets").sql, "all", span(seed, name))
    assert set(packets.column("received")) == {1_000.0 * LCORES}
    assert set(packets.column("sent")) == {994.0 * LCORES}
    bits = ask(seed, panel("Bits").sql, "all", span(seed, name))
    assert set(bits.column("received")) == {512_000.0 * LCORES}
    busy = ask(seed, panel("Busy share").sql, "all", span(seed, name))
    assert {round(v, 9) for v in busy.column("value")} == {0.3}
    drops = ask(seed, panel("Drops by reason").sql, "all", span(seed, name))
    assert {(r[1], r[2]) for r in drops.rows} == {
        ("arp_not_for_us", 2.0 * LCORES),
        ("no_backend", 4.0 * LCORES),
    }
    bursts = ask(seed, panel("Packets in a burst").sql, "all", span(seed, name))
    assert {v for row in bursts.rows for v in row[1:]} == {1.0 * LCORES}
    vips = ask(seed, panel("Packets received by VIP").sql, "all", span(seed, name))
    assert set(vips.column("value")) == {10.0 * len(NODES)}


@pytest.mark.parametrize("name", RANGES)
def test_balance_adds_up_to_the_packet(seed: Seed, name: str) -> None:
    result = ask(seed, panel("Balance").sql, "all", span(seed, name))
    assert len(result.rows) == LCORES
    assert {int(v) for v in result.column("residual")} == {0}
    for received, made, sent, dropped, consumed, held in (r[4:10] for r in result.rows):
        assert int(received) > 0
        assert int(received) + int(made) == sum(map(int, (sent, dropped, consumed, held)))


def test_a_range_that_ends_in_the_future_shows_true_ages_and_rates(seed: Seed) -> None:
    ahead = 600
    age = ask(seed, panel("Oldest data").sql, "all", span(seed, "raw", ahead))
    assert 0 <= age.rows[0][0] < 120
    vips = ask(seed, panel("VIPs").sql, "all", span(seed, "raw", ahead))
    assert all(9 < v < 11 for v in vips.column("received"))


def test_rates_over_the_range_begin_with_the_data(seed: Seed) -> None:
    """The range is of 90 days, the data of 40: an average over the range would be too low."""
    empty_before = TimeRange((seed.now - 90 * 86_400) * 1_000, seed.now * 1_000, 3_600_000)
    for title in ("VIPs", "Queues"):
        received = ask(seed, panel(title).sql, "all", empty_before).column("received")
        assert all(9.9 < v < 10.1 for v in received)


def test_a_stat_of_nothing_is_not_a_reassuring_zero(seed: Seed) -> None:
    long_ago = TimeRange((seed.now - 900 * 86_400) * 1_000, (seed.now - 899 * 86_400) * 1_000)
    for item in BOARDS["node.json"].panels:
        if item.kind == "stat":
            assert ask(seed, item.sql, "all", long_ago).rows == [], item.title


def test_a_choice_narrows_the_result(seed: Seed) -> None:
    table = ask(seed, panel("Lcores").sql, "one", span(seed, "raw"))
    assert [row[:4] for row in table.rows] == [["fra", "fra-d1", "core0", "2"]]


def test_exactly_one_level_serves_any_range(seed: Seed) -> None:
    now = int(datetime.now(UTC).timestamp())
    conditions = ", ".join(f"toUInt8({chosen(level)})" for level in (RAW, MINUTES, HOURS))
    hour, day = 3_600, 86_400
    lengths = (60, 3 * hour, 3 * hour + 1, day, 7 * day, 7 * day + 1, 365 * day)
    expected = {(60, 0): [1, 0, 0], (day, 0): [0, 1, 0], (60, 8 * day): [0, 1, 0],
                (60, 100 * day): [0, 0, 1], (365 * day, 0): [0, 0, 1]}  # fmt: skip
    for length, ago in product(lengths, (0, 8 * day, 100 * day)):
        at = TimeRange((now - ago - length) * 1_000, (now - ago) * 1_000)
        levels = ask(seed, f"SELECT {conditions}", "all", at).rows[0]
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
    for item in BOARDS["node.json"].panels:
        if isinstance(item.draw, Table):
            names = ask(seed, item.sql, "all", span(seed, "raw")).names
            wanted = {*item.draw.columns, *([item.draw.sort] if item.draw.sort else [])}
            assert wanted <= set(names), item.title


def test_the_pipelines_own_rollups_show_the_same_rates(seed: Seed) -> None:
    """Minutes as the pipeline computes them. The last test: it changes the store."""
    for scope in LABELS:
        seed.store.query(f"TRUNCATE TABLE popscope.{scope}_1m", "Null")
    assert rollup.once(seed.store) > 0
    last = seed.now * 1_000
    inside = TimeRange(last - int(3.5 * 3_600_000), last, 60_000)
    packets = ask(seed, panel("Packets").sql, "all", inside)
    assert len(packets.rows) > 200
    assert set(packets.column("received")) == {1_000.0 * LCORES}
    sent = ask(seed, panel("Packets sent by backend").sql, "all", inside)
    assert set(sent.column("value")) == {10.0 * len(NODES)}
