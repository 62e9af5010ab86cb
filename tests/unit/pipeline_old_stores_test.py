"""Stores of the states that were recorded: brought up with their data, and served."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lb.catalogue import load
from pipeline import group, migrate, recover, schema
from pipeline.frames import Reader
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.unit.pipeline_serving import serving
from tests.unit.pipeline_tools import Node, body, expected

NEWEST = len(migrate.load())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(EmbeddedOptions(tmp_path / "store", durable=False))
    yield opened
    opened.close()


def _at(store: EmbeddedStore, state: int, folder: Path) -> None:
    """The store as the first migrations left it."""
    folder.mkdir()
    for migration in migrate.load()[:state]:
        shutil.copy(migrate.FOLDER / migration.file, folder)
    migrate.migrate(store, folder)


def _fill(store: EmbeddedStore, node: Node, count: int) -> list[str]:
    """Store frames as a pipeline of that state did; returns what the tables then hold."""
    there = {row["name"] for row in store.query_arrow("SHOW TABLES FROM popscope").to_pylist()}
    read = Reader(schema.in_store(store, load())).read(body(node.frames(count)))
    inserts = list(group.inserts(read.frames, 1, node.start_ms, {}))
    tables = [i.table for i in inserts if i.table in there]
    for insert in inserts:
        if insert.table in there:
            known = _columns(store, insert.table).split(", ")
            rows = insert.rows
            store.insert(insert.table, rows.select([n for n in rows.column_names if n in known]))
    torn = "INSERT INTO orphans VALUES ('instances', toDate(now()), 9, 1, 1)"
    store.query(torn)
    return [*tables, "orphans"]


def _columns(store: EmbeddedStore, table: str) -> str:
    return store.query(
        "SELECT arrayStringConcat(groupArray(name), ', ') FROM system.columns "
        f"WHERE database = 'popscope' AND table = '{table}'",
        "TSVRaw",
    ).decode()


def _digest(store: EmbeddedStore, table: str, columns: str) -> bytes:
    return store.query(f"SELECT count(), sum(cityHash64({columns})) FROM {table}", "CSV")


@pytest.mark.parametrize("state", range(1, NEWEST))
async def test_a_store_of_an_older_state_keeps_its_data_and_serves(
    store: EmbeddedStore, tmp_path: Path, state: int
) -> None:
    _at(store, state, tmp_path / "migrations")
    node = Node()
    tables = _fill(store, node, 25)
    assert {"frames", "instances"} <= set(tables)
    assert ("lcore_1s" in tables) is (state > 1)
    columns = {table: _columns(store, table) for table in tables}
    before = {table: _digest(store, table, columns[table]) for table in tables}
    assert [m.number for m in migrate.migrate(store)] == list(range(state + 1, NEWEST + 1))
    assert {table: _digest(store, table, columns[table]) for table in tables} == before
    data = body(node.frames(5))
    async with serving(store) as client:
        status, answer = await client.post(data)
        assert (status, answer["stored"][0]["ranges"]) == (200, [[25, 29]])
    assert recover.recover(store).stored[node.stream].count(0, 29) == 30
    if state > 1:
        stored = store.query("SELECT sum(tx_packets) FROM lcore_1s", "CSV")
        assert int(stored) == expected(node, "lcore", "tx_packets")


@pytest.mark.parametrize("column", ["ts", "stored_at"])
def test_the_last_minutes_of_a_day_of_frames_are_found_by_an_index(
    store: EmbeddedStore, tmp_path: Path, column: str
) -> None:
    _at(store, 4, tmp_path / "migrations")  # the rows are older than the index
    midnight = "toStartOfDay(now('UTC')) - 86400"
    store.query(
        "INSERT INTO frames (stream, seq, first, ts, stored_at) SELECT number % 2, n, n, "
        f"{midnight} + n, {midnight} + n FROM (SELECT number, intDiv(number, 2) AS n "
        "FROM numbers(2 * 86400))"
    )
    migrate.migrate(store)
    store.query("ALTER TABLE frames MATERIALIZE INDEX by_ts SETTINGS mutations_sync = 2")
    plan = store.query(
        f"EXPLAIN indexes = 1 SELECT max(seq) FROM frames WHERE {column} >= {midnight} + 86300",
        "TSVRaw",
    ).decode()
    assert f"by_{column}" in plan
    found = re.findall(rf"by_{column}.*?Granules: (\d+)/(\d+)", plan, re.S)
    ((read, all_),) = found
    assert int(all_) > 20
    assert int(read) <= 4
