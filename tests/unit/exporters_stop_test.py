"""SIGTERM: a last send, and an end that nothing can put off for long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from exporters import service
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_pipeline import pipeline
from tests.unit.exporters_service_test import config, running
from tests.unit.exporters_spooled import read_frames, sums


async def test_what_waits_is_sent_before_the_end(tmp_path: Path) -> None:
    """The pipeline asked for five minutes; at the end it is tried once more."""
    fake_segment = FakeSegment(tmp_path / "run" / "a")
    async with pipeline() as fake:
        refused = asyncio.Event()

        def busy(_: list[bytes]) -> web.Response:
            refused.set()
            return web.Response(status=503, headers={"Retry-After": "300"})

        fake.before = busy
        async with running(config(tmp_path, fake.url)):
            await asyncio.wait_for(refused.wait(), 20)
            fake_segment.add("lcore", 0, rx_packets=7)
            fake_segment.stop()
            async with asyncio.timeout(20):
                while fake_segment.path.exists():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            fake.before = lambda batch: None
        assert sums(fake.frames(), "lcore")["a", "1", "0"][0] == 7
        spooled = [f.header.seq for f in read_frames(tmp_path / "spool")]
        assert [f.header.seq for f in fake.frames()] == spooled


async def test_a_pipeline_that_does_not_answer_cannot_put_the_end_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LAST_SEND_S", 0.2)
    async with pipeline() as fake:
        asked, never = asyncio.Event(), asyncio.Event()

        async def handle(request: web.Request) -> web.Response:
            asked.set()
            await never.wait()
            return web.Response()

        fake.handle = handle  # type: ignore[method-assign]
        async with running(config(tmp_path, fake.url)):
            await asyncio.wait_for(asked.wait(), 20)
        never.set()
    assert read_frames(tmp_path / "spool"), "it waits in the spool"


async def test_a_pipeline_that_is_away_does_not_put_the_end_off_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LAST_SEND_S", 3600)
    async with pipeline() as fake:
        url = fake.url
    async with running(config(tmp_path, url)) as r:
        await r.reach("popscope_exporter_samples_total", 1)
    assert set(r.exporter.sending.failures) == {"connection"}
