"""The pipeline's process as a whole: one page of metrics, and an end in the right order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_serving import CONFIG, serving, until
from tests.unit.pipeline_stores import fresh_store

SLOW = "select sum(sipHash64(number)) from numbers(1000000000000)"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path / "store")
    yield store
    store.close()


async def test_all_parts_are_on_the_page_of_metrics(store: EmbeddedStore) -> None:
    async with serving(store) as client:
        async with client.session.get(f"{client.url}/live/history") as answer:
            assert answer.status == 200
        async with client.session.get(f"{client.url}/metrics") as answer:
            page = await answer.text()
        for name in ("live_pages 0.0", "live_failures_total 0.0", "sql_running_queries 0.0"):
            assert f"\npopscope_pipeline_{name}\n" in page


async def test_what_is_not_http_is_answered_and_counted_without_a_traceback(
    store: EmbeddedStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(store) as client:
        for number, port in enumerate((client.running.http_port, client.running.sql_port)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
            assert (await reader.readline()).split()[1] == b"400"
            writer.close()
            await writer.wait_closed()
            name = ("http", "sql")[number]
            await until(lambda name=name: client.value("bad_requests_total", port=name) == 1)
    assert caplog.text == ""


async def test_it_ends_while_pages_and_queries_are_open(store: EmbeddedStore) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as visitor:
        async with serving(store, CONFIG) as client:
            page = await visitor.get(f"{client.url}/live/events")
            sql = f"http://127.0.0.1:{client.running.sql_port}/"
            query = asyncio.create_task(visitor.post(sql, data=SLOW))
            await until(lambda: client.value("sql_running_queries") == 1)
            await until(lambda: client.value("live_pages") == 1)
        answer = await query
        assert (answer.status, "the pipeline ends" in await answer.text()) == (503, True)
        assert (await page.read()).startswith(b"retry: 2000")
    users = [t.name for t in threading.enumerate() if t.name.startswith(("live", "sql"))]
    assert users == []
    # With a query in flight the engine would not end, or end the process.
    store.close()
