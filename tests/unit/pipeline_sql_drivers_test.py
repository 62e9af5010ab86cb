"""Drivers of ClickHouse against the SQL interface."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import aiohttp
import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from pipeline.sql import SqlOptions
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_sql_native_test import decode
from tests.unit.pipeline_sql_serving import Client, serve, store_with_t


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with store_with_t(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
async def client(store: EmbeddedStore) -> AsyncIterator[Client]:
    async with serve(store, SqlOptions()) as client:
        yield client


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


# What Grafana's ClickHouse plugin asks by itself, through the protocol "HTTP" of clickhouse-go.
GRAFANA = {
    "hello": "SELECT displayName(), version(), revision(), timezone()",
    "ping": "SELECT 1",
    "version": "SELECT version()",
    "databases": "SHOW DATABASES",
    "tables": 'SHOW TABLES FROM "popscope"',
    "fields": 'DESC TABLE "popscope"."t"',
    "columns": "SELECT name, type, table FROM system.columns WHERE database IN ('popscope')",
    "functions": """
      SELECT
        name, is_aggregate, case_insensitive, alias_to, origin, description,
        syntax, arguments, returned_value, examples, categories
      FROM system.functions
      LIMIT 10000
    """,
    "values": "select distinct pop from popscope.t limit 1000",
    "keys": 'SELECT DISTINCT arrayJoin(h) as keys FROM "popscope"."t" LIMIT 1000',
    "panel": """SELECT toStartOfInterval(toDateTime(ts), INTERVAL 10 second) AS time, pop,
      sum(v) AS v FROM popscope.t
      WHERE ( ts >= toDateTime(1767225600) AND ts <= toDateTime(1767229200) )
      GROUP BY time, pop ORDER BY time""",
    "builder": """SELECT "ts" as "time", "pop", "v" FROM "popscope"."t" WHERE ( time >=
      fromUnixTimestamp64Milli(1767225600000) ) AND ( pop = 'p0' ) ORDER BY time ASC LIMIT 1000""",
}
# The plugin's settings and deadline come as settings of the engine.
GRAFANA_URL = {"database": "popscope", "default_format": "Native", "max_execution_time": "65",
               "client_protocol_version": "54460", "limit": "100000"}  # fmt: skip


@pytest.mark.parametrize("name", GRAFANA)
async def test_what_grafana_sends_is_answered(store: EmbeddedStore, name: str) -> None:
    async with serve(store, SqlOptions(users={"grafana": "s3cret"})) as client:
        headers = {
            "Authorization": aiohttp.encode_basic_auth("grafana", "s3cret"),
            "Accept-Encoding": "gzip",
            "User-Agent": "grafana/12.2.0 clickhouse-datasource/4.20.0 clickhouse-go/2.47.0"
            " (lv:go/1.26.5; os:linux; grafana_user:admin; grafana_dashboard:popscope-node)",
        }
        response = await client.post("/", data=GRAFANA[name], params=GRAFANA_URL, headers=headers)
        body = await response.read()
    assert (response.status, response.headers["X-Popscope-Ignored"]) == (200, "limit")
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    types, *rows = decode(body, 54460)
    assert types
    assert rows


async def test_grafanas_ad_hoc_filters_are_refused_by_name(client: Client) -> None:
    sql = "SELECT 1 FROM t settings additional_table_filters={'t' : ' pop = \\'p0\\' '}"
    response = await client.post("/", data=sql)
    assert response.status == 403
    assert "refuses SETTINGS" in await response.text()
