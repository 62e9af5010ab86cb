"""The agent's own socket, for commands on its node."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lb.errors import LbError

SOCKET = "agent.sock"
_REQUEST_MAX = 1 << 16
_PATIENCE_S = 5.0
_REFUSED = (LbError, OSError, ValueError, KeyError, EOFError, asyncio.LimitOverrunError)
Serve = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def listen(path: Path, serve: Serve) -> asyncio.Server:
    """Answer one JSON object a connection, as the core does. Raises OSError."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readuntil(b"\n")
            answer = {"ok": True, **await serve(json.loads(line))}
        except _REFUSED as error:
            text = str(error) or type(error).__name__
            answer = {"ok": False, "errors": [{"path": "", "message": text}]}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    return await asyncio.start_unix_server(talk, sock=_bind(path), limit=_REQUEST_MAX)


def _bind(path: Path) -> socket.socket:
    """A socket at a path, instead of one that a dead agent left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    path.chmod(0o660)
    return made
