"""HTTP and datagrams through address translation, with real kernels on both sides."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from tests.lab import audit, content, traffic
from tests.lab.configuration import ECHO_PORT
from tests.lab.lab import Lab
from tests.lab.network import IPV4, IPV6, PORT, Nat, Plan
from tests.lab.process import wait_until
from tests.lab.shell import ip_batch, run
from tests.lab.traffic import Rates

CASES = {
    "4": Plan(directors=("d1",), backends=("b1", "b2"), family=IPV4, nat=Nat()),
    "4-proxy": Plan(("d1",), ("b1", "b2"), IPV4, nat=Nat("proxy_v2")),
    "6-proxy": Plan(("d1",), ("b1", "b2"), IPV6, nat=Nat("proxy_v2")),
    "6-toa": Plan(("d1",), ("b1", "b2"), IPV6, nat=Nat("toa")),
}
SIZE = 4_000_000
NARROW = 1400
CLOSED_PORT = 54
# What a switch floods, what comes before the configuration, what the director's own kernel sends.
NOT_OURS = {"arp_not_for_us", "nd_not_for_us", "foreign_mac", "not_configured", "own_source_mac"}

# Asks for pages over connections of their own: who answered, and whom each backend saw.
ASK = """
import http.client, json, sys
address, port, count = json.loads(sys.argv[1])
out = []
for number in range(count):
    connection = http.client.HTTPConnection(address, port, timeout=10)
    connection.connect()
    own = connection.sock.getsockname()[:2]
    connection.request("GET", f"/?n={number}")
    answer = connection.getresponse()
    answer.read()
    seen = answer.headers["X-Client"].split()
    out.append([list(own), [seen[0], int(seen[1])], answer.headers["X-Backend"]])
    connection.close()
print(json.dumps(out))
"""
# Sends datagrams from sockets of their own; an answer, or the error that came back.
DATAGRAMS = """
import json, socket, sys
address, port, count = json.loads(sys.argv[1])
out = []
for number in range(count):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.connect((address, port))
        s.send(b"question %d" % number)
        try:
            out.append(s.recv(2048).decode())
        except OSError as error:
            out.append(type(error).__name__)
print(json.dumps(out))
"""


@pytest.fixture(scope="module", params=CASES)
def lab(
    machine: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab"), CASES[request.param]) as lab:
        lab.start_backends()
        lab.start_directors()
        yield lab


def totals(lab: Lab) -> audit.Totals:
    segment = lab.directors["d1"].live_segment
    assert segment is not None
    return audit.segment_totals([SnapshotReader(Segment(segment)).read()])


def as_client(lab: Lab, script: str, port: int, count: int) -> Any:
    argv = [sys.executable, "-c", script, json.dumps([lab.plan.family.vip, port, count])]
    return json.loads(run(argv, namespace=lab.network.namespace("client")))


def test_requests_downloads_and_uploads_pass(lab: Lab) -> None:
    load = lab.load(Rates(requests=60, downloads=3, size=4_000_000, speed=4_000_000))
    wait_until(lambda: load.poll().get("requests", 0) > 100, 30, "requests")
    for seed in range(3):
        backend, size, crc = traffic.upload(lab.network, seed, SIZE)
        assert backend in lab.plan.backends
        assert (size, crc) == (SIZE, content.checksum(seed, SIZE))
    wait_until(lambda: load.poll().get("downloads", 0) >= 3, 30, "downloads")
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    assert set(report["backends"]) == set(lab.plan.backends)
    counted = totals(lab)
    assert set(audit.drops(counted)) <= NOT_OURS
    assert counted["lcore.picked_up_connections"] == 0
    # Two workers, and the kernel spreads over their queues by a secret of its own.
    assert counted["lcore.consumed_handed_over"] > 0
    assert counted["vip.reply_bytes"] > 3 * 4_000_000


def test_the_backend_knows_its_client(lab: Lab) -> None:
    nat = lab.plan.nat
    assert nat is not None
    for own, seen, backend in as_client(lab, ASK, PORT, 20):
        assert backend in lab.plan.backends
        if nat.client_address == "proxy_v2":
            assert seen == own
        else:
            assert seen[0] == lab.plan.local("d1")


def test_datagrams_are_answered(lab: Lab) -> None:
    answers = as_client(lab, DATAGRAMS, ECHO_PORT, 40)
    assert {a.split(" ", 1)[0] for a in answers} == set(lab.plan.backends)
    assert [a.split(" ", 1)[1] for a in answers] == [f"question {n}" for n in range(40)]


def test_a_closed_port_is_told(lab: Lab) -> None:
    """The backend's "port unreachable" is about a packet that the client's kernel knows."""
    director = lab.directors["d1"]
    config = director.apply(lab.generation + 1, lab.weights)
    lab.generation += 2
    config["generation"] = lab.generation
    backends = [{**backend, "port": 9} for backend in config["pools"][0]["backends"]]
    config["pools"].append({**config["pools"][0], "name": "closed", "backends": backends})
    config["listeners"].append(
        {**config["listeners"][1], "name": "closed", "port": CLOSED_PORT, "pool": "closed"}
    )
    director.control.apply(config)
    assert as_client(lab, DATAGRAMS, CLOSED_PORT, 3) == ["ConnectionRefusedError"] * 3
    assert totals(lab)["lcore.relayed_error_packets"] >= 3


def test_errors_of_the_path_reach_the_backend(lab: Lab) -> None:
    """The way to the client narrows: the router tells the VIP, the backend's kernel hears it."""
    family = lab.plan.family
    ip_batch(
        [f"route replace {family.client}/{family.host_bits} dev wan mtu {NARROW}"],
        lab.network.namespace("router"),
    )
    load = lab.load(Rates(requests=10, downloads=4, size=1_000_000, speed=2_000_000), "narrow")
    wait_until(lambda: load.poll().get("downloads", 0) >= 6, 30, "downloads")
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]
    learned = set()
    for backend in lab.plan.backends:
        way = run(
            ["ip", "route", "get", lab.plan.local("d1")], namespace=lab.network.namespace(backend)
        ).split()
        learned.add(int(way[way.index("mtu") + 1]) if "mtu" in way else 0)
    assert NARROW in learned


def test_drain_breaks_no_request(lab: Lab) -> None:
    load = lab.load(Rates(requests=60, downloads=4, size=2_000_000, speed=1_000_000), "drain")
    wait_until(lambda: lab.network.established("b2") > 0, 10, "a connection to b2")
    lab.apply({"b2": 0})
    wait_until(lambda: lab.network.established("b2") == 0, 20, "the last connection to b2")
    lab.backends["b2"].stop()
    report = load.stop()
    assert report["failures"] == 0, report["reasons"]


def test_the_books_balance(lab: Lab) -> None:
    director = lab.directors["d1"]
    assert director.stop() == 0
    snapshots = audit.last_snapshots(director.segments())
    assert audit.ledger_residual(snapshots) == 0
    counted = audit.segment_totals(snapshots)
    assert counted["lcore.consumed_handed_over"] == counted["lcore.originated_taken_over"]
