"""What the pipeline refuses: the frames it names are put aside, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from exporters import sender
from exporters.spool import Spool
from tests.unit.exporters_pipeline import pipeline
from tests.unit.exporters_sending import numbers, once, quick, sending, spool
from tests.unit.exporters_spooled import START, append

__all__ = ["quick", "spool"]  # fixtures


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


@pytest.mark.parametrize(
    "refusal",
    [
        lambda: web.Response(status=400, text="no such thing here"),
        lambda: web.json_response({"error": "not zstd"}, status=400),
        lambda: web.json_response({"error": "?", "frame": 99}, status=400),
        lambda: web.json_response({"error": "?", "frame": True}, status=400),
    ],
)
async def test_a_refusal_that_names_no_frame_of_the_batch_puts_nothing_aside(
    spool: Spool, refusal: Callable[[], web.Response]
) -> None:
    """Something else answers there, or the service is wrong: that says nothing of the frames."""
    append(spool, 8)
    async with pipeline() as fake:
        fake.before = once(refusal, 5)  # type: ignore[assignment]
        async with sending(spool, fake.url) as done:
            pass
        assert fake.batches == [list(range(8))] * 6
        assert numbers(fake) == list(range(8))
    assert done.failures == {"unacknowledged": 5}
    assert not (spool.directory / "quarantine").exists()


async def test_a_refusal_of_a_single_frame_that_does_not_name_it_puts_nothing_aside(
    spool: Spool,
) -> None:
    append(spool, 1)
    async with pipeline() as fake:
        fake.before = once(lambda: web.Response(status=400), 5)  # type: ignore[assignment]
        async with sending(spool, fake.url):
            pass
        assert numbers(fake) == [0]
    assert not (spool.directory / "quarantine").exists()


async def test_too_large_a_batch_is_halved_until_it_passes(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "FIRST_DELAY_S", 3600.0)  # halving must not wait
    monkeypatch.setattr(sender, "MAX_DELAY_S", 3600.0)
    append(spool, 30)

    def small(batch: list[bytes]) -> web.Response | None:
        return web.Response(status=413) if len(batch) > 5 else None

    async with pipeline() as fake:
        fake.before = small
        async with sending(spool, fake.url) as done:
            pass
        assert [len(batch) for batch in fake.batches[:4]] == [30, 15, 7, 3]
        assert numbers(fake) == list(range(30))
    assert done.failures["too_large"] >= 3
    assert not (spool.directory / "quarantine").exists()


async def test_a_frame_that_is_too_large_alone_goes_to_quarantine(spool: Spool) -> None:
    written = append(spool, 8)

    def small(batch: list[bytes]) -> web.Response | None:
        return web.Response(status=413) if written[5] in batch else None

    async with pipeline() as fake:
        fake.before = small
        async with sending(spool, fake.url):
            pass
        assert numbers(fake) == [n for n in range(8) if n != 5]
    assert [p.read_bytes() for p in (spool.directory / "quarantine").iterdir()] == [written[5]]


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


async def test_failures_before_an_overlap_do_not_make_it_final(spool: Spool) -> None:
    """It overlaps frames that are on their way: once those are stored, it is acknowledged."""
    append(spool, 4)
    answers = [web.Response(status=500) for _ in range(sender.MAX_OVERLAPS + 2)]
    answers += [web.json_response({"stored": [], "error": "overlap"}, status=409) for _ in range(2)]
    async with pipeline() as fake:
        fake.before = lambda batch: answers.pop(0) if answers else None
        async with sending(spool, fake.url) as done:
            pass
        assert numbers(fake) == [0, 1, 2, 3]
    assert done.failures == {"server": sender.MAX_OVERLAPS + 2, "overlap": 2}
    assert not (spool.directory / "quarantine").exists()


async def test_a_conflict_that_the_pipeline_did_not_write_puts_nothing_aside(spool: Spool) -> None:
    append(spool, 4)
    times = sender.MAX_OVERLAPS + 3
    async with pipeline() as fake:
        fake.before = once(lambda: web.Response(status=409, text="busy"), times)  # type: ignore[assignment]
        async with sending(spool, fake.url) as done:
            pass
        assert numbers(fake) == [0, 1, 2, 3]
    assert done.failures == {"unacknowledged": times}


async def test_a_frame_that_cannot_be_stored_now_does_not_hold_up_the_others(spool: Spool) -> None:
    """The pipeline commits all but one again and again, and names it only in the end."""
    written = append(spool, 6)
    bad, patience = written[2], [5]
    stream = f"{spool.stream:016x}"

    def grumpy(batch: list[bytes]) -> web.Response | None:
        if bad not in batch:
            return None
        if not patience[0]:
            return web.json_response({"error": "wild", "frame": batch.index(bad)}, status=400)
        patience[0] -= 1
        append(spool, 1, START + 60_000 * (10 - patience[0]))
        good = [n for n in fake.batches[-1] if n != 2]
        fake.stored.update({(spool.stream, n): b"" for n in good})
        stored = [{"stream": stream, "ranges": [[n, n] for n in good]}]
        return web.json_response({"stored": stored, "error": "1 frame failed"}, status=503)

    async with pipeline() as fake:
        fake.before = grumpy
        async with sending(spool, fake.url):
            pass
        assert numbers(fake) == [n for n in range(11) if n != 2]
        assert sorted(fake.batches[2]) == [2, 7], "the newest is not behind it"
    assert [p.read_bytes() for p in (spool.directory / "quarantine").iterdir()] == [bad]
