"""A core, an agent, and a controller that says what a test wants, for tests of the agent."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from lb.control.agent.agent import Agent
from lb.control.agent.client import AgentClient
from lb.control.agent.settings import Settings
from lb.control.desired import State, digest
from lb.core_client import Control


async def until(true: Callable[[], Any], what: str) -> None:
    """Wait for a condition."""
    for _ in range(1500):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"waited in vain for {what}")


class CoreProcess:
    """A real core without a network."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.control = Control(run_dir / "control.sock")
        self._instance = f"agenttest{os.getpid()}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        argv = [
            *(sys.executable, "-c", "from popscope import main; main()", "lb", "run"),
            *("--instance", self._instance, "--run-dir", str(self.run_dir)),
            *("--vdev", "net_null0", "--hugepages", "off", "--idle-polls", "1"),
            *("--max-connections", "1024", "--eal", "--no-telemetry"),
        ]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert "ready" in self._process.stdout.readline()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def close(self) -> None:
        self.kill()
        for root in ("/var/run", os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")):
            shutil.rmtree(Path(root) / f"dpdk/popscope-{self._instance}", ignore_errors=True)

    def weights(self) -> dict[str, int]:
        """The weights in force, by member."""
        config = self.control.show()["config"]
        pools = config["pools"] if config else []
        return {b["name"]: b["weight"] for pool in pools for b in pool["backends"]}


class RunningAgent:
    """An agent in this process, with its own folder; its backends live by files in `alive`."""

    def __init__(self, folder: Path, core: CoreProcess) -> None:
        self.folder = folder / "state"
        self.alive = folder / "alive"
        self.core = core
        self.client = AgentClient(core.run_dir)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        scripts = folder / "checks"
        for made in (self.alive, scripts):
            made.mkdir(exist_ok=True)
        (scripts / "lives").write_text(f'#!/bin/sh\ntest -e "{self.alive}/$POPSCOPE_BACKEND"\n')
        (scripts / "lives").chmod(0o755)
        (folder / "token").touch()
        self.settings = Settings(
            node="d1",
            instance=core.run_dir.name,
            run_root=core.run_dir.parent,
            state_directory=self.folder,
            scripts=scripts,
            token_file=folder / "token",
        )

    def start(self, url: str = "", token: str = "") -> Agent:
        assert self.settings.token_file
        self.settings.token_file.write_text(token)
        settings = self.settings.model_copy(update={"controller": url})
        self._stop = asyncio.Event()
        agent = Agent(settings, "1.0")
        self._task = asyncio.create_task(agent.run(self._stop))
        return agent

    async def stop(self) -> None:
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None

    async def status(self) -> dict[str, Any]:
        return await asyncio.to_thread(self.client.ask, "status")

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["kind"].startswith(kind)]


class Scripted:
    """A controller that sends what it is told to each agent that comes; keeps what they say."""

    def __init__(self) -> None:
        self.script: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        app = web.Application()
        app.router.add_get("/v1/connect", self._connect)
        self._server = TestServer(app)

    async def __aenter__(self) -> Scripted:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def hellos(self) -> int:
        return sum(said["type"] == "hello" for said in self.heard)

    def reported(self, revision: int) -> bool:
        """Whether an agent said that it follows a revision."""
        return any(said.get("revision") == revision for said in self.heard)

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in self.script:
            await socket.send_json(message)
        async for said in socket:
            if said.type is WSMsgType.TEXT:
                self.heard.append(json.loads(said.data))
        return socket


def full(state: State, revision: int = 1, fleet: str = "f") -> dict[str, Any]:
    """A message with a whole state."""
    return {
        "type": "full",
        "fleet": fleet,
        "revision": revision,
        "digest": digest(state),
        "state": state,
    }
