"""What people ask of the agent on its node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from lb.control.agent.checks.runner import LEVELS
from lb.control.agent.events import Events
from lb.control.agent.overrides import Overrides
from lb.control.desired import Desired
from lb.control.errors import StateError
from lb.control.findings import Finding


class Node(Protocol):
    """What the agent lets its commands do."""

    desired: Desired | None
    overrides: Overrides
    events: Events

    def status(self) -> dict[str, Any]:
        """Its report, and how the connection to the controller is."""

    def adopt(self) -> None:
        """Follow the next state, whatever it follows from."""

    def wake(self) -> None:
        """Something is to be done."""

    async def in_force(self) -> int:
        """Put in force what is wanted, now; the generation."""

    async def check(self) -> list[Finding]:
        """Run all checks."""


class Commands:
    """Answers requests; each is an object with an `op`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ops: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "status": self._status,
            "override": self._override,
            "release": self._release,
            "maintenance": self._maintenance,
            "adopt": self._adopt,
            "check": self._check,
        }

    async def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises StateError for what cannot be done, KeyError for what is missing."""
        op = self._ops.get(str(request.get("op")))
        if op is None:
            raise StateError(f"{request.get('op')!r} is none of {', '.join(self._ops)}")
        return await op(request)

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._node.status()

    async def _override(self, request: dict[str, Any]) -> dict[str, Any]:
        pool, member, weight = request["pool"], request["member"], request["weight"]
        members = self._node.desired.all("member") if self._node.desired else {}
        if member not in members:
            raise StateError(f"there is no member {member!r} on this node")
        if members[member].pool != pool:
            raise StateError(f"{member!r} is a member of {members[member].pool!r}")
        if not isinstance(weight, int) or not 0 <= weight <= 1000:
            raise StateError("weight: must be a number from 0 to 1000")
        self._node.overrides.set(pool, member, weight)
        state = "up" if weight else "draining"
        self._node.events.tell("drain", f"{pool}/{member}", state, "operator", f"weight {weight}")
        return {"generation": await self._node.in_force()}

    async def _release(self, request: dict[str, Any]) -> dict[str, Any]:
        pool, member = str(request["pool"]), str(request["member"])
        if not self._node.overrides.release(pool, member):
            raise StateError(f"nothing was set by hand for {pool}/{member}")
        self._node.events.tell("drain", f"{pool}/{member}", "released", "operator")
        self._node.wake()
        return {}

    async def _maintenance(self, request: dict[str, Any]) -> dict[str, Any]:
        self._node.overrides.set_maintenance(bool(request["on"]))
        self._node.wake()
        return {}

    async def _adopt(self, _: dict[str, Any]) -> dict[str, Any]:
        self._node.adopt()
        return {}

    async def _check(self, request: dict[str, Any]) -> dict[str, Any]:
        levels = request.get("levels") or LEVELS
        found = await self._node.check()
        return {"checks": [f.document() for f in found if f.level in levels]}
