"""A sender at work in tests: quick to try again, on a spool of short files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from exporters import backlog, sender
from exporters.config import PipelineConfig
from exporters.metrics import Sending
from exporters.sender import Sender
from exporters.spool import Limits, Spool
from tests.unit.exporters_pipeline import FakePipeline


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(sender, "MAX_DELAY_S", 0.01)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, Limits(file_ms=20_000))


@asynccontextmanager
async def sending(spool: Spool, url: str, **settings: object) -> AsyncIterator[Sending]:
    """A sender at work; on leaving, everything has been acknowledged."""
    done, executor = Sending(), ThreadPoolExecutor(1)
    config = PipelineConfig(url=url, **settings)  # type: ignore[arg-type]
    task = asyncio.create_task(Sender(spool, config, done, executor).run())
    try:
        yield done
        await until(lambda: backlog.usage(spool).waiting == 0)
    finally:
        task.cancel()
        await asyncio.wait([task])
        executor.shutdown()
        spool.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def numbers(fake: FakePipeline) -> list[int]:
    return sorted(seq for _, seq in fake.stored)


def once(answer: Callable[[], web.Response], times: int = 1) -> Callable[[list[bytes]], object]:
    """Give an answer the first few times."""
    left = [times]

    def behave(_: list[bytes]) -> web.Response | None:
        left[0] -= 1
        return answer() if left[0] >= 0 else None

    return behave
