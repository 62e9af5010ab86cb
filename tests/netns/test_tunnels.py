"""HTTP through tunnels to backends behind a router, in both families, and path MTU discovery.

The kernels that this runs on need no tunnel devices: `tests.lab.decap` undoes the tunnel.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from tests.lab import audit, content, traffic
from tests.lab.errors import CommandError
from tests.lab.lab import Lab
from tests.lab.network import IPV4, IPV6, Family, Plan, Tunnel
from tests.lab.process import wait_until
from tests.lab.shell import ip_batch, run
from tests.lab.traffic import Rates

TWO = partial(Plan, directors=("d1",), backends=("b1", "b2"))
# The VIP's family, the tunnel, and the bytes that it puts in front.
CASES = {
    "4in4": (IPV4, Tunnel("ipip", IPV4), 20),
    "6in4": (IPV6, Tunnel("ipip", IPV4), 20),
    "4in6": (IPV4, Tunnel("ipip", IPV6), 40),
    "6in6": (IPV6, Tunnel("ipip", IPV6), 40),
    "gue4": (IPV4, Tunnel("gue", IPV4), 32),
    "gue6": (IPV6, Tunnel("gue", IPV6), 52),
    "gue6-no-checksum": (IPV4, Tunnel("gue", IPV6, checksum=False), 52),
}
SIZE = 4_000_000
MTU, NARROW = 1500, 1400
# What a switch floods, what comes before the configuration, what the director's own kernel sends.
NOT_OURS = {
    "arp_not_for_us",
    "nd_not_for_us",
    "foreign_mac",
    "not_configured",
    "own_source_mac",
}


@pytest.fixture(scope="module", params=CASES)
def case(
    machine: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, int]]:
    family, tunnel, overhead = CASES[request.param]
    plan = TWO(family=family, tunnel=tunnel)
    with Lab(tmp_path_factory.mktemp("lab"), plan) as lab:
        lab.start_backends()
        lab.start_directors()
        yield lab, overhead


def totals(lab: Lab) -> audit.Totals:
    segment = lab.directors["d1"].live_segment
    assert segment is not None
    return audit.segment_totals([SnapshotReader(Segment(segment)).read()])


def path_mtu(lab: Lab, host: str, destination: str) -> int:
    """What a host has learned of the way to an address."""
    words = run(["ip", "route", "get", destination], namespace=lab.network.namespace(host)).split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else MTU


def narrow_wan(lab: Lab, family: Family) -> None:
    """Let the router's way to the client take less than the backends' way to the router."""
    ip_batch(
        [f"route replace {family.client}/{family.host_bits} dev wan mtu {NARROW}"],
        lab.network.namespace("router"),
    )


def test_requests_and_downloads_pass(case: tuple[Lab, int]) -> None:
    lab, _ = case
    load = lab.load(Rates(requests=40, downloads=2, size=1_000_000, speed=2_000_000))
    wait_until(lambda: load.poll().get("requests", 0) > 60, 20, "requests")
    wait_until(lambda: load.poll().get("downloads", 0) >= 2, 20, "downloads")
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert set(report["backends"]) == set(lab.plan.backends)
    counted = totals(lab)
    assert set(audit.drops(counted)) <= NOT_OURS
    assert counted["lcore.picked_up_connections"] == 0


def test_uploads_find_their_size(case: tuple[Lab, int]) -> None:
    """The client sends what does not fit the tunnel, is told, and sends less."""
    lab, overhead = case
    before = totals(lab)
    for seed in range(4):
        backend, size, crc = traffic.upload(lab.network, seed, SIZE)
        assert backend in lab.plan.backends
        assert (size, crc) == (SIZE, content.checksum(seed, SIZE))
    after = totals(lab)
    assert path_mtu(lab, "client", lab.plan.family.vip) == MTU - overhead
    kind = "icmpv6_too_big" if lab.plan.family is IPV6 else "icmp_too_big"
    told = after[f"lcore.originated_{kind}"]
    assert told > 0
    drops = audit.drops(after)
    assert drops["too_big_told"] == told
    assert set(drops) <= {"too_big_told", "icmp_rate_limited"} | NOT_OURS
    assert after["lcore.created_connections"] - before["lcore.created_connections"] == 4


def test_errors_of_the_path_reach_the_backend(case: tuple[Lab, int]) -> None:
    """The way to the client narrows: the router tells the VIP, and the right backend hears it."""
    lab, _ = case
    narrow_wan(lab, lab.plan.family)
    load = lab.load(Rates(requests=10, downloads=4, size=1_000_000, speed=2_000_000), "narrow")
    wait_until(lambda: load.poll().get("downloads", 0) >= 6, 30, "downloads")
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert totals(lab)["lcore.relayed_error_packets"] > 0
    learned = {path_mtu(lab, b, lab.plan.family.client) for b in lab.plan.backends}
    assert NARROW in learned


def test_uploads_find_the_size_of_a_narrow_way(case: tuple[Lab, int]) -> None:
    """The way to the backends narrows: the router tells the director, which tells the client."""
    lab, overhead = case
    plan = lab.plan
    assert plan.tunnel is not None
    bits = plan.tunnel.family.host_bits
    ip_batch(
        (
            f"route replace {plan.endpoint(b)}/{bits} via {plan.near(b)} mtu {NARROW}"
            for b in plan.backends
        ),
        lab.network.namespace("router"),
    )
    for seed in range(4):
        _, size, crc = traffic.upload(lab.network, seed, SIZE)
        assert (size, crc) == (SIZE, content.checksum(seed, SIZE))
    assert path_mtu(lab, "client", plan.family.vip) == NARROW - overhead
    assert totals(lab)["lcore.consumed_tunnel_too_big"] > 0


def test_a_vip_answers_ping_by_choice(case: tuple[Lab, int]) -> None:
    lab, _ = case
    ping = ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", lab.plan.family.vip]
    with pytest.raises(CommandError, match="100% packet loss"):
        run(ping, namespace=lab.network.namespace("client"))
    director = lab.directors["d1"]
    config = director.apply(lab.generation + 1, lab.weights)
    config["generation"] += 1
    config["listeners"][0]["icmp_echo"] = True
    director.control.apply(config)
    assert "3 received" in run(ping, namespace=lab.network.namespace("client"))


def test_the_books_balance(case: tuple[Lab, int]) -> None:
    lab, _ = case
    director = lab.directors["d1"]
    assert director.stop() == 0
    assert audit.ledger_residual(audit.last_snapshots(director.segments())) == 0
