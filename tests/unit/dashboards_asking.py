"""Ask a seeded store what a panel asks, as Grafana and the pipeline's HTTP interface do."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

from dashboards.frames import Kind, kind
from dashboards.macros import ALL, TimeRange, Values, expand, interpolate
from dashboards.model import Board
from dashboards.render import boards
from pipeline.sql import words as sql_words
from pipeline.sql.filter import check
from pipeline.store import QueryLimits, Store
from tests.unit.dashboards_seed import LABELS, NODES, Seed

BOARDS = boards()
# Range in seconds, seconds of a point.
RANGES = {"raw": (1_800, 2), "minutes": (2 * 86_400, 120), "hours": (30 * 86_400, 3_600)}
OPTIONS = {
    "pop": ["ams", "fra"],
    "node": [node for _, node in NODES],
    "instance": ["core0"],
    "lcore": ["1", "2"],
    "vip": ["web-80", "dns"],
    "pool": ["web"],
    "backend": ["b1", "b2"],
}
MANY = {**OPTIONS, "node": ["ams-d1", "fra-d2"]}
FRA = ["fra"]
EVERYTHING = {name: [ALL] for name in OPTIONS}
LCORES = len(NODES) * len(LABELS["lcore"])


def chosen_values(board: Board, choice: str) -> dict[str, list[str]]:
    """Values of the dashboard's variables; one that takes a single value has one."""
    found = {}
    for variable in board.variables:
        options = {"one": OPTIONS, "many": MANY, "all": MANY}[choice][variable.name]
        found[variable.name] = [ALL] if choice == "all" else options
        if choice == "one" or not variable.many:
            found[variable.name] = FRA if variable.name == "pop" else options[-1:]
    return found


class Result(NamedTuple):
    names: list[str]
    kinds: list[Kind]
    rows: list[list[Any]]
    read: int

    def column(self, name: str) -> list[Any]:
        return [row[self.names.index(name)] for row in self.rows]


def span(seed: Seed, name: str, end: int = 0) -> TimeRange:
    seconds, point = RANGES[name]
    last = (seed.now + end) * 1_000
    return TimeRange(last - seconds * 1_000, last, point * 1_000)


def ask(seed: Seed, sql: str, values: Values, chosen_span: TimeRange) -> Result:
    text = expand(interpolate(sql, values, OPTIONS), chosen_span)
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


def home(number: int) -> Board:
    """The dashboard of a panel."""
    return next(b for b in BOARDS.values() if any(p.id == number for p in b.panels))


def panel(number: int) -> str:
    """The query of a panel, and of no other one."""
    return next(p.sql for p in home(number).panels if p.id == number)


def series(result: Result) -> dict[str, set[float]]:
    found: dict[str, set[float]] = {}
    for _, name, value in result.rows:
        found.setdefault(name, set()).add(float(value))
    return found
