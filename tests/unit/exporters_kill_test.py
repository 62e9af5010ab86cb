"""SIGKILL at random moments, of the exporter and the connection: every count arrives once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from exporters.frames import Frame
from tests.chaos.counting import Counting
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_pipeline import pipeline
from tests.unit.exporters_spooled import sums

ROOT = Path(__file__).resolve().parents[2]
KILLS = 6


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    thread = Counting(FakeSegment(tmp_path / "run" / "a"))
    thread.start()
    yield thread
    thread.enough.set()
    thread.join()


@asynccontextmanager
async def exporter(folder: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "POPSCOPE_EXPORT_RUN_ROOT": str(folder / "run"),
        "POPSCOPE_EXPORT_SPOOL_DIRECTORY": str(folder / "spool"),
        "POPSCOPE_EXPORT_LISTEN": "127.0.0.1:0",
        "POPSCOPE_EXPORT_INTERVAL_MS": "100",
        "POPSCOPE_EXPORT_PIPELINE_URL": url,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporters.cli", "run"),
        env=environment,
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr
        await asyncio.wait_for(process.stderr.readline(), 30)  # it listens
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def test_every_count_arrives_once(tmp_path: Path, counting: Counting) -> None:
    chance = random.Random()

    def unlucky(batch: list[bytes]) -> web.Response | None:
        """Stored, but the answer is lost now and then."""
        return web.Response(status=500) if chance.random() < 0.3 else None

    async with pipeline() as fake:
        fake.after = unlucky
        for _ in range(KILLS):
            async with exporter(tmp_path, fake.url) as process:
                await asyncio.sleep(chance.uniform(0.0, 0.8))
                process.send_signal(signal.SIGKILL)
        counting.end()
        async with exporter(tmp_path, fake.url), asyncio.timeout(30):
            while not final(fake.frames()):
                await fake.arrived.wait()
                fake.arrived.clear()
        assert not counting.fake.path.exists()
        assert fake.conflicts == []
        stored = fake.frames()
        assert len({f.header.stream for f in stored}) == 1
        assert [f.header.seq for f in stored] == list(range(len(stored)))
        got = sums(stored, "lcore")
        cells = counting.fake.words("lcore")[0, :, 1:].tolist()
        assert got == {("a", "1", str(row)): cells[row] for row in range(2)}
        assert got == sums(stored, "lcore", absolute=True)
        total = sum(row[0] for row in sums(stored, "vip").values())
        assert total == int(counting.fake.words("vip")[:, :, 1].sum())


def final(stored: list[Frame]) -> bool:
    """Whether the end of the boot is there, and nothing before it is still missing."""
    headers = [f.header for f in stored]
    complete = [h.seq for h in headers] == list(range(len(headers)))
    return complete and any(i.final for h in headers for i in h.instances)
