"""The sender: frames arrive once, whatever the pipeline and the network do."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiohttp import web

from exporters import backlog, sender
from exporters.config import PipelineConfig
from exporters.metrics import Sending
from exporters.sender import Sender
from exporters.spool import Spool
from tests.unit.exporters_pipeline import pipeline
from tests.unit.exporters_sending import numbers, once, quick, sending, spool, until
from tests.unit.exporters_spooled import append

__all__ = ["quick", "spool"]  # fixtures


async def test_everything_is_sent_with_the_token_and_files_go(spool: Spool) -> None:
    append(spool, 50)
    async with pipeline() as fake:
        async with sending(spool, fake.url, token="secret") as done:
            await until(lambda: done.acked == 50)
        assert numbers(fake) == list(range(50))
        assert set(fake.tokens) == {"Bearer secret"}
        assert not done.failures
        assert len(spool.files) == 1


async def test_a_lost_answer_brings_the_same_bytes_again(spool: Spool) -> None:
    append(spool, 20)
    async with pipeline() as fake:
        fake.after = once(lambda: web.Response(status=500), 3)  # type: ignore[assignment]
        async with sending(spool, fake.url) as done:
            pass
        assert fake.batches[0] == fake.batches[1] == fake.batches[2] == fake.batches[3]
        assert fake.conflicts == []
        assert done.failures == {"server": 3}


async def test_an_outage_is_waited_out_and_the_newest_frames_come_first(spool: Spool) -> None:
    append(spool, 4)
    async with pipeline() as fake:
        fake.before = once(lambda: web.Response(status=503), 5)  # type: ignore[assignment]
        async with sending(spool, fake.url, batch_frames=4):
            await until(lambda: len(fake.batches) >= 2)
            append(spool, 40, 1_700_000_100_000)
        late = [batch for batch in fake.batches if batch != [0, 1, 2, 3]]
        assert late[0][0] == 43
        assert numbers(fake) == list(range(44))


async def test_nobody_listening_is_no_harm(spool: Spool) -> None:
    append(spool, 3)
    async with pipeline() as fake:
        url = fake.url
    done, executor = Sending(), ThreadPoolExecutor(1)
    task = asyncio.create_task(Sender(spool, PipelineConfig(url=url), done, executor).run())
    await until(lambda: done.failures["connection"] >= 3)
    task.cancel()
    await asyncio.wait([task])
    executor.shutdown()
    assert backlog.usage(spool).waiting == 3
    spool.close()


async def test_a_pipeline_that_does_not_answer_times_out(spool: Spool) -> None:
    append(spool, 3)
    async with pipeline() as fake:
        original = fake.handle
        slow = [2]

        async def handle(request: web.Request) -> web.Response:
            slow[0] -= 1
            if slow[0] >= 0:
                await asyncio.sleep(1)
            return await original(request)

        fake.handle = handle  # type: ignore[method-assign]
        async with sending(spool, fake.url, timeout_ms=50) as done:
            await until(lambda: done.failures["timeout"] >= 1)
        assert numbers(fake) == [0, 1, 2]


async def test_retry_after_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    rest = Sender._rest

    async def short(self: Sender, pause: float | None) -> None:
        slept.append(pause or 0)
        await rest(self, pause and min(pause, 0.005))

    monkeypatch.setattr(Sender, "_rest", short)
    append(spool, 3)
    async with pipeline() as fake:
        busy = web.Response
        fake.before = once(lambda: busy(status=429, headers={"Retry-After": "7"}))  # type: ignore[assignment]
        async with sending(spool, fake.url) as done:
            pass
        assert done.failures == {"busy": 1}
        assert max(slept) == 7


async def test_what_is_stored_of_a_batch_that_failed_is_not_sent_again(spool: Spool) -> None:
    append(spool, 10)

    def half(batch: list[bytes]) -> web.Response | None:
        stored = [{"stream": f"{spool.stream:016x}", "ranges": [[0, 4]]}]
        return web.json_response({"stored": stored, "error": "half"}, status=503)

    async with pipeline() as fake:
        fake.before = once(lambda: half([]))  # type: ignore[assignment]
        async with sending(spool, fake.url):
            pass
        assert fake.batches == [list(range(10)), list(range(5, 10))]


async def test_frames_are_marked_before_they_are_sent(spool: Spool) -> None:
    append(spool, 3)
    marked = list[bool]()
    async with pipeline() as fake:

        def look(batch: list[bytes]) -> None:
            text = (spool.directory / "marks.json").read_text()
            marked.append('"attempted": [[0, ' in text)

        fake.before = look
        async with sending(spool, fake.url):
            pass
    assert marked == [True]


def test_retry_after_comes_in_two_forms() -> None:
    assert sender.parse_retry_after("2.5", 0) == 2.5
    assert sender.parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20) == 40
    assert sender.parse_retry_after("999999", 0) == sender.MAX_RETRY_AFTER_S
    for nothing in ("", "soon", "nan", "-5"):
        assert sender.parse_retry_after(nothing, 0) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"stored": null}',
        '{"stored": 5}',
        '{"stored": [{}]}',
        '{"stored": [{"stream": "xyz"}]}',
        '{"stored": [{"stream": "01", "ranges": [[3]]}]}',
    ],
)
def test_an_answer_that_makes_no_sense_acknowledges_nothing(text: str) -> None:
    assert list(sender.parse_stored(text, 1)) == []


def test_only_the_own_stream_is_read_from_an_answer() -> None:
    items = [{"stream": "01", "ranges": [[0, 4], [7, 7]]}, {"stream": "02", "ranges": [[5, 5]]}]
    assert list(sender.parse_stored(json.dumps({"stored": items}), 1)) == [(0, 4), (7, 7)]
