"""The agents that are connected: each is told what its node is to do, and reports what it does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from lb.control.controller.catalog import Catalog
from lb.control.desired import State, difference, digest

PROTOCOL = 1
HEARTBEAT_S = 10.0
MESSAGE_MAX = 64 << 20


@dataclass(eq=False)
class Session:
    """A connected agent; `sent` is the state that it has, or that is on the way to it.

    `digest` is that of `sent`.
    """

    node: str
    socket: web.WebSocketResponse
    sent: State = field(default_factory=dict)
    digest: str = ""
    due: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent last said of itself, and when (seconds of the epoch)."""

    at: float
    body: dict[str, Any]


class Hub:
    """Sessions and reports by node. `catalog` gives the current one, `fleet` is its data base's."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog
        self.fleet = ""
        self.sessions: dict[str, Session] = {}
        self.reports: dict[str, Report] = {}

    def wake(self, nodes: Iterable[str]) -> None:
        """What these nodes are to do may have changed."""
        for node in nodes:
            if (session := self.sessions.get(node)) is not None:
                session.due.set()

    async def serve(self, node: str, socket: web.WebSocketResponse) -> None:
        """Speak with one agent until it goes. A later session of the node ends an earlier one."""
        hello = await _hello(socket)
        if hello is None:
            return
        earlier = self.sessions.get(node)
        session = self.sessions[node] = Session(node, socket)
        if earlier is not None:
            await earlier.socket.close(message=b"another agent of this node is connected")
        writer = asyncio.create_task(self.write(session, hello.get("digest")))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._take(node, message.data)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if self.sessions.get(node) is session:
                del self.sessions[node]

    async def close(self) -> None:
        """End all sessions."""
        for session in list(self.sessions.values()):
            await session.socket.close(message=b"the controller ends")

    def _take(self, node: str, text: str) -> None:
        try:
            body = json.loads(text)
        except ValueError:
            return
        if isinstance(body, dict) and body.get("type") == "report":
            self.reports[node] = Report(time.time(), body)

    async def write(self, session: Session, known: Any) -> None:
        """Send an agent its state, then each change of it; `known` is the digest that it has."""
        catalog = self._catalog()
        state = session.sent = catalog.state_of(session.node)
        session.digest = digest(state)
        whole = {"fleet": self.fleet, "revision": catalog.revision, "digest": session.digest}
        if known == whole["digest"]:
            await session.socket.send_json({"type": "current", **whole})
        else:
            await session.socket.send_json({"type": "full", **whole, "state": state})
        while True:
            await session.due.wait()
            session.due.clear()
            await self._send_change(session)

    async def _send_change(self, session: Session) -> None:
        catalog = self._catalog()
        state = catalog.state_of(session.node)
        change = difference(session.sent, state)
        if not change:
            return
        base, session.digest, session.sent = session.digest, digest(state), state
        await session.socket.send_json(
            {
                "type": "change",
                "base": base,
                "revision": catalog.revision,
                "digest": session.digest,
                "put": change.put,
                "remove": list(change.remove),
            }
        )


async def _hello(socket: web.WebSocketResponse) -> dict[str, Any] | None:
    """The agent's first words; None, and the socket closed, when they are not understood."""
    message = await socket.receive(timeout=HEARTBEAT_S)
    try:
        hello = json.loads(message.data) if message.type is WSMsgType.TEXT else None
    except ValueError:
        hello = None
    if not isinstance(hello, dict) or hello.get("type") != "hello":
        await socket.close(message=b"the first message must be a hello")
        return None
    if hello.get("protocol") != PROTOCOL:
        text = f"protocol {hello.get('protocol')!r}: this controller speaks {PROTOCOL}"
        await socket.send_json({"type": "refused", "message": text})
        await socket.close(message=b"protocol")
        return None
    return hello
