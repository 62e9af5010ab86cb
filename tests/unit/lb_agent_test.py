"""The agent with the real core: changes, checks, people, and life without a controller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from popscope import main
from tests.unit.lb_agent_tools import CoreProcess, RunningAgent, Scripted, full, until
from tests.unit.lb_controller_tools import FILE, Api, as_file

LIVES: dict[str, Any] = {
    "tenant": "shop",
    "probe": {"kind": "script", "script": "lives"},
    "interval_s": 0.5,
    "timeout_s": 0.5,
    "rise": 1,
    "fall": 2,
    "dampening": None,
}
RESOURCES = {
    **FILE,
    "checker/tcp": LIVES,
    "pool/web": {"tenant": "shop", "checker": "tcp", "floor": 0.4},
}
STATE = {k: spec for k, spec in RESOURCES.items() if k != "node/d2"}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    core = CoreProcess(tmp_path_factory.mktemp("run") / "lb")
    core.start()
    yield core
    core.close()


@pytest.fixture
async def agent(tmp_path: Path, process: CoreProcess) -> AsyncIterator[RunningAgent]:
    """Not started; both backends are alive."""
    agent = RunningAgent(tmp_path, process)
    for address in ("10.77.1.21", "10.77.1.22"):
        (agent.alive / address).touch()
    yield agent
    await agent.stop()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with Api(f"sqlite:///{tmp_path}/c.db") as api:
        await api.ask("POST /apply", as_file(RESOURCES))
        yield api


def connect(agent: RunningAgent, api: Api) -> None:
    agent.start(str(api.client.make_url("")).rstrip("/"), api.tokens["d1-agent"])


async def command(*words: str) -> str:
    """A command of this node, as a person gives it."""
    done = await asyncio.to_thread(CliRunner().invoke, main, ["lb", *words])
    assert done.exit_code == 0, done.output
    return done.output


async def weights(core: CoreProcess, **expected: int) -> None:
    await until(lambda: core.weights() == expected, f"the weights {expected}")


async def test_changes_and_checks_are_in_force_and_reported(
    agent: RunningAgent, api: Api, process: CoreProcess
) -> None:
    connect(agent, api)
    await weights(process, b1=100, b2=100)
    await api.ask("PATCH /members/b1", {"weight": 7})
    await weights(process, b1=7, b2=100)
    (agent.alive / "10.77.1.22").unlink()
    await weights(process, b1=7, b2=0)
    # Half of two is the floor: the last one stays, however its check goes.
    (agent.alive / "10.77.1.21").unlink()

    def node() -> dict[str, Any]:
        report = api.service.hub.reports.get("d1")
        return report.body if report else {}

    await until(lambda: node().get("health", {}).get("web/b1", {}).get("up") is False, "b1 down")
    assert node()["health"]["web/b1"]["in_service"] is True
    assert node()["health"]["web/b2"]["reason"] == "lives ended with 1: no output"
    assert node()["vips"] == {"198.51.100.1": False}
    fleet = (await api.ask("GET /fleet"))["nodes"]
    assert fleet["d1"]["connected"] is True
    assert fleet["d1"]["report"]["revision"] == api.service.catalog.revision
    assert fleet["d2"] == {"pop": "fra1", "connected": False, "report": None, "report_age_s": None}
    (agent.alive / "10.77.1.22").touch()
    await weights(process, b1=0, b2=100)
    health = [(e["subject"], e["state"], e["reason"]) for e in agent.events("health")]
    assert health[-1] == ("web/b2", "up", "checks_passed")
    assert ("web/b2", "down", "checks_failed") in health
    assert {e["pop"] for e in agent.events("health")} == {"fra1"}


async def test_what_people_decide_wins_until_they_release_it(
    agent: RunningAgent, api: Api, process: CoreProcess
) -> None:
    connect(agent, api)
    await weights(process, b1=100, b2=100)
    run_dir = str(process.run_dir)
    done = json.loads(await command("drain", "web", "b2", "--run-dir", run_dir, "--json"))
    assert process.weights() == {"b1": 100, "b2": 0}
    assert done["generation"] == process.control.show()["generation"]
    await api.ask("PATCH /members/b2", {"weight": 50})
    await api.ask("PATCH /members/b1", {"weight": 60})
    await weights(process, b1=60, b2=0)
    await until(lambda: api.service.hub.reports["d1"].body["overrides"], "the report")
    (reported,) = api.service.hub.reports["d1"].body["overrides"]
    assert (reported["pool"], reported["member"], reported["weight"]) == ("web", "b2", 0)
    await agent.stop()
    connect(agent, api)  # it outlives the agent
    await until(lambda: agent.client.answers(), "the agent")
    assert "web/b2: 0 by hand" in await command("agent", "status", "--run-dir", run_dir)
    await command("agent", "release", "web", "b2", "--run-dir", run_dir)
    await weights(process, b1=60, b2=50)
    for wrong in (("web", "b9"), ("other", "b1")):
        refused = await asyncio.to_thread(
            CliRunner().invoke, main, ["lb", "drain", *wrong, "--run-dir", run_dir]
        )
        assert refused.exit_code == 1
        assert "member" in refused.output


async def test_it_works_without_the_controller(
    agent: RunningAgent, api: Api, process: CoreProcess
) -> None:
    connect(agent, api)
    await until(lambda: api.service.hub.reports.get("d1"), "a report")
    await weights(process, b1=100, b2=100)
    await agent.stop()
    process.kill()
    await asyncio.to_thread(process.start)  # as after a reboot: nothing is in force
    assert process.control.show()["config"] is None
    agent.start("http://127.0.0.1:1")
    await weights(process, b1=100, b2=100)
    (agent.alive / "10.77.1.21").unlink()
    await weights(process, b1=0, b2=100)
    status = await agent.status()
    assert status["controller"]["connected"] is False
    assert "127.0.0.1" in status["controller"]["complaint"]
    # The core dies and comes back: what was in force is put in force again.
    process.kill()
    await until(lambda: agent.events("core")[-1]["state"] == "down", "the core's death to be seen")
    await asyncio.to_thread(process.start)
    await weights(process, b1=0, b2=100)
    # The controller is back, with a change.
    await api.ask("PATCH /members/b2", {"weight": 9})
    await agent.stop()
    connect(agent, api)
    await weights(process, b1=0, b2=9)


async def test_a_damaged_cache_is_set_aside(agent: RunningAgent, process: CoreProcess) -> None:
    async with Scripted() as controller:
        controller.script = [full(STATE, 1)]
        agent.start(controller.url)
        await until(lambda: controller.reported(1), "the first state to be followed")
        controller.script = [full({**STATE, "member/b2": {**STATE["member/b2"], "weight": 5}}, 2)]
        await agent.stop()
        agent.start(controller.url)
        await weights(process, b1=100, b2=5)
        await agent.stop()
    file = agent.folder / "desired.json"
    damaged = bytearray(file.read_bytes())
    damaged[-10] ^= 1
    file.write_bytes(damaged)
    agent.start("")
    await weights(process, b1=100, b2=100)  # the state before
    status = await agent.status()
    assert status["revision"] == 1
    assert "the checksum is wrong" in status["complaints"][0]
    assert (agent.folder / "desired.damaged").read_bytes() == damaged
    await agent.stop()
    (agent.folder / "desired.previous.json").write_bytes(b"\n")
    agent.start("")
    await until(lambda: agent.client.answers(), "the agent")
    status = await agent.status()
    assert (status["revision"], status["generation"]) == (0, 0)
    assert process.weights() == {"b1": 100, "b2": 100}, "what the core has, it keeps"


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (full(STATE, 9, fleet="other"), "another data base"),
        (full(STATE, 4), "revision 4 is older than 5"),
        ({**full(STATE, 9), "digest": "x"}, "not the one that was meant"),
        (full({**STATE, "rack/r": {}}, 9), "knows no 'rack': upgrade it"),
        (full({k: v for k, v in STATE.items() if k != "pool/web"}, 9), "it is not whole"),
        (full({}, 9), "does not know the node 'd1'"),
        ({"type": "change", "base": "x"}, "asking for all"),
        ({"type": "refused", "message": "protocol 1"}, "refuses this agent: protocol 1"),
        ({"type": "new"}, "a 'new' that does not follow"),
    ],
)
async def test_what_must_not_be_followed_changes_nothing(
    agent: RunningAgent, process: CoreProcess, message: dict[str, Any], complaint: str
) -> None:
    async with Scripted() as controller:
        controller.script = [full(STATE, 5)]
        agent.start(controller.url)
        await until(lambda: controller.reported(5), "the first state to be followed")
        await agent.stop()
        controller.script = [message]
        agent.start(controller.url)
        await until(lambda: controller.hellos() > 2, "the agent to come again")
        status = await agent.status()
    assert complaint in status["complaints"][-1]
    assert (status["revision"], status["fleet"]) == (5, "f")
    assert process.weights() == {"b1": 100, "b2": 100}


async def test_another_controller_is_followed_on_request(
    agent: RunningAgent, process: CoreProcess
) -> None:
    async with Scripted() as controller:
        controller.script = [full(STATE, 5)]
        agent.start(controller.url)
        await until(lambda: controller.reported(5), "the first state to be followed")
        await agent.stop()
        new = {**STATE, "member/b2": {**STATE["member/b2"], "weight": 5}}
        controller.script = [full(new, 1, fleet="restored")]
        agent.start(controller.url)
        await until(lambda: agent.client.answers(), "the agent")
        await command("agent", "adopt", "--run-dir", str(process.run_dir))
        await weights(process, b1=100, b2=5)
        await agent.stop()


async def test_what_the_core_refuses_is_reported_and_not_in_force(
    agent: RunningAgent, api: Api, process: CoreProcess
) -> None:
    connect(agent, api)
    await weights(process, b1=100, b2=100)
    generation = process.control.show()["generation"]
    await api.ask("PUT /listeners/twice", RESOURCES["listener/web-80"], 201)
    reports = api.service.hub.reports
    await until(lambda: reports["d1"].body["problems"], "the core's refusal")
    assert "/listeners/1" in reports["d1"].body["problems"][0]["path"]
    assert process.control.show()["generation"] == generation
    await api.ask("DELETE /listeners/twice")
    await until(lambda: not reports["d1"].body["problems"], "the end of it")
    assert [e["state"] for e in agent.events("config")].count("rejected") == 1
