"""Remote write over HTTP: what is answered is stored, and what is not is said."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import StoreError
from pipeline.foreign.options import ForeignOptions
from pipeline.foreign.remote_write import PATH
from pipeline.store.embedded import EmbeddedStore
from tests.unit import foreign_wire as wire
from tests.unit.pipeline_serving import CONFIG, Client, serving, until
from tests.unit.pipeline_stores import fresh_store

V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
NOW = int(time.time()) * 1000
OPTIONS = ForeignOptions(linger_seconds=0.0, longest_linger_seconds=0.0)
FAST = replace(CONFIG, foreign=OPTIONS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


Answer = tuple[int, str, dict[str, str]]


async def write(client: Client, plain: bytes, **headers: str) -> Answer:
    return await send(client, wire.snappy(plain), **headers)


async def send(client: Client, data: bytes, **headers: str) -> Answer:
    given = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.session.post(client.url + PATH, data=data, headers=given) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


def rows(store: EmbeddedStore, sql: str) -> list[dict[str, Any]]:
    return store.query_arrow(sql).to_pylist()


SAMPLES = (
    "SELECT d.tenant AS tenant, d.name AS name, CAST(d.labels, 'Map(String, String)') AS labels, "
    "toUnixTimestamp64Milli(s.ts) AS t, s.value AS value "
    "FROM samples AS s FINAL JOIN series AS d FINAL USING (series) ORDER BY tenant, name, labels, t"
)


async def test_a_sample_is_stored_with_its_labels(store: EmbeddedStore) -> None:
    labels = {"__name__": "up", "job": "node", "instance": "a:9100", "Zone": "ä"}
    async with serving(store, FAST) as client:
        body = wire.series1(labels, [(NOW - 1000, 1.0), (NOW, 0.5)])
        status, _, headers = await write(client, body)
        assert status == 204
        assert headers["X-Prometheus-Remote-Write-Samples-Written"] == "2"
    found = rows(store, SAMPLES)
    assert [(r["t"], r["value"]) for r in found] == [(NOW - 1000, 1.0), (NOW, 0.5)]
    assert dict(found[0]["labels"]) == {"job": "node", "instance": "a:9100", "Zone": "ä"}
    assert (found[0]["tenant"], found[0]["name"]) == ("default", "up")


async def test_both_versions_meet_in_one_series(store: EmbeddedStore) -> None:
    labels = {"__name__": "requests_total", "code": "200"}
    symbols = wire.Symbols()
    meta = wire.message(
        5, wire.integer(1, 1) + wire.integer(3, symbols("All.")) + wire.integer(4, symbols("1"))
    )
    second = symbols.request([wire.series2(symbols, labels, [(NOW, 2.0)], meta)])
    async with serving(store, FAST) as client:
        assert (await write(client, wire.series1(labels, [(NOW - 1, 1.0)])))[0] == 204
        status, _, headers = await write(client, second, Content_Type=V2)
        assert (status, headers["X-Prometheus-Remote-Write-Samples-Written"]) == (204, "1")
    assert len(rows(store, "SELECT DISTINCT series FROM samples")) == 1
    assert rows(store, "SELECT name, type, unit, help FROM metrics FINAL") == [
        {"name": "requests_total", "type": "counter", "unit": "1", "help": "All."}
    ]


async def test_a_stale_marker_keeps_its_bits(store: EmbeddedStore) -> None:
    async with serving(store, FAST) as client:
        body = wire.series1({"__name__": "up"}, [(NOW, wire.STALE), (NOW - 1, float("nan"))])
        assert (await write(client, body))[0] == 204
    sql = "SELECT hex(reinterpretAsUInt64(value)) AS bits FROM samples ORDER BY ts DESC LIMIT 1"
    assert rows(store, sql) == [{"bits": "7FF0000000000002"}]


async def test_a_retry_is_stored_once(store: EmbeddedStore) -> None:
    body = wire.series1({"__name__": "up"}, [(NOW, 1.0)])
    async with serving(store, FAST) as client:
        answers = await asyncio.gather(*(write(client, body) for _ in range(8)))
        assert {status for status, _, _ in answers} == {204}
        assert client.value("foreign_repeated_requests_total") == 7
        assert client.value("foreign_samples_total") == 1
    assert len(rows(store, "SELECT * FROM samples")) == 1
    async with serving(store, FAST) as client:  # a process that does not remember the request
        assert (await write(client, body))[0] == 204
    assert len(rows(store, "SELECT * FROM samples FINAL")) == 1
    assert len(rows(store, "SELECT * FROM series FINAL")) == 1


async def test_series_are_known_after_a_restart(store: EmbeddedStore) -> None:
    bodies = [
        wire.series1({"__name__": "m", "n": str(n), "empty": ""}, [(NOW, float(n))])
        for n in range(50)
    ]
    async with serving(store, FAST) as client:
        assert (await write(client, b"".join(bodies)))[0] == 204
    before = rows(store, "SELECT series FROM series ORDER BY series")
    async with serving(store, FAST) as client:
        later = b"".join(
            wire.series1({"__name__": "m", "n": str(n)}, [(NOW + 1, 0.0)]) for n in range(50)
        )
        assert (await write(client, later))[0] == 204
    assert rows(store, "SELECT series FROM series ORDER BY series") == before  # told once
    assert len(rows(store, "SELECT * FROM samples FINAL")) == 100


async def test_a_tenant_has_a_limit_of_its_own(store: EmbeddedStore) -> None:
    config = replace(CONFIG, foreign=replace(OPTIONS, tenant_series=3))
    body = b"".join(wire.series1({"__name__": f"m{n}"}, [(NOW, 1.0)]) for n in range(5))
    async with serving(store, config) as client:
        status, text, headers = await write(client, body)
        assert (status, headers["X-Prometheus-Remote-Write-Samples-Written"]) == (400, "3")
        assert "2 samples of 2 new series" in text
        assert '__name__="m3"' in text
        assert "3 active series" in text
        assert "tenant_series" in text
        assert (await write(client, body, X_Scope_OrgID="other"))[0] == 400
        assert (await write(client, body, X_Scope_OrgID="no such tenant!"))[0] == 400
        known = wire.series1({"__name__": "m1"}, [(NOW + 1, 1.0)])
        assert (await write(client, known))[0] == 204
        assert client.value("foreign_rejected_samples_total", reason="tenant_limit") == 4
    assert len(rows(store, "SELECT * FROM samples")) == 7
    assert len(rows(store, "SELECT DISTINCT series FROM series")) == 6


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({"job": "x"}, "no metric name"),
        ({"__name__": ""}, "no metric name"),
        ({"__name__": "m", "": "x"}, "has no name"),
        ({"__name__": "m", **{f"l{n}": "x" for n in range(128)}}, "more than 128"),
        ({"__name__": "m", "long": "x" * 17000}, "16384 bytes"),
    ],
)
async def test_labels_that_are_no_series(
    store: EmbeddedStore, labels: dict[str, str], why: str
) -> None:
    good = wire.series1({"__name__": "good"}, [(NOW, 1.0)])
    async with serving(store, FAST) as client:
        status, text, headers = await write(client, wire.series1(labels, [(NOW, 1.0)]) + good)
        assert (status, headers["X-Prometheus-Remote-Write-Samples-Written"]) == (400, "1")
        assert why in text
    assert [r["name"] for r in rows(store, SAMPLES)] == ["good"]


async def test_samples_out_of_time(store: EmbeddedStore) -> None:
    days = [(NOW - n * 86_400_000, float(n)) for n in (0, 1, 5, 20, 40)] + [(NOW + 7_200_000, 1.0)]
    async with serving(store, FAST) as client:
        status, text, headers = await write(client, wire.series1({"__name__": "m"}, days))
        assert (status, headers["X-Prometheus-Remote-Write-Samples-Written"]) == (400, "4")
        assert "2 samples out of time" in text
    assert len(rows(store, "SELECT DISTINCT toDate(ts) FROM samples")) == 4


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content_Type": "text/plain"}, b"", 415),
        ({"Content_Type": "application/x-protobuf;proto=other.Message"}, b"", 415),
        ({"Content_Encoding": "gzip"}, b"", 415),
        ({}, b"\x0a\x05\x0a", 400),
        ({}, b"\xff" * 40, 400),
        ({}, b"\x0b", 400),
    ],
)
async def test_what_cannot_be_read_stores_nothing(
    store: EmbeddedStore, headers: dict[str, str], body: bytes, status: int
) -> None:
    good = wire.series1({"__name__": "good"}, [(NOW, 1.0)])
    async with serving(store, FAST) as client:
        found, text, _ = await write(client, good + body, **headers)
        assert found == status
        assert text.strip()
        assert client.value("foreign_queue_bytes") == 0
    assert rows(store, "SELECT * FROM series") == []


async def test_bodies_that_are_too_large(store: EmbeddedStore) -> None:
    config = replace(CONFIG, foreign=replace(OPTIONS, body_bytes=4096, plain_bytes=65536))
    async with serving(store, config) as client:
        for data in (b"x" * 5000, wire.snappy(b"\0" * 70000)):
            assert (await send(client, data))[0] == 413
        status, text, _ = await send(client, b"\xff\xff\x03")  # promises 64 KiB, brings nothing
        assert (status, "Snappy" in text) == (400, True)


async def test_overload_is_said_before_memory_grows(store: EmbeddedStore) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(table: str) -> None:
        entered.set()
        assert go.wait(30)

    config = replace(CONFIG, foreign=replace(OPTIONS, queue_bytes=400, row_bytes=400))
    bodies = [wire.series1({"__name__": "up"}, [(NOW + n, 1.0)]) for n in range(20)]
    async with serving(store, config, hold) as client:
        first = asyncio.create_task(write(client, bodies[0]))
        await asyncio.to_thread(entered.wait, 30)
        others = [asyncio.create_task(write(client, body)) for body in bodies[1:]]
        await until(lambda: client.value("foreign_requests_total", protocol="rw1", code="429") > 0)
        assert client.value("foreign_queue_bytes") <= 400 + len(bodies[0])
        go.set()
        answers = [await task for task in (first, *others)]
        refused = [headers for status, _, headers in answers if status == 429]
        assert all(int(headers["Retry-After"]) > 0 for headers in refused)
        stored = sum(status == 204 for status, _, _ in answers)
        assert stored + len(refused) == len(bodies)
        assert client.value("foreign_queue_bytes") == 0
    assert len(rows(store, "SELECT * FROM samples")) == stored


async def test_a_body_that_stalls_gives_its_memory_back(store: EmbeddedStore) -> None:
    config = replace(CONFIG, foreign=replace(OPTIONS, body_seconds=0.05))
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx".encode()
    async with serving(store, config) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.running.http_port)
        writer.write(head)
        assert (await reader.readline()).split()[1] == b"408"
        writer.transport.abort()
        await until(lambda: client.value("foreign_queue_bytes") == 0)


async def test_a_failed_commit_is_refused_and_stored_by_the_retry(store: EmbeddedStore) -> None:
    failures = ["series", "samples"]

    def fail(table: str) -> None:
        if failures and table == failures[0]:
            failures.pop(0)
            raise StoreError("no space left on device")

    body = wire.series1({"__name__": "up"}, [(NOW, 1.0)]) + wire.metadata1("up", 2, "", "Is it?")
    async with serving(store, FAST, fail) as client:
        for _ in range(2):
            status, text, headers = await write(client, body)
            assert (status, headers["Retry-After"]) == (503, "2")
            assert "no space left" in text
        assert (await write(client, body))[0] == 204
        assert client.value("foreign_commits_total", outcome="failed") == 2
    assert len(rows(store, SAMPLES)) == 1
    assert len(rows(store, "SELECT * FROM metrics FINAL")) == 1


async def test_a_token_is_asked_for(store: EmbeddedStore) -> None:
    config = replace(FAST, ingest=replace(CONFIG.ingest, token="secret"))
    body = wire.series1({"__name__": "up"}, [(NOW, 1.0)])
    async with serving(store, config) as client:
        assert (await write(client, body))[0] == 401
        assert (await write(client, body, Authorization="Bearer secret"))[0] == 204
