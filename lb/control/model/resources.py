"""The kinds of resources that the controller keeps."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from lb.control.model.base import (
    Address,
    Asn,
    Interface,
    IPv4,
    IPv6,
    Name,
    Network,
    Port,
    Ref,
    Spec,
)
from lb.control.model.checker import Checker, Hex, Line

Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,63}$")]
Community = Annotated[str, StringConstraints(pattern=r"^\d{1,10}(:\d{1,10}){1,2}$")]
Rate = Annotated[int, Field(ge=1, le=10**12)]
Timeout = Annotated[int, Field(ge=1, le=86400)]
Floor = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[int, Field(ge=0, le=1000)]


class Owned(Spec):
    """What belongs to a tenant; "" is shared by all, and only whoever has no tenant writes it."""

    tenant: Tenant = ""


class Pop(Spec):
    """A point of presence."""

    description: Line = ""


class Vlan(Spec):
    """A link of a PoP's nodes: a port of the core, and the VLAN on it."""

    pop: Annotated[Name, Ref("pop")]
    port: int = Field(default=0, ge=0, le=15)
    vlan: int | None = Field(default=None, ge=1, le=4094)
    mtu: int = Field(default=1500, ge=1280, le=9216)


class NodeAddress(Spec):
    """An own address of a node's core."""

    vlan: Annotated[Name, Ref("vlan")]
    address: Interface


class Route(Spec):
    """The way to backends that are not on-link."""

    prefix: Network
    via: Address


class Neighbor(Spec):
    """A router that a node speaks BGP with; `multihop` if it is not on a link of the node."""

    address: Address
    asn: Asn
    bfd: bool = False
    hold_s: int = Field(default=9, ge=3, le=3600)
    multihop: bool = False


class Bgp(Spec):
    """A node's BGP. `source` is the kernel's address that sessions come from.

    `next_hop` and `next_hop6` are where packets for VIPs are to be sent: own addresses of the core.
    """

    asn: Asn
    router_id: IPv4
    source: Address
    next_hop: IPv4 | None = None
    next_hop6: IPv6 | None = None
    neighbors: tuple[Neighbor, ...] = Field(min_length=1, max_length=64)


class Node(Spec):
    """A director. In maintenance it announces nothing."""

    pop: Annotated[Name, Ref("pop")]
    addresses: tuple[NodeAddress, ...] = Field(min_length=1, max_length=256)
    routes: tuple[Route, ...] = Field(default=(), max_length=1024)
    bgp: Bgp | None = None
    maintenance: bool = False


class Prefix(Owned):
    """A prefix that is announced, a customer's own perhaps, with its origin and communities."""

    prefix: Network
    asn: Asn | None = None
    communities: tuple[Community, ...] = ()


class Vip(Owned):
    """A virtual address. It is announced by itself, or with the prefix that it is in."""

    address: Address
    prefix: Annotated[Name | None, Ref("prefix")] = None
    icmp_echo: bool = True


class PrefixList(Owned):
    """Who may use a listener; the longest prefix around a source decides."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    default: Literal["allow", "deny"] = "allow"


class Limits(Owned):
    """Of a listener or a member, and of one director."""

    new_connections_per_s: Rate | None = None
    connections: int | None = Field(default=None, ge=1, le=4294967295)
    packets_per_s: Rate | None = None
    bits_per_s: Rate | None = None


class OwnedChecker(Owned, Checker):
    """A health checker."""


class Pool(Owned):
    """Backends that serve the same. Below `floor`, failed checks remove none of them any more."""

    mode: Literal["dsr", "ipip", "gue"] = "dsr"
    scheduler: Literal[
        "maglev",
        "maglev_source",
        "maglev_source_port",
        "weighted_round_robin",
        "weighted_least_connections",
    ] = "maglev"
    tunnel_source: str | None = Field(default=None, max_length=64)
    gue_port: Port | None = None
    gue_checksum: bool | None = None
    checker: Annotated[Name | None, Ref("checker")] = None
    floor: Floor = 0.5


class Drain(Spec):
    """What becomes of the connections of a member whose weight is 0."""

    deadline_s: Timeout
    then: Literal["reset", "leave"]


class Member(Spec):
    """A backend of a pool; with `pop`, only there."""

    pool: Annotated[Name, Ref("pool")]
    address: Address
    weight: Weight = 100
    pop: Annotated[Name | None, Ref("pop")] = None
    drain: Drain | None = None
    limits: Annotated[Name | None, Ref("limits")] = None
    server_id: Hex | None = None


class Instance(Owned):
    """A load balancer: its listeners are served in these PoPs."""

    pops: Annotated[tuple[Name, ...], Ref("pop")] = Field(min_length=1)


class TcpTimeouts(Spec):
    """Of a listener's connections, in seconds."""

    tcp_syn: Timeout | None = None
    tcp_established: Timeout | None = None
    tcp_fin: Timeout | None = None
    udp: Timeout | None = None


class Quic(Spec):
    """Packets go to the backend that their connection id names."""

    server_id_length: int = Field(ge=1, le=15)
    rotation: int = Field(default=0, ge=0, le=6)


class Listener(Spec):
    """A port of a VIP, and the pool behind it."""

    instance: Annotated[Name, Ref("instance")]
    vip: Annotated[Name, Ref("vip")]
    port: Port
    protocol: Literal["tcp", "udp"]
    pool: Annotated[Name, Ref("pool")]
    tcp_sloppy: bool | None = None
    list: Annotated[Name | None, Ref("list")] = None
    limits: Annotated[Name | None, Ref("limits")] = None
    timeouts: TcpTimeouts | None = None
    max_half_open: int | None = Field(default=None, ge=1, le=16777216)
    half_open_excess: Literal["drop", "untracked"] | None = None
    quic: Quic | None = None

    @model_validator(mode="after")
    def _of_its_protocol(self) -> Self:
        tcp = ("tcp_sloppy", "max_half_open", "half_open_excess")
        wrong = ("quic",) if self.protocol == "tcp" else tcp
        for name in wrong:
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: not for {self.protocol}; leave it out")
        return self


# By kind, in the order in which they can be made: a kind names earlier ones only.
KINDS: dict[str, type[Spec]] = {
    "pop": Pop,
    "vlan": Vlan,
    "node": Node,
    "prefix": Prefix,
    "vip": Vip,
    "list": PrefixList,
    "limits": Limits,
    "checker": OwnedChecker,
    "pool": Pool,
    "member": Member,
    "instance": Instance,
    "listener": Listener,
}
# Of the network itself: not for tenants.
INFRASTRUCTURE = frozenset({"pop", "vlan", "node"})


def plural(kind: str) -> str:
    """A kind's name in paths."""
    return kind if kind.endswith("s") else f"{kind}es" if kind.endswith("x") else f"{kind}s"
