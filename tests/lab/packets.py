"""Malformed and unwanted packets, each with the reason under which a director must drop it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

IPV4, ARP, VLAN = 0x0800, 0x0806, 0x8100
TCP, UDP, ICMP = 6, 17, 1
MTU = 1500  # a veth takes 4 bytes more than its MTU (room for a VLAN tag)
FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclass(frozen=True, slots=True)
class Target:
    """The director that a packet is for. `own`, `vip` and `sender` are IPv4 addresses."""

    mac: bytes
    own: str
    vip: str
    port: int
    sender: str = "10.77.0.77"
    sender_mac: bytes = b"\x02\0\0\0\0\x77"
    sender_port: int = 7777


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])
    total = sum(words) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(to: Target, ethertype: int, payload: bytes) -> bytes:
    return to.mac + to.sender_mac + struct.pack("!H", ethertype) + payload


@dataclass(frozen=True, slots=True)
class Ipv4:
    """An IPv4 header's fields; None: what is right for the payload."""

    destination: str
    protocol: int = TCP
    version: int = 4
    words: int = 5
    length: int | None = None
    fragment: int = 0
    ttl: int = 64
    checksum: int | None = None

    def pack(self, source: str, payload: bytes) -> bytes:
        length = 20 + len(payload) if self.length is None else self.length
        head = struct.pack(
            "!BBHHHBBH4s4s",
            self.version << 4 | self.words,
            0,
            length,
            1,
            self.fragment,
            self.ttl,
            self.protocol,
            0,
            socket.inet_aton(source),
            socket.inet_aton(self.destination),
        )
        value = checksum(head) if self.checksum is None else self.checksum
        return head[:10] + struct.pack("!H", value) + head[12:] + payload


def ipv4(to: Target, header: Ipv4, payload: bytes) -> bytes:
    return ethernet(to, IPV4, header.pack(to.sender, payload))


def tcp(
    to: Target, *, port: int = 0, flags: int = SYN, offset: int = 5, data: bytes = b""
) -> bytes:
    """A TCP segment with a right checksum."""
    port = port or to.port
    fields = (to.sender_port, port, 1, 0, offset << 4, flags, 8192)
    pseudo = socket.inet_aton(to.sender) + socket.inet_aton(to.vip)
    bare = struct.pack("!HHIIBBHHH", *fields, 0, 0) + data
    value = checksum(pseudo + struct.pack("!BBH", 0, TCP, len(bare)) + bare)
    return struct.pack("!HHIIBBHHH", *fields, value, 0) + data


def udp(to: Target, *, port: int, length: int | None = None, data: bytes = b"data") -> bytes:
    """A UDP datagram without checksum (0, as RFC 768 allows)."""
    size = 8 + len(data) if length is None else length
    return struct.pack("!HHHH", to.sender_port, port, size, 0) + data


def icmp(kind: int, value: int | None = None) -> bytes:
    bare = struct.pack("!BBHHH", kind, 0, 0, 1, 1) + b"popscope"
    right = checksum(bare)
    return struct.pack("!BBHHH", kind, 0, right if value is None else value, 1, 1) + bare[8:]


def arp(to: Target, *, asked: str, hardware: int = 1) -> bytes:
    head = struct.pack("!HHBBH", hardware, IPV4, 6, 4, 1)
    sender = to.sender_mac + socket.inet_aton("10.77.1.177")
    return head + sender + bytes(6) + socket.inet_aton(asked)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of packet, and the reason of its drop (label `reason` of the counter)."""

    name: str
    reason: str
    build: Callable[[Target], bytes]


def _vip(name: str, reason: str, payload: Callable[[Target], bytes], **fields: int) -> Kind:
    """A kind whose IPv4 packet goes to the VIP."""

    def build(to: Target) -> bytes:
        return ipv4(to, replace(Ipv4(to.vip), **fields), payload(to))  # type: ignore[arg-type]

    return Kind(name, reason, build)


def _own(name: str, reason: str, protocol: int, payload: Callable[[Target], bytes]) -> Kind:
    """A kind whose IPv4 packet goes to the director's own address."""
    return Kind(name, reason, lambda to: ipv4(to, Ipv4(to.own, protocol), payload(to)))


def _source(name: str, source: str) -> Kind:
    def build(to: Target) -> bytes:
        return ipv4(replace(to, sender=source), Ipv4(to.vip), tcp(to))

    return Kind(name, "ipv4_bad_source", build)


def _foreign(to: Target) -> bytes:
    return ipv4(replace(to, mac=b"\x02\0\0\0\0\x99"), Ipv4(to.vip), tcp(to))


def _looped(to: Target) -> bytes:
    return ipv4(replace(to, sender_mac=to.mac), Ipv4(to.vip), tcp(to))


