"""An echo request and its reply.

A ping socket needs no privilege where net.ipv4.ping_group_range allows the group; else a raw
socket is used, which needs CAP_NET_RAW.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct

from lb.control.health.target import Target, open_socket

_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")
_TOKEN = 8


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _request(version: int, token: bytes) -> bytes:
    # Of IPv6, and of ping sockets, the kernel fills in the checksum.
    zero = _HEADER.pack(_REQUEST[version], 0, 0, 0, 1) + token
    value = checksum(zero) if version == 4 else 0
    return zero[:2] + value.to_bytes(2, "big") + zero[4:]


def _open(target: Target, version: int) -> tuple[socket.socket, bool]:
    protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    try:
        return open_socket(target, socket.SOCK_DGRAM, protocol), False
    except PermissionError:
        return open_socket(target, socket.SOCK_RAW, protocol), True


def is_reply(packet: bytes, version: int, *, raw: bool, token: bytes) -> bool:
    """Whether what a socket received is the reply to our request; raw IPv4 has its header."""
    if raw and version == 4:
        packet = packet[(packet[0] & 15) * 4 :] if packet else b""
    return packet[:1] == bytes([_REPLY[version]]) and packet[_HEADER.size :] == token


async def check(target: Target) -> None:
    """Raises OSError when the target is said to be unreachable; waits for ever for a reply."""
    loop = asyncio.get_running_loop()
    version = 6 if ":" in target.address else 4
    token = secrets.token_bytes(_TOKEN)
    made, raw = _open(target, version)
    with made:
        made.connect((target.address, 0))
        await loop.sock_sendall(made, _request(version, token))
        while not is_reply(await loop.sock_recv(made, 2048), version, raw=raw, token=token):
            pass
