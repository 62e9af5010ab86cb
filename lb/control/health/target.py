"""Where a check goes, and the sockets that go there."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from dataclasses import dataclass

from lb.control.errors import TargetError

# What says something about this machine and nothing about the backend.
_OURS = {
    errno.EMFILE: "too many open files: raise the limit (LimitNOFILE of the unit)",
    errno.ENFILE: "too many open files on this machine (fs.file-max)",
    errno.ENOBUFS: "no buffers",
    errno.ENOMEM: "no memory",
    errno.EADDRNOTAVAIL: "no free source port (net.ipv4.ip_local_port_range)",
    errno.EPERM: "not permitted: marked and raw sockets need CAP_NET_RAW",
    errno.EACCES: "not permitted: see net.ipv4.ping_group_range, or give CAP_NET_RAW",
}
# Closed with a RST: no TIME_WAIT, on either side, for thousands of checks a second.
_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Target:
    """A backend as checks see it: `address` is connected to, over the way that `mark` chooses.

    `backend` is its own address: the same one, unless the check goes to the VIP on that backend.
    """

    address: str
    port: int
    backend: str
    mark: int = 0


class Failed(Exception):
    """The backend did not pass; the text says what was seen."""


def ours(error: OSError) -> TargetError | None:
    """The error as one of this machine, or None if it speaks of the backend."""
    what = _OURS.get(error.errno or 0)
    return TargetError(what) if what else None


def open_socket(target: Target, kind: int, protocol: int = 0) -> socket.socket:
    """A non-blocking socket with the target's mark. Raises OSError."""
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        if target.mark:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, target.mark)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    except OSError:
        made.close()
        raise
    return made


async def connect(target: Target) -> socket.socket:
    """A TCP connection. Raises OSError."""
    made = open_socket(target, socket.SOCK_STREAM)
    try:
        await asyncio.get_running_loop().sock_connect(made, (target.address, target.port))
    except BaseException:
        made.close()
        raise
    return made