def _with_option(to: Target) -> bytes:
    """Larger than the MTU, with an IP option (the end of the list, in zeros): not fragmented."""
    return bytes(4) + tcp(to, data=bytes(MTU - 40))


# What any director drops, whatever its configuration. Frames below 14 bytes and chains of buffers
# cannot be sent over a veth; fragments do not reach an AF_PACKET port (the kernel keeps them).
KINDS: tuple[Kind, ...] = (
    Kind("foreign-mac", "foreign_mac", _foreign),
    Kind("own-source-mac", "own_source_mac", _looped),
    Kind("ethertype", "unsupported_ethertype", lambda to: ethernet(to, 0x88B5, bytes(46))),
    Kind("no-payload", "ipv4_header_truncated", lambda to: ethernet(to, IPV4, b"")),
    Kind(
        "ip-cut",
        "ipv4_header_truncated",
        lambda to: ethernet(to, IPV4, Ipv4(to.vip).pack(to.sender, b"")[:19]),
    ),
    _vip("ip-version", "ipv4_bad_version", tcp, version=5),
    _vip("ip-header-length", "ipv4_bad_header_length", tcp, words=4),
    _vip("ip-options-cut", "ipv4_header_truncated", lambda to: bytes(8), words=15),
    _vip("ip-total-length", "ipv4_bad_total_length", tcp, length=19),
    _vip("ip-truncated", "ipv4_truncated", tcp, length=1400),
    _vip("ip-checksum", "ipv4_bad_checksum", tcp, checksum=0xBAD),
    _source("ip-source-zero", "0.0.0.0"),
    _source("ip-source-loopback", "127.0.0.1"),
    _source("ip-source-multicast", "224.0.0.5"),
    _source("ip-source-broadcast", "255.255.255.255"),
    _vip("ip-ttl", "ipv4_ttl_zero", tcp, ttl=0),
    _vip("tcp-cut", "tcp_header_truncated", lambda to: tcp(to)[:19]),
    _vip("tcp-offset-low", "tcp_bad_data_offset", lambda to: tcp(to, offset=4)),
    _vip("tcp-offset-high", "tcp_bad_data_offset", lambda to: tcp(to, offset=15)),
    _vip("tcp-no-flags", "tcp_bad_flags", lambda to: tcp(to, flags=0)),
    _vip("tcp-syn-fin", "tcp_bad_flags", lambda to: tcp(to, flags=SYN | FIN)),
    _vip("tcp-syn-rst", "tcp_bad_flags", lambda to: tcp(to, flags=SYN | RST)),
    _vip("udp-cut", "udp_header_truncated", lambda to: udp(to, port=53)[:7], protocol=UDP),
    _vip("udp-short", "udp_bad_length", lambda to: udp(to, port=53, length=7), protocol=UDP),
    _vip("udp-long", "udp_bad_length", lambda to: udp(to, port=53, length=99), protocol=UDP),
    _own("icmp-cut", "icmp_malformed", ICMP, lambda to: icmp(8)[:7]),
    _own("icmp-checksum", "icmp_malformed", ICMP, lambda to: icmp(8, 0xBAD)),
    _own("icmp-timestamp", "icmp_unsupported", ICMP, lambda to: icmp(13)),
    Kind("arp-cut", "arp_malformed", lambda to: ethernet(to, ARP, arp(to, asked=to.own)[:27])),
    Kind(
        "arp-hardware",
        "arp_malformed",
        lambda to: ethernet(to, ARP, arp(to, asked=to.own, hardware=6)),
    ),
    Kind(
        "arp-other",
        "arp_not_for_us",
        lambda to: ethernet(to, ARP, arp(to, asked="10.77.1.200")),
    ),
    Kind(
        "destination",
        "unknown_destination",
        lambda to: ipv4(to, Ipv4("203.0.113.9"), tcp(to)),
    ),
    _own("own-tcp", "own_address", TCP, tcp),
    _vip("vip-port", "no_listener", lambda to: tcp(to, port=81)),
    _vip("vip-udp", "no_listener", lambda to: udp(to, port=80), protocol=UDP),
    _vip("vip-too-large", "exceeds_mtu", _with_option, words=6),
    _vip("vip-icmp-checksum", "icmp_malformed", lambda to: icmp(3, 0xBAD), protocol=ICMP),
    _vip("vip-icmp-inner", "icmp_bad_inner", lambda to: icmp(3), protocol=ICMP),
    _vip("vip-icmp-redirect", "no_listener", lambda to: icmp(5), protocol=ICMP),
    _vip("vip-gre", "no_listener", lambda to: bytes(24), protocol=47),
)
