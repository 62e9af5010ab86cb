"""The sender: frames arrive once, whatever the pipeline and the network do."""

from __future__ import annotations

import asyncio
import json
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
from tests.unit.exporters_pipeline import FakePipeline, pipeline
from tests.unit.exporters_spooled import append


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
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        slept.append(seconds)
        await sleep(min(seconds, 0.005))

    monkeypatch.setattr("exporters.sender.asyncio.sleep", short)
    append(spool, 3)
    async with pipeline() as fake:
        busy = web.Response
        fake.before = once(lambda: busy(status=429, headers={"Retry-After": "7"}))  # type: ignore[assignment]
        async with sending(spool, fake.url) as done:
            pass
        assert done.failures == {"busy": 1}
        assert max(slept) == 7


async def test_a_damaged_frame_goes_to_quarantine_and_the_others_through(spool: Spool) -> None:
    written = append(spool, 10)

    def picky(batch: list[bytes]) -> web.Response | None:
        if written[4] in batch:
            index = batch.index(written[4])
            return web.json_response({"error": "damaged", "frame": index}, status=400)
        return None

    async with pipeline() as fake:
        fake.before = picky
        async with sending(spool, fake.url) as done:
            pass
        assert numbers(fake) == [n for n in range(10) if n != 4]
        assert done.failures == {"refused": 1}
    quarantine = spool.directory / "quarantine"
    assert [p.read_bytes() for p in quarantine.iterdir()] == [written[4]]


async def test_a_refusal_that_names_no_frame_is_narrowed_down(spool: Spool) -> None:
    written = append(spool, 16)

    def vague(batch: list[bytes]) -> web.Response | None:
        return web.Response(status=400, text="no") if written[11] in batch else None

    async with pipeline() as fake:
        fake.before = vague
        async with sending(spool, fake.url):
            pass
        assert numbers(fake) == [n for n in range(16) if n != 11]


async def test_too_large_a_batch_is_made_smaller(spool: Spool) -> None:
    append(spool, 30)

    def small(batch: list[bytes]) -> web.Response | None:
        return web.Response(status=413) if len(batch) > 5 else None

    async with pipeline() as fake:
        fake.before = small
        async with sending(spool, fake.url) as done:
            pass
        assert numbers(fake) == list(range(30))
        assert done.failures["too_large"] >= 1


async def test_several_damaged_frames_are_put_aside_at_once(spool: Spool) -> None:
    written = append(spool, 10)
    bad = {written[2], written[7]}

    def picky(batch: list[bytes]) -> web.Response | None:
        places = [i for i, data in enumerate(batch) if data in bad]
        errors = [{"frame": i, "error": "damaged"} for i in places]
        answer = {"error": "damaged", "frame": places[0], "errors": errors} if places else {}
        return web.json_response(answer, status=400) if places else None

    async with pipeline() as fake:
        fake.before = picky
        async with sending(spool, fake.url):
            pass
        assert numbers(fake) == [n for n in range(10) if n not in (2, 7)]
        assert len(fake.batches) == 2


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


async def test_a_frame_that_overlaps_stored_ones_does_not_block_the_rest(spool: Spool) -> None:
    written = append(spool, 6)

    def overlap(batch: list[bytes]) -> web.Response | None:
        if written[3] not in batch:
            return None
        good = [n for n in range(6) if n != 3 and written[n] in batch]
        stored = [{"stream": f"{spool.stream:016x}", "ranges": [[n, n] for n in good]}]
        return web.json_response({"stored": stored, "error": "overlap"}, status=409)

    async with pipeline() as fake:
        fake.before = overlap
        async with sending(spool, fake.url) as done:
            pass
    assert done.failures["overlap"] >= 1
    assert [p.read_bytes() for p in (spool.directory / "quarantine").iterdir()] == [written[3]]


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
