"""Which CPUs do what: pure, from a topology and a wish."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lb.control.errors import TopologyError
from lb.control.plan.topology import Core, Topology

_MB = 1 << 20
_GB = 1 << 30
# What lb/core/README.md says of memory.
_BUFFERS = 8 * _MB  # a port and worker
_ROWS = 8 * _MB  # a worker
_CONNECTION = 32
_EAL = 256 * _MB  # the EAL itself, tables of the configuration, and a second one while it changes


@dataclass(frozen=True, slots=True)
class Wish:
    """What a director is to have. `control` and `exception` are whole cores, too."""

    forwarding: int = 1
    control: int = 1
    exception: int = 1
    max_connections: int = 1 << 20  # a worker


@dataclass(frozen=True, slots=True)
class Layout:
    """Whole cores by use; `system` is what is left for everything else on the machine.

    The siblings of taken cores are in nobody's list: what runs there slows its core down.
    `reasons`: why so, a sentence each.
    """

    node: int
    control: tuple[int, ...]
    forwarding: tuple[int, ...]
    exception: tuple[int, ...]
    idle: frozenset[int]
    system: frozenset[int]
    gigabyte_pages: int
    reasons: tuple[str, ...] = field(default=())

    @property
    def core(self) -> frozenset[int]:
        """CPUs of the core's process."""
        return frozenset(self.control + self.forwarding)

    @property
    def lcores(self) -> str:
        """As the EAL's --lcores: lcore 0 is the main one."""
        cpus = (*self.control[:1], *self.forwarding)
        return ",".join(f"{lcore}@{cpu}" for lcore, cpu in enumerate(cpus))


def memory(wish: Wish, ports: int) -> int:
    """Bytes of hugepages that a core takes."""
    worker = max(1, ports) * _BUFFERS + _ROWS + wish.max_connections * _CONNECTION
    return _EAL + wish.forwarding * worker


def choose(topology: Topology, wish: Wish) -> Layout:
    """Take cores next to the NICs. Raises TopologyError when there are not enough."""
    node, reasons = _node(topology, wish)
    wanted = wish.control + wish.forwarding + wish.exception
    taken = _free(topology, node)[:wanted]
    if len(taken) < wanted:
        raise TopologyError(
            f"{wanted} cores wanted (control {wish.control}, forwarding {wish.forwarding}, "
            f"exception path {wish.exception}), and memory node {node} has {len(taken)} beside "
            "that of CPU 0: ask for fewer forwarding cores"
        )
    first = tuple(core.cpus[0] for core in taken)
    idle = frozenset(cpu for core in taken for cpu in core.cpus[1:])
    used = frozenset(first) | idle
    if idle:
        reasons.append(
            f"hyper-threads {topology.ranges(idle)} stay idle: each would share its core with a "
            "forwarding thread"
        )
    if any(0 in core.cpus for core in topology.cores if core.node == node):
        reasons.append("the core of CPU 0 stays with the system: the kernel's own work is there")
    pages = math.ceil(memory(wish, len(topology.nics)) / _GB)
    reasons.append(f"{pages} hugepages of 1 GiB on node {node}, beside the cores that use them")
    forwarding = wish.control + wish.forwarding
    return Layout(
        node=node,
        control=first[: wish.control],
        forwarding=first[wish.control : forwarding],
        exception=first[forwarding:],
        idle=idle,
        system=topology.cpus - used,
        gigabyte_pages=pages,
        reasons=tuple(reasons),
    )


def _free(topology: Topology, node: int) -> list[Core]:
    return [core for core in topology.cores if core.node == node and 0 not in core.cpus]


def _node(topology: Topology, wish: Wish) -> tuple[int, list[str]]:
    known = {nic: node for nic, node in topology.nics.items() if node >= 0}
    nodes = sorted(set(known.values()))
    if not nodes:
        every = sorted({core.node for core in topology.cores})
        node = max(every, key=lambda n: (len(_free(topology, n)), -n))
        return node, [f"memory node {node}: no NIC names a node, and it has the most free cores"]
    if len(nodes) > 1:
        places = ", ".join(f"{nic} on {node}" for nic, node in known.items())
        raise TopologyError(
            f"NICs on several memory nodes ({places}): every worker polls every NIC, so choose "
            "NICs of one node, or run a core a node, each with its own plan"
        )
    return nodes[0], [f"memory node {nodes[0]}: {', '.join(known)} is attached there"]
