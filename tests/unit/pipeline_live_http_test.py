"""The live page over HTTP: its files, the history, the pushes, and how many pages there may be."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application
from prometheus_client import CollectorRegistry

from pipeline.errors import QueryError
from pipeline.live import LiveOptions, add_routes
from pipeline.live.collect import View
from pipeline.live.hub import Crowded, Hub, Page
from pipeline.live.routes import STATIC
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_live_seed import seed
from tests.unit.pipeline_stores import fresh_store

END = int(time.time()) - 7200  # the seeded story ends with this second
OPTIONS = LiveOptions()
ALL = View()
Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    seed(store, END, 60)
    yield store
    store.close()


@pytest.fixture
async def client(store: EmbeddedStore) -> AsyncIterator[Client]:
    async with serve(store, OPTIONS) as client:
        yield client


def serve(store: EmbeddedStore, options: LiveOptions) -> Client:
    app = Application()
    add_routes(app, store, options)
    return TestClient(TestServer(app))


async def test_the_page_and_its_files_are_served(client: Client) -> None:
    response = await client.get("/")
    assert response.status == 200
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    page = await response.text()
    for name in ("main.js", "live.css", "vendor/uplot/uPlot.min.css"):
        assert f"/live/static/{name}" in page
        assert (await client.get(f"/live/static/{name}")).status == 200
    assert (await client.get("/live/static/../routes.py")).status == 404


async def test_history_answers_in_json(client: Client) -> None:
    response = await client.get("/live/history?seconds=60&node=ams/d2")
    answer = await response.json()
    assert answer["count"] == 60
    assert answer["reason_help"]["neighbour_unresolved"].endswith(".")
    assert answer["fleet"]["instances"] == []  # the story ended before the last hour
    for asked in ("seconds=5", "seconds=99999999999", "seconds=x", "node=a", "node=a/b/c"):
        assert (await client.get(f"/live/history?{asked}")).status == 400


async def test_pushes_follow_each_other(store: EmbeddedStore) -> None:
    async with serve(store, OPTIONS) as client:
        async with client.get("/live/events?node=ams/d1") as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            pushes = [await push(response) for _ in range(2)]
        assert [name for name, _ in pushes] == ["tick", "tick"]
        first, second = (data for _, data in pushes)
        assert second["start"] + second["count"] > first["start"] + first["count"]
        for pushed in (first, second):  # a busy machine is asked less often, and for more
            every = pushed["every"]
            assert pushed["count"] == 10 + (2 * math.ceil(every) if every > 1 else 0)
        assert ("vips" in first) != ("vips" in second)


async def test_a_store_that_fails_is_said_and_counted(tmp_path_factory: Any) -> None:
    registry = CollectorRegistry()
    broken = Broken()
    app = Application()
    add_routes(app, broken, LiveOptions(registry=registry))  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/live/history")
        assert response.status == 503
        assert "no such table" in (await response.json())["error"]
        async with client.get("/live/events") as response:
            name, data = await push(response)
            assert (name, data["error"]) == ("problem", "Code: 60. no such table")
    assert registry.get_sample_value("popscope_pipeline_live_failures_total") >= 1


class Broken:
    """A store that has no tables."""

    def read_only(self, _: Any) -> Any:
        raise QueryError("Code: 60. no such table")


async def push(response: Any) -> tuple[str, Any]:
    """The next event of a stream."""
    name = ""
    async with asyncio.timeout(20):
        while True:
            key, _, value = (await response.content.readline()).decode().strip().partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                return name, json.loads(value)


async def test_pages_are_bounded(store: EmbeddedStore) -> None:
    async with serve(store, LiveOptions(clients=2, views=1)) as client:
        one = await client.get("/live/events")
        assert (await client.get("/live/events?node=ams/d1")).status == 503  # another view
        two = await client.get("/live/events")
        three = await client.get("/live/events")
        assert (three.status, three.headers["Retry-After"]) == (503, "10")
        one.close()
        two.close()
        async with asyncio.timeout(20):
            while (again := await client.get("/live/events?node=ams/d1")).status == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        again.close()


async def test_a_slow_page_gets_the_latest(store: EmbeddedStore) -> None:
    page = Page()
    for data in (b"1", b"2", b"3"):
        page.put(data)
    assert await page.get() == b"3"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(page.get(), 0.01)
    page.put(b"4")
    assert await page.get() == b"4"


async def test_pages_share_one_round_of_queries(store: EmbeddedStore) -> None:
    hub = Hub(store, OPTIONS)
    pages = [hub.enter(ALL) for _ in range(5)]
    try:
        async with asyncio.timeout(20):
            pushes = [await page.get() for page in pages]
        assert len({id(data) for data in pushes}) == 1
        pages += [hub.enter(ALL) for _ in range(OPTIONS.clients - len(pages))]
        with pytest.raises(Crowded):
            hub.enter(ALL)
    finally:
        await hub.close()


async def test_the_server_ends_while_pages_are_open(store: EmbeddedStore) -> None:
    async with asyncio.timeout(40):  # aiohttp would wait a minute for them to leave
        async with serve(store, OPTIONS) as client:
            response = await client.get("/live/events")
            await push(response)


async def test_histories_are_shared(store: EmbeddedStore) -> None:
    hub = Hub(store, OPTIONS)
    try:
        one, two = await asyncio.gather(hub.history(ALL, 60), hub.history(ALL, 60))
        assert one is two
        assert await hub.history(View("ams", "d1"), 60) is not one
    finally:
        await hub.close()


def test_the_vendored_chart_library_is_unmodified() -> None:
    folder = STATIC / "vendor" / "uplot"
    recorded = dict(
        reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    assert set(recorded) == {"uPlot.esm.js", "uPlot.min.css", "LICENSE"}
    for name, digest in recorded.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (folder / "uPlot.esm.js").read_text().splitlines()[6].strip().endswith("(v1.6.32)")
