"""IPv4 fragments, over AF_XDP: with AF_PACKET the kernel puts them together before we see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from tests.lab import audit
from tests.lab.director import CoreOptions
from tests.lab.lab import Lab
from tests.lab.network import Plan
from tests.lab.packets import Ipv4, Kind, Target, ipv4, tcp
from tests.lab.process import wait_until

MORE_FRAGMENTS = 0x2000


def _kind(name: str, fragment: int) -> Kind:
    def build(to: Target) -> bytes:
        return ipv4(to, Ipv4(to.vip, fragment=fragment), tcp(to) + bytes(20))

    return Kind(name, "ipv4_fragment", build)


@pytest.fixture(scope="module")
def xdp_lab(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    plan = Plan(directors=("d1",))
    options = CoreOptions(driver="af_xdp", workers=1)
    with Lab(tmp_path_factory.mktemp("lab"), plan, options) as lab:
        lab.start_backends()
        lab.start_directors()
        yield lab


def test_fragments_are_dropped_under_their_name(xdp_lab: Lab) -> None:
    segment = xdp_lab.directors["d1"].live_segment
    assert segment is not None
    reader = SnapshotReader(Segment(segment))

    def fragments() -> int:
        return audit.drops(audit.segment_totals([reader.read()])).get("ipv4_fragment", 0)

    xdp_lab.inject("d1", {_kind("first", MORE_FRAGMENTS): 13, _kind("last", 5): 17})
    wait_until(lambda: fragments() >= 30, 10, "the drops")
    assert fragments() == 30
    assert audit.ledger_residual([reader.read()]) == 0
