"""What an agent writes down reaches the pipeline: once, through rotation, outages and refusals."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters import events
from exporters.config import PipelineConfig
from exporters.events import EventFile, Teller
from exporters.metrics import Sending
from lb.control.agent.events import Events
from pipeline.access.guard import Grant
from pipeline.errors import BadRequest
from pipeline.told import parse_events
from tests.unit.exporters_sending import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.01)
    monkeypatch.setattr(events, "backoff", lambda failures: 0.01)


class Pipeline:
    """As the real one parses; `busy`: answers of 503 that come first."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.busy = 0

    async def post(self, request: web.Request) -> web.Response:
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        try:
            found = parse_events(await request.read(), Grant())
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=400)
        self.told += [e.subject for e in found]
        return web.json_response({"stored": len(found), "known": 0})


@asynccontextmanager
async def telling(pipeline: Pipeline, file: EventFile) -> AsyncIterator[Sending]:
    app = web.Application()
    app.router.add_post("/v1/events", pipeline.post)
    runner, done = web.AppRunner(app), Sending()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = PipelineConfig(url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    task = asyncio.create_task(Teller(file, config, done).run())
    try:
        yield done
    finally:
        task.cancel()
        await asyncio.wait([task])
        await runner.cleanup()


async def test_what_the_agent_writes_is_told_once_through_rotations_and_a_restart(
    tmp_path: Path,
) -> None:
    path, mark = tmp_path / "events.jsonl", tmp_path / "mark.json"
    agent, pipeline = Events(path, 2_000, "ams-d1", lambda: "ams"), Pipeline()
    pipeline.busy = 2
    for number in range(5):
        agent.tell("health", f"web/b{number}", "down", "checks_failed", "tcp: refused")
    file = EventFile(path, mark)
    async with telling(pipeline, file) as done:
        await until(lambda: file.at.offset > 0)
        assert done.failures["events"] == 2
    for number in range(5, 20):  # rotates while nobody reads
        agent.tell("health", f"web/b{number}", "up", "checks_passed")
    async with telling(pipeline, EventFile(path, mark)) as done:
        await until(lambda: len(pipeline.told) == 20)
        assert (done.events, done.events_refused) == (15, 0)
    assert pipeline.told == [f"web/b{n}" for n in range(20)]
    assert agent.counts["lost"] == 0


async def test_a_line_that_is_refused_is_left_out_and_counted(tmp_path: Path) -> None:
    path, pipeline = tmp_path / "events.jsonl", Pipeline()
    agent = Events(path, 1 << 20, "ams-d1", lambda: "ams")
    for subject in ("a", "b", "", "c"):
        if subject:
            agent.tell("drain", subject, "up", "operator")
        else:
            with path.open("a") as out:
                out.write("no event\n")
    async with telling(pipeline, EventFile(path, tmp_path / "mark.json")) as done:
        await until(lambda: len(pipeline.told) == 3)
        assert (done.events, done.events_refused) == (3, 1)
    assert pipeline.told == ["a", "b", "c"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("wwwrt"), st.integers(1, 5)), max_size=40))
def test_every_whole_line_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Written, half written, rotated when all was read; the reader restarts at any time."""
    folder = tmp_path_factory.mktemp("events")
    path, mark = folder / "e", folder / "mark"
    written, read = 0, b""
    path.touch()
    for kind, count in steps:
        if kind == "w":
            with path.open("ab") as out:
                out.write(b"".join(b"%d\n" % (written + i) for i in range(count)))
            written += count
            continue
        file = EventFile(path, mark)
        while True:
            data, after = file.read(count)
            if not data:
                break
            read += data
            file.done(after)
        if kind == "t":
            os.replace(path, folder / "e.1")
            path.touch()
    file = EventFile(path, mark)
    data, _ = file.read(10_000)
    assert (read + data).split() == [b"%d" % n for n in range(written)]


def test_a_line_without_its_end_waits(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b"one\ntw")
    file = EventFile(path, tmp_path / "mark")
    data, after = file.read(10)
    assert data == b"one\n"
    file.done(after)
    assert file.read(10)[0] == b""
    path.write_bytes(b"one\ntwo\n")
    assert file.read(10)[0] == b"two\n"


def test_a_mark_that_is_damaged_tells_all_again(tmp_path: Path) -> None:
    (tmp_path / "mark").write_text(json.dumps({"head": "x"}))
    (tmp_path / "e").write_text(f"{datetime.now(UTC)}\n")
    assert EventFile(tmp_path / "e", tmp_path / "mark").read(1)[0]
