"""Malformed and unwanted IPv6 packets, and frames with VLAN tags; as in packets.py."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.network import IPV6
from tests.lab.packets import IPV4, KINDS, TCP, VLAN, Ipv4, Kind, Target, checksum, ethernet, tcp

ETHERTYPE = 0x86DD
ICMP6, FRAGMENT, ROUTING, OPTIONS, HOPS = 58, 44, 43, 60, 0
OWN = f"{IPV6.lan}11"  # the first director's
VIP, SENDER = IPV6.vip, "2001:db8:77:1::77"


@dataclass(frozen=True, slots=True)
class Ipv6:
    """An IPv6 header's fields; None: what is right for the payload."""

    destination: str = VIP
    protocol: int = TCP
    source: str = SENDER
    version: int = 6
    length: int | None = None
    hops: int = 64

    def pack(self, payload: bytes) -> bytes:
        length = len(payload) if self.length is None else self.length
        head = struct.pack("!IHBB", self.version << 28, length, self.protocol, self.hops)
        return head + _address(self.source) + _address(self.destination) + payload


def _address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, text)


def icmp6(header: Ipv6, kind: int, body: bytes, value: int | None = None) -> bytes:
    """An ICMPv6 message behind its header, with a right checksum unless `value` is given."""
    bare = struct.pack("!BBH", kind, 0, 0) + body
    pseudo = _address(header.source) + _address(header.destination)
    right = checksum(pseudo + struct.pack("!II", len(bare), ICMP6) + bare)
    message = struct.pack("!BBH", kind, 0, right if value is None else value) + body
    return header.pack(message)


def _solicitation(target: str, hops: int) -> Callable[[Target], bytes]:
    header = Ipv6(OWN, ICMP6, hops=hops)
    option = b"\x01\x01\x02\x00\x00\x00\x00\x77"
    message = icmp6(header, 135, bytes(4) + _address(target) + option)
    return lambda to: ethernet(to, ETHERTYPE, message)


def _plain(name: str, reason: str, header: Ipv6, cut: int | None = None) -> Kind:
    return Kind(name, reason, lambda to: ethernet(to, ETHERTYPE, header.pack(tcp(to))[:cut]))


def _extended(name: str, reason: str, protocol: int, extension: bytes) -> Kind:
    """A kind with an extension header; its first byte is TCP."""
    return Kind(
        name,
        reason,
        lambda to: ethernet(
            to, ETHERTYPE, Ipv6(protocol=protocol).pack(bytes([TCP]) + extension + tcp(to))
        ),
    )


def _echo(kind: int, value: int | None = None) -> Callable[[Target], bytes]:
    message = icmp6(Ipv6(OWN, ICMP6), kind, b"\0\1\0\1popscope", value)
    return lambda to: ethernet(to, ETHERTYPE, message)


def _tagged(to: Target, *tags: int) -> bytes:
    packet = Ipv4(to.vip).pack(to.sender, tcp(to))
    types = [VLAN] * (len(tags) - 1) + [IPV4]
    head = b"".join(struct.pack("!HH", tag, kind) for tag, kind in zip(tags, types, strict=True))
    return ethernet(to, VLAN, head + packet)


KINDS6: tuple[Kind, ...] = (
    Kind("vlan", "vlan_unknown", lambda to: _tagged(to, 7)),
    Kind("vlan-stacked", "vlan_stacked", lambda to: _tagged(to, 7, 8)),
    _plain("ip6-cut", "ipv6_header_truncated", Ipv6(), 39),
    _plain("ip6-version", "ipv6_bad_version", Ipv6(version=4)),
    _plain("ip6-truncated", "ipv6_truncated", Ipv6(length=1400)),
    _plain("ip6-source-multicast", "ipv6_bad_source", Ipv6(source="ff02::1")),
    _plain("ip6-source-loopback", "ipv6_bad_source", Ipv6(source="::1")),
    _plain("ip6-source-unspecified", "ipv6_bad_source", Ipv6(source="::")),
    _plain("ip6-source-mapped", "ipv6_bad_source", Ipv6(source="::ffff:192.0.2.1")),
    _plain("ip6-hops", "ipv6_hop_limit_zero", Ipv6(hops=0)),
    _extended("ip6-extension-long", "ipv6_bad_extension", OPTIONS, b"\xff" + bytes(6)),
    _extended("ip6-routing", "ipv6_routing_header", ROUTING, b"\0\0\1" + bytes(4)),
    _extended("ip6-fragment", "ipv6_fragment", FRAGMENT, b"\0\0\1" + bytes(4)),
    Kind("icmp6-checksum", "icmpv6_malformed", _echo(128, 0xBAD)),
    Kind("icmp6-reply", "icmpv6_unsupported", _echo(129)),
    Kind("nd-hops", "nd_malformed", _solicitation(OWN, 64)),
    Kind("nd-other", "nd_not_for_us", _solicitation("2001:db8:77:1::200", 255)),
    _plain("ip6-destination", "unknown_destination", Ipv6("2001:db8:5::9")),
)
BY_NAME = {kind.name: kind for kind in KINDS + KINDS6}
