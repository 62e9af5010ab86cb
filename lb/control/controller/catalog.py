"""All resources in memory, with what names what; never changed, only replaced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lb.control.desired import State, dump, key
from lb.control.model.base import Spec

Id = tuple[str, str]  # (kind, name)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it is kept: `spec` is of the kind's model, `document` the same as JSON.

    `version` grows with its own changes, `revision` is that of the last of them among all.
    """

    kind: str
    name: str
    spec: Any
    document: dict[str, Any]
    version: int = 1
    revision: int = 0

    @property
    def id(self) -> Id:
        return self.kind, self.name

    @property
    def tenant(self) -> str:
        """Its own tenant; "" for shared ones and for parts of others."""
        return str(getattr(self.spec, "tenant", ""))

    def targets(self) -> set[Id]:
        """What it names."""
        return {(kind, name) for _, kind, name in self.spec.references()}


class Catalog:
    """Resources by id."""

    def __init__(self, resources: Iterable[Resource] = (), revision: int = 0) -> None:
        self.revision = revision
        self._all = {resource.id: resource for resource in resources}
        self._named_by: defaultdict[Id, set[Id]] = defaultdict(set)
        for resource in self._all.values():
            for target in resource.targets():
                self._named_by[target].add(resource.id)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def get(self, id_: Id) -> Resource | None:
        """A resource, if it is there."""
        return self._all.get(id_)

    def of(self, kind: str) -> Iterator[Resource]:
        """All of a kind."""
        return (resource for resource in self._all.values() if resource.kind == kind)

    def named_by(self, id_: Id, kind: str = "") -> set[Id]:
        """Which resources (of a kind) name it."""
        found = self._named_by.get(id_, set())
        return {other for other in found if not kind or other[0] == kind}

    def with_changes(self, changes: Mapping[Id, Spec | None], revision: int) -> Catalog:
        """A catalog after changes; None removes."""
        made = Catalog.__new__(Catalog)
        made.revision = revision
        made._all = dict(self._all)
        made._named_by = defaultdict(set, self._named_by)
        for id_, spec in changes.items():
            before = made._all.pop(id_, None)
            if spec is not None:
                version = before.version + 1 if before else 1
                made._all[id_] = Resource(*id_, spec, dump(spec), version, revision)
            made._rename(id_, before, made._all.get(id_))
        return made

    def _rename(self, id_: Id, before: Resource | None, after: Resource | None) -> None:
        old = before.targets() if before else set()
        new = after.targets() if after else set()
        for target in old - new:
            self._named_by[target] = self._named_by[target] - {id_}
        for target in new - old:
            self._named_by[target] = self._named_by[target] | {id_}

    def tenant_of(self, resource: Resource) -> str:
        """The tenant that a resource belongs to; parts belong to their instance's or pool's."""
        owner = {"listener": "instance", "member": "pool"}.get(resource.kind)
        if owner is None:
            return resource.tenant
        parent = self._all.get((owner, getattr(resource.spec, owner)))
        return parent.tenant if parent else ""

    def pops_of(self, id_: Id) -> set[str]:
        """The PoPs whose nodes a resource concerns."""
        resource = self._all.get(id_)
        if resource is None:
            return set()
        kind, spec = resource.kind, resource.spec
        if kind == "pop":
            return {resource.name}
        if kind in ("vlan", "node"):
            return {spec.pop}
        if kind == "instance":
            return set(spec.pops)
        if kind == "listener":
            return self.pops_of(("instance", spec.instance))
        if kind == "member":
            pops = self.pops_of(("pool", spec.pool))
            only = spec.pop
            return pops & {only} if only else pops
        users = self.named_by(id_, "listener" if kind == "pool" else "")
        return {pop for other in users for pop in self.pops_of(other)}

    def nodes_of(self, pop: str) -> list[str]:
        """The nodes of a PoP."""
        return sorted(name for _, name in self.named_by(("pop", pop), "node"))

    def state_of(self, node: str) -> State:
        """A node's desired state: what concerns it, and nothing else."""
        found = self._all.get(("node", node))
        if found is None:
            return {}
        pop = str(found.spec.pop)
        ids: set[Id] = {("node", node), ("pop", pop)}
        ids |= {("vlan", address.vlan) for address in found.spec.addresses}
        for instance in self.named_by(("pop", pop), "instance"):
            ids.add(instance)
            for listener in self.named_by(instance, "listener"):
                ids |= {listener, *self._all[listener].targets()}
        for pool in [id_ for id_ in ids if id_[0] == "pool"]:
            ids |= {id_ for id_ in self._members(pool, pop)} | self._all[pool].targets()
        for id_ in [id_ for id_ in ids if id_[0] in ("vip", "member")]:
            ids |= self._all[id_].targets()
        return {
            key(*id_): _seen(id_, self._all[id_].document, pop)
            for id_ in ids
            if id_[0] != "pop" or id_[1] == pop
        }

    def _members(self, pool: Id, pop: str) -> Iterator[Id]:
        for id_ in self.named_by(pool, "member"):
            if self._all[id_].spec.pop in (None, pop):
                yield id_


def _seen(id_: Id, spec: dict[str, Any], pop: str) -> dict[str, Any]:
    """What a node of a PoP may know of a resource: not in which other PoPs an instance is."""
    return {**spec, "pops": [pop]} if id_[0] == "instance" else spec
