"""Drivers of ClickHouse against the SQL interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import pytest
from aiohttp.test_utils import TestClient, TestServer
from clickhouse_connect.driver.exceptions import DatabaseError

from pipeline.sql import SqlOptions, sql_app
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore

Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(EmbeddedOptions(tmp_path_factory.mktemp("store"), durable=False))
    store.query(
        "CREATE TABLE t (ts DateTime64(3, 'UTC'), pop LowCardinality(String), v UInt64,"
        " h Array(UInt64), n Nullable(Float64)) ENGINE = MergeTree ORDER BY v"
    )
    store.query(
        "INSERT INTO t SELECT toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number,"
        " 'p' || number % 3, number, [number, 2], if(number % 2, NULL, 0.5) FROM numbers(1000)"
    )
    yield store
    store.close()


@pytest.fixture
async def client(store: EmbeddedStore) -> AsyncIterator[Client]:
    async with serve(store, SqlOptions()) as client:
        yield client


def serve(store: EmbeddedStore, options: SqlOptions) -> Client:
    return TestClient(
        TestServer(sql_app(store, options)),
        auto_decompress=False,
        skip_auto_headers={"Accept-Encoding"},
    )


async def test_clickhouse_connect_works(store: EmbeddedStore) -> None:
    async with serve(store, SqlOptions()) as client:
        await asyncio.to_thread(use_clickhouse_connect, client.port)


def use_clickhouse_connect(port: int | None) -> None:
    with clickhouse_connect.get_client(host="127.0.0.1", port=port) as driver:
        assert driver.ping()
        assert driver.protocol_version > 0  # blocks came as of the revision that it asked for
        rows = driver.query("select ts, pop, v, h, n from t order by v limit 2").result_rows
        first = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
        assert rows[0] == (first, "p0", 0, [0, 2], 0.5)
        assert rows[1][4] is None
        values = {"a": "x'y\n\t\\z", "b": ["q's", "b\\c"], "d": datetime(2020, 1, 1)}
        asked = "select {a:String}, {b:Array(String)}, {d:DateTime}"
        assert driver.query(asked, parameters=values).result_rows == [tuple(values.values())]
        frame = driver.query_df("select pop, sum(v) as s from t group by pop order by pop")
        assert list(frame["pop"]) == ["p0", "p1", "p2"]
        assert driver.query_arrow("select pop, v from t").num_rows == 1000
        assert driver.query_np("select number from numbers(3)").tolist() == [[0], [1], [2]]
        with driver.query_row_block_stream("select number, 'x' from numbers(200000)") as blocks:
            assert sum(len(block) for block in blocks) == 200_000
        assert driver.command("select currentDatabase()") == "popscope"
        with pytest.raises(DatabaseError, match="497"):
            driver.command("drop table t")
        with pytest.raises(DatabaseError, match="47"):
            driver.query("select nope from t")


async def test_the_first_queries_of_grafanas_driver_work(client: Client) -> None:
    asked = {"default_format": "Native", "database": "popscope", "client_protocol_version": "54460",
             "max_execution_time": "60"}  # fmt: skip
    for sql in (
        "SELECT displayName(), version(), revision(), timezone()",
        "SELECT timeZone()",
        "SELECT 1",
        "SHOW DATABASES",
        "SHOW TABLES FROM popscope",
        "DESC TABLE popscope.t",
    ):
        response = await client.post("/", data=sql, params=asked)
        assert (sql, response.status) == (sql, 200)
        assert (await response.read()).startswith(b"\x01\x00\x02\xff\xff\xff\xff\x00")
