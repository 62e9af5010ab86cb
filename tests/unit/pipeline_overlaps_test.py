"""409 is for what can never be stored: not for frames on their way, nor for a name used twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from exporters import frames
from exporters.backlog import usage
from exporters.config import PipelineConfig
from exporters.frames import Frame
from exporters.metrics import Sending
from exporters.retention import merge
from exporters.sender import Sender
from exporters.spool import Spool
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_serving import serving, until
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node, body


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


def merged(node: Node, count: int) -> Frame:
    """Frames of a node as one."""
    parts = node.frames(count)
    header = merge([Frame(f.header, {}) for f in parts]).header
    return Frame(replace(header, rows=parts[-1].header.rows), parts[-1].tables)


async def test_numbers_on_their_way_are_no_overlap_until_they_are_stored(
    store: EmbeddedStore,
) -> None:
    node = Node()
    node.seq = 1
    first, whole = body(node.frames(1)), Node()
    whole.seq = 1
    both = body([merged(whole, 3)])
    held, go = threading.Event(), threading.Event()

    def hold(table: str) -> None:
        held.set()
        assert go.wait(60)

    async with serving(store, fault=hold) as client:
        task = asyncio.create_task(client.post(first))
        await until(held.is_set)
        status, answer = await client.post(both)
        assert (status, answer["stored"], answer["retry_after"]) == (503, [], 2)
        go.set()
        assert (await task)[0] == 200
        assert (await client.post(both))[0] == 409


def fill(spool: Spool, node: Node, count: int) -> None:
    for frame in node.frames(count):
        spool.append(frames.encode(frame), frame.header)


async def send(url: str, spools: Sequence[Spool]) -> list[Sending]:
    """Each spool has an exporter of its own; until nothing waits."""
    found = [Sending() for _ in spools]
    with ThreadPoolExecutor(len(spools)) as executor:
        tasks = [
            asyncio.create_task(
                Sender(spool, PipelineConfig(url=url, batch_frames=7), sending, executor).run()
            )
            for spool, sending in zip(spools, found, strict=True)
        ]
        try:
            await until(lambda: not sum(usage(spool).waiting for spool in spools))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    return found


async def test_two_exporters_with_one_name_lose_nothing(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    spools = [Spool(tmp_path / name) for name in ("one", "two")]
    for boot, spool in enumerate(spools):
        fill(spool, Node(stream=spool.stream, boot=boot + 1), 20)
    async with serving(store) as client:
        found = await send(client.url, spools)
    for spool in spools:
        spool.close()
    assert [s.failures for s in found] == [{}, {}]
    assert store.query("SELECT count(), uniqExact(stream, seq) FROM frames", "CSV") == b"40,40\n"


async def test_merged_frames_that_a_commit_tore_are_stored_when_they_come_again(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    spool, crashes = Spool(tmp_path / "spool"), ["vip_1s", "instances"]
    node = Node(stream=spool.stream)
    fill(spool, node, 2)
    for _ in range(5):
        frame = merged(node, 3)
        spool.next_seq = frame.header.seq
        spool.append(frames.encode(frame), frame.header)

    def crash(table: str) -> None:
        if table in crashes:
            crashes.remove(table)
            raise OSError("no space left on device")

    async with serving(store, fault=crash) as client:
        (sending,) = await send(client.url, [spool])
    spool.close()
    assert not crashes
    assert not {"overlap", "refused"} & sending.failures.keys()
    assert store.query("SELECT count(), sum(seq - first + 1) FROM frames", "CSV") == b"7,17\n"
    assert store.query("SELECT count() FROM vip_1s", "CSV") == b"14\n"
