"""What the ingest refuses: it says what, names the frames that it is of, and keeps no memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from exporters.frames import Frame, encode
from pipeline.ingest import IngestOptions
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_serving import CONFIG, serving
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node, body


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


def _one(store: EmbeddedStore, sql: str) -> int:
    return int(store.query(sql, "TSV"))


@pytest.mark.parametrize(
    ("strange", "status"),
    [
        ({"interval_ms": 1 << 40}, 200),  # a clock that was set from 1970 to now
        ({"interval_ms": -1}, 400),
        ({"seq": 1 << 70}, 400),
        ({"stream": 1 << 64}, 400),
        ({"ts_ms": 1 << 60}, 400),
    ],
)
async def test_a_header_beyond_the_columns_stops_nobody(
    store: EmbeddedStore, strange: dict[str, int], status: int
) -> None:
    node = Node()
    frame, good = node.frame(), node.frame()
    head = replace(frame.header, **strange)  # type: ignore[arg-type]
    bad = Frame(replace(head, first=min(head.seq, head.first)), frame.tables)
    async with serving(store) as client:
        assert (await client.post(body([bad, good])))[0] == status
        assert (await client.post(body([good])))[0] == 200
    assert _one(store, "SELECT count() FROM frames") == 1 + (status == 200)


async def test_damage_is_named_and_its_neighbours_are_stored(store: EmbeddedStore) -> None:
    node = Node()
    parts = [bytearray(encode(frame)) for frame in node.frames(5)]
    parts[2][-10] ^= 1
    async with serving(store) as client:
        status, answer = await client.post(b"".join(parts))
        assert (status, answer["frame"]) == (400, 2)
        assert "checksum" in answer["error"]
        (named,) = answer["errors"]
        assert (named["frame"], named["stream"], named["seq"]) == (2, f"{node.stream:016x}", 2)
        assert answer["stored"][0]["ranges"] == [[0, 1], [3, 4]]
        assert client.value("frames_total", outcome="damaged") == 1
    assert _one(store, "SELECT count() FROM frames") == 4


async def test_bodies_are_bounded(store: EmbeddedStore) -> None:
    node = Node()
    data = body(node.frames(3))
    packed = pa.Codec("zstd").compress(data, asbytes=True)
    small = IngestOptions(body_bytes=len(data) - 1, plain_bytes=len(data) - 1)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 10_000):
            yield data[at : at + 10_000]

    async with serving(store, replace(CONFIG, ingest=small)) as client:
        for sent, encoding in ((data, ""), (chunks(), ""), (packed, "zstd")):
            status, answer = await client.post(sent, Content_Encoding=encoding)
            assert status == 413
            assert "the body is too large" in answer["error"]
            assert "frame" not in answer  # each of the frames would fit
            assert not answer["errors"]
        for garbage, encoding in ((data[:100], "br"), (data[:100], "zstd")):
            status, answer = await client.post(garbage, Content_Encoding=encoding)
            assert status == 400
            assert "as a whole" in answer["error"]
            assert "frame" not in answer
        assert client.value("queue_bytes") == 0
    async with serving(store) as client:
        assert (await client.post(packed, Content_Encoding="zstd"))[0] == 200
    assert _one(store, "SELECT count() FROM frames") == node.seq


async def test_a_frame_that_alone_is_too_large_is_named(store: EmbeddedStore) -> None:
    node = Node()
    data = body(node.frames(2)[1:])
    packed = pa.Codec("zstd").compress(data, asbytes=True)
    limit = len(data) - 1
    small = IngestOptions(body_bytes=limit, plain_bytes=limit)
    async with serving(store, replace(CONFIG, ingest=small)) as client:
        status, answer = await client.post(packed, Content_Encoding="zstd")
    assert status == 413
    (named,) = answer["errors"]
    assert (named["frame"], named["stream"], named["seq"]) == (0, f"{node.stream:016x}", 1)


async def test_a_client_that_falls_silent_holds_no_memory(store: EmbeddedStore) -> None:
    node = Node()
    data = body(node.frames(2))
    config = replace(CONFIG, ingest=IngestOptions(body_seconds=0.05))
    async with serving(store, config) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.running.http_port)
        head = f"POST /v1/frames HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data[:1000])
        answer = await reader.readuntil(b"}")  # it neither sends more nor hangs up
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"1000 bytes of the body came" in answer
        assert client.value("queue_bytes") == 0
        assert client.value("requests_total", code="408") == 1
        assert (await client.post(data))[0] == 200
        writer.close()
        await writer.wait_closed()
    assert _one(store, "SELECT count() FROM frames") == node.seq


async def test_a_token_is_asked_for(store: EmbeddedStore) -> None:
    data = body(Node().frames(1))
    config = replace(CONFIG, ingest=IngestOptions(token="secret"))
    async with serving(store, config) as client:
        assert (await client.post(data))[0] == 401
        assert (await client.post(data, Authorization="Bearer secre"))[0] == 401
        assert (await client.post(data, Authorization="Bearer secret"))[0] == 200
