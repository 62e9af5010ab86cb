"""The malformed packets are malformed in the one way that their reason says."""

from __future__ import annotations

import struct

import pytest

from lb.catalogue import load
from tests.lab.network import IPV4
from tests.lab.packets import KINDS, TCP, Ipv4, Kind, Target, checksum, ipv4, tcp
from tests.lab.packets6 import BY_NAME, KINDS6

TARGET = Target(b"\x02\0\0\0\0\x11", "10.77.1.11", IPV4.vip, 80)


def test_every_reason_is_in_the_catalogue() -> None:
    reasons = {dict(c.labels)["reason"] for c in load().ledger("drop")}
    assert {kind.reason for kind in KINDS + KINDS6} <= reasons


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(KINDS + KINDS6)


@pytest.mark.parametrize("kind", KINDS + KINDS6, ids=lambda kind: kind.name)
def test_frames_fit_a_veth(kind: Kind) -> None:
    assert 14 <= len(kind.build(TARGET)) <= 14 + 1500 + 4


def test_a_right_packet_is_right() -> None:
    """So that what a kind changes is all that is wrong with it."""
    frame = ipv4(TARGET, Ipv4(TARGET.vip), tcp(TARGET, data=b"odd"))
    ip, segment = frame[14:34], frame[34:]
    assert checksum(ip) == 0
    assert struct.unpack("!H", ip[2:4])[0] == len(frame) - 14
    pseudo = ip[12:20] + struct.pack("!BBH", 0, TCP, len(segment))
    assert checksum(pseudo + segment) == 0


@pytest.mark.parametrize("name", [k.name for k in KINDS if k.name.startswith("ip-")])
def test_a_wrong_header_has_a_right_checksum(name: str) -> None:
    """Otherwise the reason could be the checksum."""
    ip = BY_NAME[name].build(TARGET)[14:34]
    if len(ip) == 20 and name != "ip-checksum":
        assert checksum(ip) == 0
    if name == "ip-checksum":
        assert checksum(ip) != 0
