"""The ingest over HTTP: every frame once, whatever the order, the repetitions and the failures."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from exporters.frames import Frame
from pipeline.errors import QueryError, StoreError
from pipeline.ingest import IngestOptions
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_serving import CONFIG, serving, until
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node, body, expected, with_layout


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


def _one(store: EmbeddedStore, sql: str) -> int:
    return int(store.query(sql, "TSV"))


def _assert_once(store: EmbeddedStore, *nodes: Node) -> None:
    """Every frame of the nodes is stored, and each of its rows once."""
    for node in nodes:
        of = f"FROM frames WHERE stream = {node.stream}"
        assert _one(store, f"SELECT count() {of}") == node.seq
        assert _one(store, f"SELECT uniqExact(seq) {of}") == node.seq
        for scope in ("lcore", "vip", "backend", "port"):
            stored = f"SELECT sum(tx_packets) FROM {scope}_1s WHERE stream = {node.stream}"
            assert _one(store, stored) == expected(node, scope, "tx_packets"), scope
        rows = _one(store, f"SELECT count() FROM lcore_1s WHERE stream = {node.stream}")
        assert rows == node.lcores * node.seq
        states = _one(store, f"SELECT count() FROM instances WHERE stream = {node.stream}")
        assert states == node.seq


async def test_an_answer_means_stored(store: EmbeddedStore) -> None:
    node = Node()
    async with serving(store) as client:
        status, answer = await client.post(body(node.frames(25)))
        assert status == 200
        assert answer == {"stored": [{"stream": f"{node.stream:016x}", "ranges": [[0, 24]]}]}
        _assert_once(store, node)
        assert client.value("frames_total", outcome="committed") == 25
        assert client.value("rows_total", table="lcore") == 50
        assert client.value("queue_bytes") == 0


async def test_reordered_and_repeated_posts_store_once(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(40)
    posts = [frames[a : a + 5] for a in range(0, 36, 3)] + [frames[36:], frames[:40]]
    random.Random(3).shuffle(posts)
    async with serving(store) as client:
        for post in posts:
            random.Random(len(post)).shuffle(post)
            assert (await client.post(body(post)))[0] == 200
    _assert_once(store, node)


async def test_concurrent_posts_of_the_same_frames_store_once(store: EmbeddedStore) -> None:
    nodes = [Node(node=f"lb{n}", stream=n + 1, seed=n) for n in range(3)]
    bodies = [body(node.frames(12)) for node in nodes]
    async with serving(store, longest_linger_seconds=0.05, linger_seconds=0.05) as client:
        answers = await asyncio.gather(*(client.post(b) for b in bodies * 6))
        assert {status for status, _ in answers} == {200}
        assert client.value("frames_total", outcome="committed") == 36
        assert client.value("frames_total", outcome="duplicate") == 5 * 36
    _assert_once(store, *nodes)


async def test_a_retry_waits_for_the_first_that_is_pending(store: EmbeddedStore) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(table: str) -> None:
        if table == "lcore_1s":
            entered.set()
            assert go.wait(30)

    node = Node()
    data = body(node.frames(3))
    async with serving(store, fault=hold) as client:
        first = asyncio.create_task(client.post(data))
        await asyncio.to_thread(entered.wait, 30)
        second = asyncio.create_task(client.post(data))
        await until(lambda: client.value("frames_total", outcome="duplicate") == 3)
        assert not first.done()
        assert not second.done()
        go.set()
        assert (await first)[0] == (await second)[0] == 200
    _assert_once(store, node)


async def test_a_restart_remembers_what_is_stored(store: EmbeddedStore) -> None:
    node, other = Node(), Node(node="lb2", stream=2)
    frames, others = node.frames(30), other.frames(4)
    async with serving(store) as client:  # with gaps, as when fresh frames overtake a backlog
        await client.post(body(frames[3:9] + frames[20:30] + frames[12:13] + others))
    async with serving(store) as client:
        assert (await client.post(body(frames[8:14])))[0] == 200
        assert client.value("frames_total", outcome="duplicate") == 2
    async with serving(store) as client:
        assert (await client.post(body(frames + others)))[0] == 200
        assert client.value("frames_total", outcome="committed") == 3 + 6 + 0
    _assert_once(store, node, other)


class Crash(StoreError):
    """Stands for a crash between two inserts."""


@pytest.mark.parametrize("table", ["lcore_1s", "lcore_abs", "vip_1s", "instances"])
async def test_rows_of_a_torn_group_are_not_stored_again(store: EmbeddedStore, table: str) -> None:
    def crash(inserted: str) -> None:
        if inserted == table:
            raise Crash(f"after {inserted}")

    node, other = Node(), Node(node="lb2", stream=2)
    data, later = body(node.frames(11)), body(other.frames(3))
    async with serving(store, fault=crash) as client:
        status, answer = await client.post(data)
        assert (status, answer["stored"]) == (503, [])
        assert answer["retry_after"] > 0
    # Other commits come between, and another restart: what was torn is still known.
    async with serving(store) as client:
        assert client.value("orphan_frames") == 11 if table != "lcore_abs" else True
        assert (await client.post(later))[0] == 200
    async with serving(store) as client:
        assert (await client.post(data))[0] == 200
        assert client.value("orphan_frames") == 0
    async with serving(store) as client:
        assert client.value("orphan_frames") == 0
    _assert_once(store, node, other)


async def test_a_merged_frame_survives_a_crash_in_its_own_group(store: EmbeddedStore) -> None:
    def crash(inserted: str) -> None:
        if inserted == "vip_1s":
            raise Crash(f"after {inserted}")

    node = Node()
    frames = node.frames(4)
    merged = body([frames[0], Frame(replace(frames[3].header, first=1), frames[3].tables)])
    async with serving(store, fault=crash) as client:
        assert (await client.post(merged))[0] == 503
    async with serving(store) as client:
        status, answer = await client.post(merged)
        assert (status, answer["stored"][0]["ranges"]) == (200, [[0, 3]])
        assert client.value("orphan_frames") == 0
    assert _one(store, "SELECT count() FROM frames") == 2
    assert _one(store, "SELECT count() FROM lcore_1s") == 2 * node.lcores
    assert _one(store, "SELECT count() FROM instances") == 2


async def test_a_failed_commit_is_refused_and_recovered_from_in_place(store: EmbeddedStore) -> None:
    failures = ["port_1s", "frames"]

    def fail(table: str) -> None:
        if failures and table == failures[0]:
            failures.pop(0)
            raise StoreError("no space left on device")

    node = Node()
    data = body(node.frames(12))
    async with serving(store, fault=fail) as client:
        for _ in range(200):
            status, _ = await client.post(data)
            if status == 200:
                break
            await asyncio.sleep(0.02)
        assert client.value("commits_total", outcome="failed") == 2
        _assert_once(store, node)


@pytest.mark.parametrize("table", ["port_1s", "frames"])
async def test_what_a_full_disk_swallows_is_not_acknowledged(
    store: EmbeddedStore, table: str
) -> None:
    limit = "min_free_disk_bytes_to_perform_insert"
    node = Node()
    data = body(node.frames(12))
    async with serving(store) as client:
        store.query(f"ALTER TABLE {table} MODIFY SETTING {limit} = {1 << 60}")
        status, _ = await client.post(data)
        assert status == 503
        store.query(f"ALTER TABLE {table} MODIFY SETTING {limit} = 0")
        for _ in range(200):
            status, _ = await client.post(data)
            if status == 200:
                break
            await asyncio.sleep(0.02)
        assert status == 200
        _assert_once(store, node)


async def test_a_group_is_of_one_day(store: EmbeddedStore) -> None:
    node = Node()
    node.start_ms += 290_000  # midnight is 10 s away
    frames = node.frames(20)
    async with serving(store) as client:
        assert (await client.post(body(frames)))[0] == 200
        assert client.value("commits_total", outcome="committed") == 2
    _assert_once(store, node)
    assert _one(store, "SELECT uniqExact(toDate(ts)) FROM lcore_1s") == 2
    assert (
        _one(
            store,
            "SELECT max(n) FROM (SELECT uniqExact(toDate(ts)) AS n FROM frames GROUP BY commit)",
        )
        == 1
    )


async def test_a_newer_exporter_is_stored_for_what_is_known(store: EmbeddedStore) -> None:
    node = Node()
    old, frame = node.frame(), node.frame()
    table = frame.tables["lcore"]
    newer = with_layout(table, table.layout.text.replace(" rx_bursts ", " novel "))
    mixed = Frame(frame.header, {**frame.tables, "lcore": newer})
    async with serving(store) as client:
        assert (await client.post(body([old, mixed])))[0] == 200
        assert client.value("unknown_columns_total") == 1
    rows = store.query(
        "SELECT seq, sum(rx_packets) > 0, sum(rx_bursts) > 0 FROM lcore_1s GROUP BY seq", "CSV"
    )
    assert sorted(rows.split()) == [b"0,1,1", b"1,1,0"]


@pytest.mark.parametrize("error", [QueryError("Code: 117. refused"), ValueError("no such day")])
async def test_an_exporter_that_cannot_be_stored_holds_up_nobody(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bad, good = Node(node="bad", stream=1), Node(node="good", stream=2)
    poison, data = body(bad.frames(1)), body(good.frames(3))
    insert = store.insert

    def refuse(table: str, rows: pa.Table, token: str = "") -> int:
        if 1 in rows.column("stream").to_pylist():
            raise error
        return insert(table, rows, token)

    monkeypatch.setattr(store, "insert", refuse)
    async with serving(store, longest_linger_seconds=0.2, linger_seconds=0.2) as client:
        answers = await asyncio.gather(client.post(poison), client.post(data))
        assert [status for status, _ in answers] == [503, 503]  # they were one group
        await until(lambda: client.ready)
        answers = await asyncio.gather(client.post(data), client.post(poison))
        assert sorted(status for status, _ in answers)[0] == 200
    _assert_once(store, good)


async def test_an_overlap_is_refused_whole(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(6)
    merged = Frame(replace(frames[5].header, first=2), frames[5].tables)
    async with serving(store) as client:
        assert (await client.post(body(frames[:4])))[0] == 200
        status, answer = await client.post(body([merged]))
        assert status == 409
        assert "2..5" in answer["error"]
        assert (await client.post(body(frames[4:])))[0] == 200
    _assert_once(store, node)


async def test_a_merged_frame_stands_for_its_numbers(store: EmbeddedStore) -> None:
    node = Node()
    frames = node.frames(4)
    merged = Frame(replace(frames[3].header, first=1), frames[3].tables)
    for _ in range(2):
        async with serving(store) as client:
            status, answer = await client.post(body([frames[0], merged]))
            assert (status, answer["stored"][0]["ranges"]) == (200, [[0, 3]])
    assert _one(store, "SELECT count() FROM frames") == 2


async def test_overload_is_answered_before_memory_grows(store: EmbeddedStore) -> None:
    go = threading.Event()

    def hold(table: str) -> None:
        assert go.wait(30)

    node = Node()
    bodies = [body([frame]) for frame in node.frames(40)]
    limit = 5 * max(map(len, bodies))
    config = replace(CONFIG, ingest=IngestOptions(body_bytes=limit, plain_bytes=limit))
    async with serving(store, config, hold, queue_bytes=limit) as client:
        tasks = [asyncio.create_task(client.post(data)) for data in bodies]
        await until(lambda: client.value("requests_total", code="429") >= 25)
        assert 0 < client.value("queue_bytes") <= limit
        go.set()
        answers = [await task for task in tasks]
        refused = [answer for status, answer in answers if status == 429]
        assert len(refused) >= 25
        assert {status for status, _ in answers} == {200, 429}
        assert all(1 <= answer["retry_after"] <= 30 for answer in refused)
        for data in bodies:
            assert (await client.post(data))[0] == 200
        assert client.value("queue_bytes") == 0
    _assert_once(store, node)


async def test_it_says_how_it_is(store: EmbeddedStore) -> None:
    async with serving(store) as client:
        await client.post(body(Node().frames(2)))
        for path in ("/healthz", "/status", "/metrics", "/"):
            async with client.session.get(client.url + path) as answer:
                assert answer.status == 200
                text = await answer.text()
                assert path != "/metrics" or "popscope_pipeline_freshness_seconds_count 2.0" in text
