"""The engine: real checks, transitions, changes of what is checked, this machine's limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lb.control.health.engine import Engine, Job, Transition
from lb.control.health.state import Health
from lb.control.health.target import Target
from lb.control.model.checker import Checker, Script, Tcp

FAST = Checker(probe=Tcp(), interval_s=0.3, timeout_s=0.3, rise=2, fall=2)


class Told:
    """Keeps transitions, and waits for them."""

    def __init__(self) -> None:
        self.all: list[Transition] = []
        self._event = asyncio.Event()

    def __call__(self, transition: Transition) -> None:
        self.all.append(transition)
        self._event.set()

    async def wait(self, key: str, up: bool) -> Transition:
        async with asyncio.timeout(20):
            while True:
                for transition in reversed(self.all):
                    if transition.key == key and transition.after.up is up:
                        return transition
                self._event.clear()
                await self._event.wait()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not come")


async def serve(port: int = 0) -> asyncio.Server:
    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    return await asyncio.start_server(accept, "127.0.0.1", port)


@pytest.fixture
async def backend() -> AsyncIterator[asyncio.Server]:
    server = await serve()
    yield server
    server.close()


def job(server: asyncio.Server, key: str = "web/b1", checker: Checker = FAST) -> Job:
    port = server.sockets[0].getsockname()[1]
    return Job(key, checker, Target("127.0.0.1", port, "127.0.0.1"))


async def test_a_backend_comes_goes_and_comes_back(backend: asyncio.Server) -> None:
    told = Told()
    engine = Engine(told)
    watched = job(backend)
    engine.configure([watched])
    assert (await told.wait("web/b1", True)).before.up is None
    backend.close()
    gone = await told.wait("web/b1", False)
    assert gone.after.reason == "connection refused"
    told.all.clear()
    again = await serve(watched.target.port)
    back = await told.wait("web/b1", True)
    assert back.after.reason == "2 checks passed"
    assert engine.counts["transitions"] == 3
    assert engine.counts["passed"] >= 3
    assert engine.counts["failed"] >= 2
    again.close()
    await engine.close()
    made = engine.counts.total()
    await asyncio.sleep(0.25)
    assert engine.counts.total() == made, "a closed engine checks nothing"


async def test_what_is_checked_changes_and_states_stay(backend: asyncio.Server) -> None:
    told = Told()
    engine = Engine(told)
    known = {"old": Health(up=False, since=5.0, streak=1, reason="was down")}
    engine.configure([job(backend, "a"), job(backend, "old")], known)
    assert engine.states()["old"] == replace(known["old"], streak=0)
    await told.wait("a", True)
    slower = FAST.model_copy(update={"interval_s": 3600.0})
    engine.configure([job(backend, "a", slower)])
    assert engine.states().keys() == {"a"}
    assert engine.states()["a"].up is True
    await engine.close()


async def test_what_this_machine_cannot_do_judges_nobody(tmp_path: Path) -> None:
    told = Told()
    engine = Engine(told, scripts=tmp_path)
    checker = FAST.model_copy(update={"probe": Script(script="absent")})
    engine.configure([Job("x", checker, Target("127.0.0.1", 1, "127.0.0.1"))])
    await until(lambda: engine.counts["unmade"] >= 4)
    assert engine.states()["x"].up is None
    assert "put an executable file there" in engine.complaints["x"]
    engine.configure([])
    assert engine.complaints == {}
    await engine.close()
    assert told.all == []


async def test_more_than_may_be_in_flight_wait_and_are_counted(backend: asyncio.Server) -> None:
    told = Told()
    engine = Engine(told, in_flight=1)
    engine.configure([job(backend, f"b{i}") for i in range(20)])
    for i in range(20):
        await told.wait(f"b{i}", True)
    assert engine.counts["postponed"] > 0
    await engine.close()


async def test_what_is_not_ready_is_waited_for(backend: asyncio.Server) -> None:
    told, found = Told(), False
    engine = Engine(told, ready=lambda _: found)
    engine.configure([job(backend)])
    await until(lambda: engine.counts["postponed"] >= 2)
    assert engine.states()["web/b1"].up is None
    found = True
    await told.wait("web/b1", True)
    assert engine.counts["failed"] == 0
    await engine.close()
