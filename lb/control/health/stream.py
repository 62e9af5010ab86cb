"""A byte stream to a backend, plain or with TLS."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from types import TracebackType
from typing import Self

from lb.control.errors import TargetError
from lb.control.health.target import Failed, Target, connect
from lb.control.model.checker import Tls

CHUNK = 1 << 14


@lru_cache(maxsize=1024)
def _context(tls: Tls, protocol: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise TargetError(f"ca_file {tls.ca_file}: {error}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if protocol:
        context.set_alpn_protocols([protocol])
    return context


class Stream:
    """An async context manager; inside of it the connection is open. Raises OSError, Failed.

    Plain connections use the socket itself: asyncio's transports cost as much as the rest of a
    check.
    """

    def __init__(self, target: Target, tls: Tls | None = None, protocol: str = "") -> None:
        self._target = target
        self._tls = tls
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        context = _context(self._tls, self._protocol) if self._tls else None
        self._socket = await connect(self._target)
        self._writer: asyncio.StreamWriter | None = None
        if context is not None and self._tls:
            try:
                self._reader, self._writer = await asyncio.open_connection(
                    sock=self._socket, ssl=context, server_hostname=self._tls.sni or ""
                )
            except BaseException as error:
                self._socket.close()
                if isinstance(error, ssl.SSLError):
                    raise Failed(f"TLS: {error.reason or error}") from error
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        else:
            self._socket.close()

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        if self._writer is None:
            await self._loop.sock_sendall(self._socket, data)
        else:
            self._writer.write(data)
            await self._writer.drain()

    async def receive(self) -> bytes:
        """What has come; b"" at the end of the stream."""
        if self._writer is None:
            return await self._loop.sock_recv(self._socket, CHUNK)
        return await self._reader.read(CHUNK)
