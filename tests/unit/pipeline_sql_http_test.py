"""ClickHouse's HTTP interface: what curl, drivers and Grafana send, and what they get."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from pipeline.sql import SqlOptions
from pipeline.sql.options import lowered
from pipeline.sql.wire import accepted, parameter
from pipeline.store import QueryLimits
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_sql_serving import Client, serve, store_with_t

SLOW = "select sum(sipHash64(number)) from numbers(1000000000000)"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with store_with_t(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
async def client(store: EmbeddedStore) -> AsyncIterator[Client]:
    async with serve(store, SqlOptions()) as client:
        yield client


async def text(client: Client, sql: str, **parameters: str) -> str:
    response = await client.post("/", data=sql, params=parameters)
    return await response.text()


async def test_it_says_that_it_is_there(client: Client) -> None:
    for path in ("/", "/ping"):
        response = await client.get(path)
        assert (response.status, await response.text()) == (200, "Ok.\n")
    assert (await client.get("/other")).status == 404


async def test_a_query_may_stand_in_the_url_in_the_body_or_in_both(client: Client) -> None:
    response = await client.get("/", params={"query": "select 1"})
    assert await response.text() == "1\n"
    assert await text(client, "select 2") == "2\n"
    assert await text(client, "+ 4", query="select 3") == "7\n"
    response = await client.post(
        "/",
        data=aiohttp.FormData(
            {"query": "select {x:String}", "param_x": "y"}, default_to_multipart=True
        ),
    )
    assert await response.text() == "y\n"


async def test_the_format_is_chosen_by_the_sql_then_by_the_client(client: Client) -> None:
    assert (
        await text(client, "select 1 as a format CSVWithNames", default_format="JSON") == '"a"\n1\n'
    )
    response = await client.post("/", data="select 1 as a", params={"default_format": "JSON"})
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["X-ClickHouse-Format"] == "JSON"
    assert json.loads(await response.text())["data"] == [{"a": 1}]
    response = await client.post("/", data="select 1 as a", headers={"X-ClickHouse-Format": "CSV"})
    assert response.headers["Content-Type"].startswith("text/csv")
    response = await client.post("/", data="select 1", params={"default_format": "Nonsense"})
    assert (response.status, response.headers["X-ClickHouse-Exception-Code"]) == (404, "73")
    response = await client.post("/", data="select 1", params={"default_format": "a'b"})
    assert response.status == 404


async def test_the_reply_tells_what_the_query_cost(client: Client) -> None:
    response = await client.post("/", data="select sum(v) from t", params={"query_id": "my.id-1"})
    summary = json.loads(response.headers["X-ClickHouse-Summary"])
    assert summary["read_rows"] == "1000"
    assert all(isinstance(value, str) for value in summary.values())
    assert response.headers["X-ClickHouse-Query-Id"] == "my.id-1"
    assert response.headers["X-ClickHouse-Timezone"]
    response = await client.post("/", data="select 1", params={"query_id": "a\r\nb"})
    assert "\n" not in response.headers["X-ClickHouse-Query-Id"]


async def test_parameters_of_steering_are_no_settings(client: Client) -> None:
    steering = {
        "session_id": "a", "wait_end_of_query": "1", "buffer_size": "1", "role": "x",
        "send_progress_in_http_headers": "0", "quota_key": "q", "database": "default",
        "cancel_http_readonly_queries_on_client_close": "1", "client_protocol_version": "0",
    }  # fmt: skip
    response = await client.post("/", data="select 1", params=steering)
    assert (response.status, await response.text()) == (200, "1\n")
    assert "X-Popscope-Ignored" not in response.headers


async def test_settings_lower_limits_or_are_left_out_and_named(client: Client) -> None:
    asked = {"max_result_rows": "5", "max_threads": "64", "readonly": "0"}
    response = await client.post("/", data="select * from numbers(4)", params=asked)
    assert response.status == 200
    assert response.headers["X-Popscope-Ignored"] == "max_threads,readonly"
    response = await client.post("/", data="select * from numbers(600000)", params=asked)
    assert (response.status, response.headers["X-ClickHouse-Exception-Code"]) == (500, "396")
    response = await client.post("/", data="select 1", params={"a\r\nX-Evil": "1"})
    assert response.headers["X-Popscope-Ignored"] == "a%0D%0AX-Evil"


def test_a_client_can_lower_a_limit_and_not_lift_it() -> None:
    ours = QueryLimits(execution_seconds=30, result_rows=100, rows_to_read=0)
    asked = {"max_execution_time": "60", "max_result_rows": "7", "max_rows_to_read": "9"}
    limits, ignored = lowered(ours, asked)
    assert (limits.execution_seconds, limits.result_rows, limits.rows_to_read) == (30, 7, 9)
    assert ignored == []
    none, ignored = lowered(ours, {"max_execution_time": "0", "max_result_rows": "-1", "x": "y"})
    assert (none, ignored) == (ours, ["x"])
    for nonsense in ("nan", "inf", "-inf", "1e400", "", "ten"):
        for limit in ("max_result_rows", "max_rows_to_read", "max_execution_time"):
            assert lowered(ours, {limit: nonsense}) == (ours, [limit])
    assert lowered(ours, {"max_result_rows": "0.1"})[0].result_rows == 1  # and not 0, no limit
    assert lowered(QueryLimits(), {"max_execution_time": "1e-9"})[0].execution_seconds == 0.001


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("selec 1 1", 400, 62),
        ("select nope from t", 404, 47),
        ("select 1 from nothing", 404, 60),
        ("select file('/etc/passwd')", 403, 497),
        ("select 1; select 2", 400, 62),
        ("drop table t", 403, 497),
        ("select toUInt8('x')", 400, 6),
        ("select toUInt8(unhex('fffe'))", 400, 6),  # quoted in the message, and no UTF-8
        ("select {x:String}", 400, 456),
    ],
)
async def test_errors_have_clickhouses_code_and_a_fitting_status(
    client: Client, sql: str, status: int, code: int
) -> None:
    response = await client.post("/", data=sql)
    told = await response.text()
    assert told.startswith(f"Code: {code}. DB::Exception: ")
    assert (response.status, response.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))


async def test_requests_that_hold_no_query_are_told_why(client: Client) -> None:
    for body in (b"", b" \n", b"\xff\xfe"):
        assert (await client.post("/", data=body)).status == 400
    assert (await client.post("/", data=b"x" * 400_000)).status == 413
    assert (await client.post("/", data="select '" + "x" * 300_000 + "'")).status == 403
    assert (await client.post("/", data="select 1", params={"database": "system"})).status == 404
    assert (await client.post("/", data="select 1", params={"decompress": "1"})).status == 501
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("external", b"1\n", filename="a.tsv")
    assert (await client.post("/", data=form, params={"query": "select 1"})).status == 501


async def test_bodies_come_compressed(client: Client) -> None:
    for name, data in (
        ("gzip", gzip.compress(b"select 5")),
        ("lz4", pa.compress(b"select 5", codec="lz4", asbytes=True)),
        ("zstd", pa.compress(b"select 5", codec="zstd", asbytes=True)),
    ):
        response = await client.post("/", data=data, headers={"Content-Encoding": name})
        assert (name, await response.text()) == (name, "5\n")
    bomb = pa.compress(b" " * 50_000_000, codec="lz4", asbytes=True)
    for data in (bomb, b"no frame"):
        response = await client.post("/", data=data, headers={"Content-Encoding": "lz4"})
        assert response.status == 400


@pytest.mark.parametrize("name", ["gzip", "lz4", "zstd"])
async def test_results_go_compressed(client: Client, name: str) -> None:
    sql = "select number from numbers(1000)"
    plain = (await text(client, sql, enable_http_compression="0")).encode()
    response = await client.post("/", data=sql, headers={"Accept-Encoding": f"br, {name};q=0.5"})
    assert response.headers["Content-Encoding"] == name
    data = await response.read()
    codec = pa.CompressedInputStream(pa.BufferReader(data), name)
    assert len(data) < len(plain)
    assert codec.read() == plain


def test_an_encoding_is_answered_only_when_it_is_accepted() -> None:
    assert accepted("") == accepted("br, deflate") == accepted("gzip;q=0") == ""
    assert accepted("gzip, deflate") == "gzip"
    assert accepted("GZIP , zstd; q=0.9") == "zstd"


def test_values_of_parameters_are_unescaped_by_their_type() -> None:
    assert parameter("a\\tb\\\\c\\'d", "String") == "a\tb\\c'd"
    assert parameter("a\\\nb", "Nullable(String)") == "a\nb"
    assert parameter("['a\\'b','c\\\\\\\\d']", "Array(String)") == "['a''b','c\\\\d']"
    assert parameter("2026-01-01", "DateTime") == "2026-01-01"


async def test_users_come_by_password(store: EmbeddedStore) -> None:
    async with serve(store, SqlOptions(users={"grafana": "s3cret"})) as client:
        good = {"X-ClickHouse-User": "grafana", "X-ClickHouse-Key": "s3cret"}
        assert (await client.get("/?query=select+1", headers=good)).status == 200
        basic = {"Authorization": aiohttp.encode_basic_auth("grafana", "s3cret")}
        assert (await client.get("/?query=select+1", headers=basic)).status == 200
        assert (await client.get("/?query=select+1&user=grafana&password=s3cret")).status == 200
        for headers in (
            {},
            {"X-ClickHouse-User": "grafana"},
            good | {"X-ClickHouse-Key": "wrong"},
            good | {"X-ClickHouse-User": "default"},
            {"X-ClickHouse-User": "nobody"},
            {"Authorization": "Bearer s3cret"},
            {"Authorization": "Basic !!!"},
        ):
            response = await client.get("/?query=select+1", headers=headers)
            assert response.status == 401
            assert response.headers["X-ClickHouse-Exception-Code"] == "516"
            assert "WWW-Authenticate" in response.headers
        assert (await client.get("/ping")).status == 200


async def test_without_users_only_loopback_is_let_in(client: Client) -> None:
    for host, status in (
        ("localhost:8123", 200), ("127.0.0.1", 200), ("[::1]:8123", 200),
        ("evil.example", 403), ("10.0.0.1:8123", 403), ("localhost.evil.example", 403),
    ):  # fmt: skip
        response = await client.get("/?query=select+1", headers={"Host": host})
        assert (host, response.status) == (host, status)
    for user in ({"user": "admin"}, {"password": "x"}):
        assert (await client.get("/", params={"query": "select 1"} | user)).status == 401


async def test_a_query_ends_at_its_time_limit(client: Client) -> None:
    response = await client.post("/", data=SLOW, params={"max_execution_time": "0.3"})
    assert (response.status, response.headers["X-ClickHouse-Exception-Code"]) == (408, "159")


async def test_too_many_queries_are_told_to_come_back(store: EmbeddedStore) -> None:
    options = SqlOptions(concurrency=1, waiting=1, wait_seconds=0.2)
    async with serve(store, options) as client:
        slow = asyncio.create_task(text(client, SLOW, max_execution_time="3"))
        await until(lambda: running(store) == 1)
        responses = await asyncio.gather(*(client.post("/", data="select 1") for _ in range(4)))
        for response in responses:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert response.headers["X-ClickHouse-Exception-Code"] == "202"
        assert "Code: 159" in await slow
        assert await text(client, "select 1") == "1\n"


async def test_a_query_is_stopped_when_its_client_leaves(store: EmbeddedStore) -> None:
    registry = CollectorRegistry()
    async with serve(store, SqlOptions(concurrency=1, registry=registry)) as client:
        slow = asyncio.create_task(text(client, SLOW))
        await until(lambda: running(store) == 1)
        slow.cancel()
        await until(lambda: running(store) == 0)
        assert await text(client, "select 1") == "1\n"
        name = "popscope_pipeline_sql_queries_total"
        assert registry.get_sample_value(name, {"result": "cancelled"}) == 1
        assert registry.get_sample_value(name, {"result": "ok"}) == 1


async def test_the_server_ends_while_a_query_runs(store: EmbeddedStore) -> None:
    async with serve(store, SqlOptions()) as client:
        slow = asyncio.create_task(text(client, SLOW))
        await until(lambda: running(store) == 1)
        slow.cancel()
    assert running(store) == 0


def running(store: EmbeddedStore) -> int:
    sql = "SELECT count() FROM system.processes WHERE startsWith(query, '/* popscope-sql')"
    return int(store.query(sql, "TabSeparated"))


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_threads_are_not_left_behind() -> None:
    assert not [t.name for t in threading.enumerate() if t.name.startswith("sql")]
