"""N packets of each kind: exactly N drops under the right reason, in all three places.

One director, no load, so that what is counted is what was injected.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from lb.catalogue import load
from tests.lab import audit
from tests.lab.configuration import SILENT_PORT, STRICT_PORT, UNSERVED_PORT
from tests.lab.lab import Lab
from tests.lab.network import IPV6, Plan
from tests.lab.packets import ACK, KINDS, MTU, UDP, Ipv4, Kind, Target, ethernet, ipv4, tcp, udp
from tests.lab.packets6 import ETHERTYPE, ICMP6, KINDS6, Ipv6, icmp6
from tests.lab.process import wait_until
from tests.lab.stack import Stack

DONT_FRAGMENT = 0x4000
PACKET_TOO_BIG = 2
PLAN = Plan(directors=("d1",))
TRAPS = True


def _tcp(name: str, reason: str, port: int, flags: int) -> Kind:
    def build(to: Target) -> bytes:
        return ipv4(to, Ipv4(to.vip), tcp(to, port=port, flags=flags))

    return Kind(name, reason, build)


def _udp(to: Target) -> bytes:
    return ipv4(to, Ipv4(to.vip, UDP), udp(to, port=SILENT_PORT))


def _unfragmentable(to: Target) -> bytes:
    header = Ipv4(to.vip, fragment=DONT_FRAGMENT)
    return ipv4(to, header, tcp(to, data=bytes(MTU - 40 + 4)))


def _icmp6_error(to: Target) -> bytes:
    message = icmp6(Ipv6(IPV6.vip, ICMP6), PACKET_TOO_BIG, bytes(4) + b"popscope")
    return ethernet(to, ETHERTYPE, message)


# What the directors' configuration in this test decides.
CONFIGURED = (
    Kind("vip-too-large-df", "too_big_told", _unfragmentable),
    Kind("vip-icmp6-inner", "icmpv6_bad_inner", _icmp6_error),
    _tcp("no-backend", "no_backend", UNSERVED_PORT, 2),
    _tcp("no-connection", "no_connection", STRICT_PORT, ACK),
    Kind("unresolved", "neighbour_unresolved", _udp),
)
# Every kind gets a number of its own, so that one cannot stand for another.
COUNTS = {kind: 11 + 2 * i for i, kind in enumerate(KINDS + KINDS6 + CONFIGURED)} | {
    CONFIGURED[0]: 7,  # more would meet the limit of errors that are sent
    CONFIGURED[-1]: 5,  # a handful waits for a MAC address; more would overflow the queue
}
EXPECTED = Counter[str]()
for _kind, _n in COUNTS.items():
    EXPECTED[_kind.reason] += _n
Drops = Mapping[str, int]


def in_segment(lab: Lab) -> Counter[str]:
    segment = lab.directors["d1"].live_segment
    assert segment is not None
    totals = audit.segment_totals([SnapshotReader(Segment(segment)).read()])
    return Counter(audit.drops(totals))


def on_metrics(stack: Stack) -> Counter[str]:
    drops: Counter[str] = Counter()
    for family in text_string_to_metric_families(stack.metrics("d1")):
        for sample in family.samples:
            if sample.name == "popscope_lcore_dropped_packets_total":
                drops[sample.labels["reason"]] += int(sample.value)
    return drops


def in_sql(stack: Stack) -> Counter[str]:
    return Counter(audit.stored_drops(stack.ports.sql))


@pytest.fixture(scope="module")
def injected(lab: Lab, stack: Stack) -> tuple[Drops, Drops, Drops]:
    """Drops by reason beyond those before the injection: segment, /metrics, ClickHouse."""
    before = in_segment(lab)
    total = sum(COUNTS.values()) + before.total()
    lab.inject("d1", COUNTS)
    wait_until(lambda: in_segment(lab).total() >= total, 20, "all drops in the segment")
    wait_until(lambda: on_metrics(stack).total() >= total, 10, "all drops on /metrics")
    wait_until(lambda: in_sql(stack).total() >= total, 20, "all drops in SQL")
    time.sleep(1.5)  # one more interval: what came twice would show now
    return in_segment(lab) - before, on_metrics(stack) - before, in_sql(stack) - before


@pytest.mark.parametrize("reason", sorted(EXPECTED))
def test_exactly_n_under_the_right_reason(
    injected: tuple[Drops, Drops, Drops], reason: str
) -> None:
    segment, metrics, sql = injected
    assert segment.get(reason, 0) == EXPECTED[reason]
    assert metrics.get(reason, 0) == EXPECTED[reason]
    assert sql.get(reason, 0) == EXPECTED[reason]


def test_no_other_reason(injected: tuple[Drops, Drops, Drops]) -> None:
    for place in injected:
        assert set(place) == set(EXPECTED)


def test_a_full_neighbour_queue(lab: Lab, injected: object) -> None:
    """More packets than may wait for one MAC address: the rest is dropped at once."""
    before = in_segment(lab)
    lab.inject("d1", {CONFIGURED[-1]: 3000})
    wait_until(lambda: (in_segment(lab) - before).total() >= 3000, 20, "all of them to be dropped")
    after = in_segment(lab) - before
    assert set(after) == {"neighbour_queue_full", "neighbour_unresolved"}
    assert after.total() == 3000


def test_without_configuration_all_is_dropped_and_at_the_end_what_is_held(lab: Lab) -> None:
    """A core that was started anew counts under not_configured; one that stops, under stopping."""
    director = lab.directors["d1"]
    director.stop()
    director.start()
    kind = next(kind for kind in KINDS if kind.name == "vip-port")
    lab.inject("d1", {kind: 21})
    wait_until(lambda: in_segment(lab)["not_configured"] >= 21, 10, "the drops")
    assert in_segment(lab)["not_configured"] == 21
    lab.apply(traps=True)
    lab.inject("d1", {CONFIGURED[-1]: 3})
    director.stop()
    last = audit.last_snapshots([path for path in [director.live_segment] if path])
    assert audit.ledger_residual(last) == 0
    drops = audit.drops(audit.segment_totals(last))
    assert drops.get("stopping", 0) + drops.get("neighbour_unresolved", 0) == 3


def test_the_table_covers_the_catalogue() -> None:
    """Every reason is provoked here, or is known to be out of reach of a veth."""
    elsewhere = {
        "frame_too_short",  # no veth carries it
        "multi_segment",  # no such buffers from AF_PACKET
        "ipv4_fragment",  # test_fragments.py
        "vlan_tagged",  # a tag that cannot be put back: not here
        "no_headroom",
        "half_open_limit",  # tests/lb/life_test.c
        "icmp_rate_limited",  # tests/lb/too_big_test.c, where time stands still
        # tests/lb/limits_test.c
        "denied_by_global_list",
        "denied_by_list",
        "listener_new_connection_limit",
        "listener_connection_limit",
        "listener_packet_limit",
        "listener_bit_limit",
        "backend_new_connection_limit",
        "backend_connection_limit",
        "backend_packet_limit",
        "backend_bit_limit",
        # tests/lb/nat_test.c, nat_error_test.c
        "connection_table_full",
        "nat_ports_exhausted",
        "nat_no_session",
        "ttl_expired",
        "handover_full",
        "tx_full",  # nothing here can hold up a veth
        "neighbour_queue_full",
        "not_configured",
        "stopping",
    }
    reasons = {dict(c.labels)["reason"] for c in load().ledger("drop")}
    assert set(EXPECTED) | elsewhere == reasons
