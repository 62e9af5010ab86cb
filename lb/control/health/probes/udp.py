"""A datagram and its answer."""

from __future__ import annotations

import asyncio
import socket

from lb.control.health.target import Failed, Target, open_socket
from lb.control.model.checker import Udp

_LARGEST = 1 << 16


async def check(probe: Udp, target: Target) -> None:
    """Raises Failed or OSError (an ICMP error, most often) when the backend does not pass."""
    loop = asyncio.get_running_loop()
    expected = bytes.fromhex(probe.expect)
    with open_socket(target, socket.SOCK_DGRAM) as made:
        made.connect((target.address, target.port))
        await loop.sock_sendall(made, bytes.fromhex(probe.payload))
        answer = await loop.sock_recv(made, _LARGEST)
    if not answer.startswith(expected):
        raise Failed(f"answered {answer[: max(16, len(expected))].hex()} instead of {probe.expect}")
