"""Controller, agents, cores, and a router that speaks BGP: directors go and come under load."""

from __future__ import annotations

import pytest

from tests.lab.fleet import Fleet, events
from tests.lab.lab import Lab
from tests.lab.shell import ip_batch
from tests.lab.traffic import Rates


@pytest.fixture(scope="module")
def fleet(network_lab: Lab) -> Fleet:
    lab = network_lab
    fleet = Fleet(lab)  # without BIRD an error: `make setup-test` installs it
    lab.start_backends()
    for director in lab.directors.values():
        director.start()
    fleet.start()
    return fleet


def _routes(fleet: Fleet, director: str) -> list[tuple[str, str]]:
    return [(e["state"], e["reason"]) for e in events(fleet.folder / director, "route")]


def test_no_request_fails_whatever_happens_to_directors(fleet: Fleet) -> None:
    lab = fleet.lab
    # Nobody was judged before the core could have found them.
    health = [(e["state"], e["reason"]) for e in events(fleet.folder / "d1", "health")]
    assert health == [("up", "checks_passed")] * 3
    load = lab.load(Rates(requests=60, downloads=3, size=2_000_000))
    fleet.wait(lambda: len(load.poll().get("backends", ())) == 3, "all backends to serve")
    # Maintenance: the other one takes over first, then the route goes.
    fleet.agent("d1", "maintenance", "on")
    fleet.wait_routed("d2")
    gone = ("withdrawn", "maintenance")
    fleet.wait(lambda: _routes(fleet, "d1")[-1] == gone, "the route to be withdrawn, not only left")
    status = fleet.agent("d1", "status")
    assert status["blocked"] == ["maintenance"]
    assert status["core"] == "alive"
    fleet.agent("d1", "maintenance", "off")
    fleet.wait_routed("d1", "d2")
    assert _routes(fleet, "d1")[-3:] == [("leaving", "maintenance"), gone, ("advertised", "health")]
    # A core dies, and comes back with nothing: its agent withdraws, configures, announces.
    fleet.kill_core("d2")
    fleet.wait_routed("d1")
    lab.directors["d2"].start()
    fleet.wait_routed("d1", "d2")
    # An agent is upgraded: it leaves in order, and the core goes on meanwhile.
    fleet.agents["d1"].stop(20)
    fleet.wait_routed("d2")
    fleet.start_agent("d1")
    fleet.wait_routed("d1", "d2")
    # The controller goes away: nothing happens. A change that was made while an agent was away
    # arrives when it comes back.
    fleet.controller.kill()
    fleet.kill_core("d1")
    fleet.wait_routed("d2")
    lab.directors["d1"].start()
    fleet.wait_routed("d1", "d2")
    fleet.start_controller()
    fleet.ask("PATCH", "members/b3", {"weight": 50})
    fleet.wait_weights("d1", b1=100, b2=100, b3=50)
    fleet.wait_weights("d2", b1=100, b2=100, b3=50)
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    nodes = fleet.ask("GET", "fleet")["nodes"]
    assert {n["report"]["bgp"]["10.77.1.1"] for n in nodes.values()} == {"Established"}


def test_checks_see_the_data_path_and_who_else_has_an_address(fleet: Fleet) -> None:
    found = fleet.check("d1", "vlan", "instance")
    assert {f["check"]: f["severity"] for f in found} == {
        "neighbours": "ok",
        "own_address": "ok",
        "mtu": "ok",
        "members": "ok",
        "service": "ok",
    }
    assert fleet.ask("GET", "fleet")["disagreements"] == []
    lines = set(fleet.metrics("d1").splitlines())
    assert 'popscope_agent_bgp_established{peer="10.77.1.1"} 1.0' in lines
    assert 'popscope_agent_route_advertised{prefix="198.51.100.1/32"} 1.0' in lines
    assert 'popscope_agent_member_in_service{backend="b1",pool="web"} 1.0' in lines
    # A backend takes the address of a director: that one must not be announced.
    lan = fleet.lab.network.namespace("b1")
    ip_batch(["address add 10.77.1.12/32 dev lan"], lan)
    fleet.wait_routed("d1")
    status = fleet.agent("d2", "status")
    assert status["blocked"] == ["own_address"]
    (error,) = [f for f in status["findings"] if f["severity"] == "error"]
    assert error["evidence"].startswith("10.77.1.12: ")
    assert error["evidence"].count(", ") == 1, "both MAC addresses are named"
    ip_batch(["address delete 10.77.1.12/32 dev lan"], lan)
    fleet.wait_routed("d1", "d2")


def test_dead_backends_go_and_with_the_last_one_the_route(fleet: Fleet) -> None:
    lab = fleet.lab
    lab.backends["b2"].kill()
    for director in lab.directors:
        fleet.wait_weights(director, b1=100, b2=0, b3=50)
    member = fleet.agent("d1", "status")["health"]["web/b2"]
    assert (member["up"], member["reason"]) == (False, "connection refused")
    lab.backends["b1"].kill()
    lab.backends["b3"].kill()
    fleet.wait_routed()
    for name in ("b1", "b2", "b3"):
        lab.backends[name].start()
    lab.wait_backends()
    fleet.wait_routed("d1", "d2")
    fleet.wait_weights("d2", b1=100, b2=100, b3=50)
