"""The receiving end of the PROXY protocol, version 2, in front of any asyncio protocol."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import Callable, MutableMapping

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
HEAD = struct.Struct("!12sBBH")
PROXY = 0x21
# Family and SOCK_STREAM: the layout of the addresses.
LAYOUTS = {0x11: struct.Struct("!4s4sHH"), 0x21: struct.Struct("!16s16sHH")}

Clients = MutableMapping[object, tuple[str, int]]


def parse(data: bytes) -> tuple[tuple[str, int], int] | None:
    """The client's address and port, and the header's length; None: more is needed.

    Raises ValueError: it is no such header.
    """
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
        raise ValueError(f"no PROXY header: {data[:40]!r}")
    if len(data) < HEAD.size:
        return None
    _, version, family, length = HEAD.unpack_from(data)
    layout = LAYOUTS.get(family)
    if version != PROXY or layout is None or length != layout.size:
        raise ValueError(f"a PROXY header of another kind: {data[:16]!r}")
    if len(data) < HEAD.size + length:
        return None
    source, _, port, _ = layout.unpack_from(data, HEAD.size)
    return (str(ipaddress.ip_address(source)), port), HEAD.size + length


class Proxied(asyncio.Protocol):
    """Reads the header, notes the client under the peer, then hands over to `inner`."""

    def __init__(self, inner: Callable[[], asyncio.Protocol], clients: Clients) -> None:
        self.inner = inner
        self.clients = clients
        self.data = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.data += data
        try:
            found = parse(self.data)
        except ValueError:
            self.transport.abort()
            raise
        if found is None:
            return
        client, length = found
        self.clients[self.transport.get_extra_info("peername")] = client
        inner = self.inner()
        self.transport.set_protocol(inner)
        inner.connection_made(self.transport)
        if rest := self.data[length:]:
            inner.data_received(rest)
