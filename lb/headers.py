"""A line about a frame of which the first bytes are known: who sent what to whom."""

from __future__ import annotations

import ipaddress
import struct

_VLAN, _QINQ = 0x8100, 0x88A8
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_PROTOCOLS = {1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 41: "ipv6", 58: "icmp6"}
_EXTENSIONS = (0, 43, 60)
_FRAGMENT = 44
_FLAGS = "FSRPAU"


def describe(frame: bytes) -> str:
    """Such as `192.0.2.1:4000 > 198.51.100.1:80 tcp S`. What is cut off is left out."""
    if len(frame) < 14:
        return f"{len(frame)} bytes: {frame.hex()}"
    kind, at, tags = int.from_bytes(frame[12:14], "big"), 14, ""
    while kind in (_VLAN, _QINQ) and len(frame) >= at + 4:
        tci, kind = struct.unpack_from(">HH", frame, at)
        tags, at = f"{tags}vlan {tci & 0xFFF} ", at + 4
    packet = frame[at:]
    if kind == _IPV4 and len(packet) >= 20:
        return tags + _ipv4(packet)
    if kind == _IPV6 and len(packet) >= 40:
        return tags + _ipv6(packet)
    if kind == _ARP and len(packet) >= 28:
        return tags + _arp(packet)
    return f"{tags}{frame[6:12].hex(':')} > {frame[:6].hex(':')} type 0x{kind:04x}"


def _ipv4(packet: bytes) -> str:
    header = (packet[0] & 15) * 4
    source, destination = (str(ipaddress.IPv4Address(packet[i : i + 4])) for i in (12, 16))
    part = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if part & 0x1FFF:
        return f"{source} > {destination} {_protocol(packet[9])} fragment"
    text = _layer4(source, destination, packet[9], packet[header:])
    return f"{text} fragment" if part else text


def _ipv6(packet: bytes) -> str:
    source, destination = (str(ipaddress.IPv6Address(packet[i : i + 16])) for i in (8, 24))
    protocol, rest = packet[6], packet[40:]
    while protocol in _EXTENSIONS and len(rest) >= 8:
        protocol, rest = rest[0], rest[8 + 8 * rest[1] :]
    if protocol == _FRAGMENT:
        return f"{source} > {destination} fragment"
    return _layer4(source, destination, protocol, rest)


def _layer4(source: str, destination: str, protocol: int, data: bytes) -> str:
    name = _protocol(protocol)
    if name not in ("tcp", "udp") or len(data) < 4:
        return f"{source} > {destination} {name}"
    ports = struct.unpack_from(">HH", data)
    ends = [
        f"[{a}]:{p}" if ":" in a else f"{a}:{p}"
        for a, p in zip((source, destination), ports, strict=True)
    ]
    flags = ""
    if name == "tcp" and len(data) >= 14:
        flags = " " + ("".join(c for i, c in enumerate(_FLAGS) if data[13] >> i & 1) or "none")
    return f"{ends[0]} > {ends[1]} {name}{flags}"


def _arp(packet: bytes) -> str:
    sender, target = (str(ipaddress.IPv4Address(packet[i : i + 4])) for i in (14, 24))
    return f"{sender} > {target} arp {'request' if packet[7] == 1 else 'reply'}"


def _protocol(number: int) -> str:
    return _PROTOCOLS.get(number, f"protocol {number}")
