"""What a node is to do: the resources that concern it, and the core's configuration from them.

A state is {"KIND/NAME": spec}: what the controller sends and the agent keeps. Both derive all else
from it, by the same functions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lb.control.errors import StateError
from lb.control.model.base import Spec
from lb.control.model.resources import KINDS

State = dict[str, dict[str, Any]]


def key(kind: str, name: str) -> str:
    """A resource's key."""
    return f"{kind}/{name}"


def dump(spec: Spec) -> dict[str, Any]:
    """A spec as JSON, defaults filled in; what is not set is left out."""
    return spec.model_dump(mode="json", exclude_none=True)


def digest(state: Mapping[str, Any]) -> str:
    """Equal states have equal digests, whatever their order."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """From one state to another."""

    put: State
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.put or self.remove)


def difference(before: State, after: State) -> Change:
    """What `changed(before, ...)` needs to become `after`."""
    put = {k: spec for k, spec in after.items() if before.get(k) != spec}
    return Change(put, tuple(sorted(before.keys() - after.keys())))


def changed(before: State, change: Change) -> State:
    """The state after a change."""
    gone = frozenset(change.remove)
    return {k: spec for k, spec in {**before, **change.put}.items() if k not in gone}


class Desired:
    """A state, with its specs parsed. Raises StateError for what this version does not know."""

    def __init__(self, node: str, state: State) -> None:
        self.node = node
        self._specs: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        for k in sorted(state):
            kind, _, name = k.partition("/")
            try:
                self._specs[kind][name] = KINDS[kind].model_validate(state[k])
            except KeyError:
                raise StateError(f"{k}: this version knows no {kind!r}: upgrade it") from None
            except ValidationError as error:
                first = error.errors()[0]
                place = "/".join(map(str, first["loc"]))
                raise StateError(f"{k}: {place}: {first['msg']}") from error
        if node not in self._specs["node"]:
            raise StateError(f"the controller does not know the node {node!r}: make it there")
        self._check_references()
        self._members: dict[str, dict[str, Any]] = {name: {} for name in self._specs["pool"]}
        for name, member in self._specs["member"].items():
            self._members[member.pool][name] = member

    def _check_references(self) -> None:
        for kind, specs in self._specs.items():
            for name, spec in specs.items():
                for place, to_kind, to_name in spec.references():
                    if to_name not in self._specs[to_kind]:
                        text = f"{kind}/{name}: {place}: there is no {to_kind} {to_name!r}"
                        raise StateError(f"{text} in this state: it is not whole")

    @property
    def pop(self) -> str:
        """The node's PoP."""
        return str(self._specs["node"][self.node].pop)

    def all(self, kind: str) -> dict[str, Any]:
        """The specs of a kind by name, sorted; they are of the kind's model."""
        return self._specs[kind]

    def members(self, pool: str) -> dict[str, Any]:
        """The members of a pool by name, sorted."""
        return self._members[pool]

    def document(self, generation: int, weights: Mapping[tuple[str, str], int]) -> dict[str, Any]:
        """The core's configuration. `weights` by (pool, member) win over the members' own."""
        node = self.all("node")[self.node]
        return {
            "generation": generation,
            "addresses": [self._address(address) for address in node.addresses],
            "routes": [dump(route) for route in node.routes],
            "lists": [
                {"name": name, **_without(dump(spec), ("tenant",))}
                for name, spec in self.all("list").items()
            ],
            "pools": [self._pool(name, spec, weights) for name, spec in self.all("pool").items()],
            "listeners": [self._listener(n, spec) for n, spec in self.all("listener").items()],
        }

    def _address(self, address: Any) -> dict[str, Any]:
        vlan = self.all("vlan")[address.vlan]
        tag = {"vlan": vlan.vlan} if vlan.vlan is not None else {}
        return {"port": vlan.port, **tag, "address": address.address}

    def _pool(self, name: str, pool: Any, weights: Mapping[tuple[str, str], int]) -> dict[str, Any]:
        backends = [
            {
                "name": member,
                **_without(dump(spec), ("pool", "pop")),
                "weight": weights.get((name, member), spec.weight),
                **self._limits(spec.limits),
            }
            for member, spec in self._members[name].items()
        ]
        own = _without(dump(pool), ("tenant", "checker", "floor"))
        return {"name": name, **own, "backends": backends}

    def _listener(self, name: str, listener: Any) -> dict[str, Any]:
        vip = self.all("vip")[listener.vip]
        return {
            "name": name,
            **_without(dump(listener), ("instance", "vip")),
            "address": vip.address,
            "icmp_echo": vip.icmp_echo,
            **self._limits(listener.limits),
        }

    def _limits(self, name: str | None) -> dict[str, Any]:
        if name is None:
            return {}
        return {"limits": _without(dump(self.all("limits")[name]), ("tenant",))}


def _without(spec: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    gone = frozenset(keys)
    return {k: value for k, value in spec.items() if k not in gone}
