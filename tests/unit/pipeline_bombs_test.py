"""Small bodies that would unpack to much: refused before they do."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pyarrow as pa
import pytest

from exporters import frames, ipc
from exporters.errors import FrameError
from exporters.frames import PREFIX, Frame, encode
from lb.catalogue import load
from pipeline.errors import TooLarge
from pipeline.frames import MAX_FRAMES, Reader
from tests.unit.pipeline_tools import Node

TABLES = {
    "records": (pa.table({"a": pa.array([0] * 4_000_000)}), "its buffers are compressed"),
    "dictionary": (
        pa.table({"a": pa.array(["x" * 30_000_000]).dictionary_encode()}),
        "it begins with a schema and a dictionary",
    ),
}


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("kind", TABLES)
def test_compressed_buffers_are_refused_before_they_unpack(
    monkeypatch: pytest.MonkeyPatch, codec: str, kind: str
) -> None:
    sink, (table, message) = pa.BufferOutputStream(), TABLES[kind]
    frame = Node().frame()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    small = bytes(sink.getvalue())
    assert len(small) < 200_000
    monkeypatch.setattr(ipc, "write_table", lambda _: small)
    data = encode(Frame(frame.header, {"lcore": frame.tables["lcore"]}))
    before = pa.total_allocated_bytes()
    peak = pa.default_memory_pool().max_memory()
    with pytest.raises(FrameError, match=message):
        frames.decode(data)
    assert pa.total_allocated_bytes() == before
    assert pa.default_memory_pool().max_memory() == peak


def test_so_many_frames_are_too_large_a_body() -> None:
    header = replace(Node().frame().header, rows={}, instances=())
    tiny = [encode(Frame(replace(header, seq=n, first=n), {})) for n in range(MAX_FRAMES + 1)]
    reader = Reader(load())
    assert len(reader.read(b"".join(tiny[:-1])).frames) == MAX_FRAMES
    with pytest.raises(TooLarge, match=f"more than {MAX_FRAMES} frames"):
        reader.read(b"".join(tiny))


@pytest.mark.parametrize("kind", ["tables", "keys"])
def test_a_table_is_read_only_once(kind: str) -> None:
    frame = Node().frame()
    data = encode(frame)
    _, size, body_size, _ = PREFIX.unpack_from(data)
    start = PREFIX.size + size
    header = json.loads(data[PREFIX.size : start])
    place = {**header["tables"][0], "length": 0}
    header[kind] = [*header[kind], place, place]
    raw, body = json.dumps(header).encode(), data[start:]
    crc = zlib.crc32(body, zlib.crc32(raw))
    with pytest.raises(FrameError, match=f"one of its {kind} is there twice"):
        frames.decode(PREFIX.pack(frames.MAGIC, len(raw), body_size, crc) + raw + body)
