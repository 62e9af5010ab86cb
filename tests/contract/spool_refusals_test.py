"""The real pipeline names a frame that it can never store; the sender puts that one aside."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exporters import frames
from exporters.backlog import usage
from exporters.config import PipelineConfig
from exporters.frames import Frame
from exporters.metrics import Sending
from exporters.sender import Sender
from exporters.spool import Spool
from tests.unit.pipeline_serving import serving, until
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node

BAD = 4


async def test_a_frame_that_cannot_be_stored_is_put_aside_and_the_others_stored(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool")
    for frame in Node(stream=spool.stream).frames(10):
        strange = {"vip": frame.tables["lcore"]} if frame.header.seq == BAD else frame.tables
        spool.append(frames.encode(Frame(frame.header, strange)), frame.header)
    store = fresh_store(tmp_path / "store")
    sending, executor = Sending(), ThreadPoolExecutor(1)
    try:
        async with serving(store) as client:
            config = PipelineConfig(url=client.url)
            task = asyncio.create_task(Sender(spool, config, sending, executor).run())
            await until(lambda: usage(spool).waiting == 0)
            task.cancel()
            await asyncio.wait([task])
        stored = store.query("SELECT seq FROM frames ORDER BY seq", "CSV").split()
    finally:
        executor.shutdown()
        spool.close()
        store.close()
    assert [int(seq) for seq in stored] == [n for n in range(10) if n != BAD]
    assert sending.failures == {"refused": 1}
    kept = [path.name for path in (tmp_path / "spool" / "quarantine").iterdir()]
    assert kept == [f"{spool.stream:016x}-{BAD:020d}.frame"]
