"""A machine's CPUs, memory nodes and NICs, as the kernel's /sys tells them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lb.control.errors import TopologyError

GIGABYTE_PAGES = "hugepages/hugepages-1048576kB"


@dataclass(frozen=True, slots=True)
class Core:
    """A physical core: its threads (CPU numbers, ascending), socket and memory node."""

    cpus: tuple[int, ...]
    socket: int
    node: int


@dataclass(frozen=True, slots=True)
class Topology:
    """`nics`: the memory node of each device asked for, -1 where the machine does not say.

    `gigabyte_pages`: 1 GiB hugepages by memory node, those there are; absent without support.
    """

    cores: tuple[Core, ...]
    nics: dict[str, int]
    gigabyte_pages: dict[int, int]

    @property
    def cpus(self) -> frozenset[int]:
        """All CPUs."""
        return frozenset(cpu for core in self.cores for cpu in core.cpus)

    def ranges(self, cpus: frozenset[int]) -> str:
        """As systemd and the kernel write it; a range ends with its node's or sibling's numbers.

        So the list shows which part of it is whose.
        """
        kind = {cpu: (core.node, rank) for core in self.cores for rank, cpu in enumerate(core.cpus)}
        return ranges(cpus, kind)


def ranges(cpus: frozenset[int], kind: dict[int, tuple[int, int]] | None = None) -> str:
    """A CPU list; a range goes over numbers of one kind only."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        last = parts[-1][-1] if parts else None
        if last is not None and cpu == last + 1 and (not kind or kind[cpu] == kind[last]):
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def parse_ranges(text: str) -> frozenset[int]:
    """The CPUs of a list such as 0-3,8. Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def read(root: Path = Path("/"), nics: tuple[str, ...] = ()) -> Topology:
    """Read it below `root`. `nics`: PCI addresses, or names of interfaces. Raises TopologyError."""
    system = root / "sys/devices/system"
    online = _cpus(system / "cpu/online")
    nodes = {
        cpu: int(path.name.removeprefix("node"))
        for path in (system / "node").glob("node[0-9]*")
        for cpu in _cpus(path / "cpulist")
    }
    cores: dict[frozenset[int], Core] = {}
    for cpu in sorted(online):
        topology = system / f"cpu/cpu{cpu}/topology"
        threads = _cpus(topology / "thread_siblings_list") & online
        socket = int(_text(topology / "physical_package_id"))
        cores.setdefault(threads, Core(tuple(sorted(threads)), socket, nodes.get(cpu, 0)))
    pages = {
        int(path.name.removeprefix("node")): int(_text(path / GIGABYTE_PAGES / "nr_hugepages"))
        for path in (system / "node").glob("node[0-9]*")
        if (path / GIGABYTE_PAGES).is_dir()
    }
    found = {nic: _nic(root, nic) for nic in nics}
    return Topology(tuple(sorted(cores.values(), key=lambda c: c.cpus)), found, pages)


def _nic(root: Path, nic: str) -> int:
    pci, kernel = root / "sys/bus/pci/devices" / nic, root / "sys/class/net" / nic
    if not pci.exists() and not kernel.exists():
        raise TopologyError(
            f"{nic}: neither a PCI address (as 0000:3b:00.0, see `lspci -D`) nor an interface"
        )
    file = pci / "numa_node" if pci.exists() else kernel / "device/numa_node"
    return int(_text(file)) if file.exists() else -1


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise TopologyError(f"{path}: {error.strerror}") from error


def _cpus(path: Path) -> frozenset[int]:
    try:
        return parse_ranges(_text(path))
    except ValueError as error:
        raise TopologyError(f"{path}: not a list of CPUs: {error}") from error
