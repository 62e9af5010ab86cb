"""A plan as files: units and slices for systemd, and the EAL's arguments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from lb.control.plan.layout import Layout, Wish
from lb.control.plan.topology import Topology, ranges

UNITS = PurePosixPath("etc/systemd/system")
# Where everything that is not ours runs. `init.scope` is systemd itself.
OTHERS = ("init.scope", "system.slice", "user.slice", "machine.slice")


@dataclass(frozen=True, slots=True)
class Node:
    """What a director's units need beside CPUs: NICs (PCI addresses) and the instance's name."""

    nics: tuple[str, ...]
    instance: str = "lb"
    program: str = "/usr/bin/popscope"


def run_arguments(layout: Layout, wish: Wish, node: Node) -> list[str]:
    """Arguments of `popscope lb run`."""
    megabytes = layout.gigabyte_pages * 1024
    memory = ",".join(str(megabytes if n == layout.node else 0) for n in range(layout.node + 1))
    return [
        *("--instance", node.instance),
        *(word for nic in node.nics for word in ("--pci", nic)),
        *("--workers", str(wish.forwarding), "--lcores", layout.lcores),
        *("--hugepages", "on", "--max-connections", str(wish.max_connections)),
        *("--idle-polls", "0", "--eal", f"--socket-mem={memory}"),
    ]


def files(topology: Topology, layout: Layout, wish: Wish, node: Node) -> dict[str, str]:
    """Text by path, relative to the root of the file system."""
    system = topology.ranges(layout.system)
    ours = frozenset(layout.core | set(layout.exception))
    slices = {"popscope.slice": ours, "popscope-core.slice": layout.core}
    if layout.exception:
        slices["popscope-edge.slice"] = frozenset(layout.exception)
    made = {
        str(UNITS / name): (
            "[Unit]\nDescription=CPUs of popscope\n\n[Slice]\n"
            f"AllowedCPUs={ranges(cpus)}\nAllowedMemoryNodes={layout.node}\n"
        )
        for name, cpus in slices.items()
    }
    for other in OTHERS:
        section = "Scope" if other.endswith(".scope") else "Slice"
        text = f"[{section}]\nAllowedCPUs={system}\n"
        made[str(UNITS / f"{other}.d/50-popscope.conf")] = text
    made[str(UNITS / "popscope-hugepages.service")] = _hugepages(layout)
    made[str(UNITS / f"popscope-core-{node.instance}.service")] = _core(layout, wish, node)
    banned = ranges(ours | layout.idle)
    irqs = f"[Service]\nEnvironment=IRQBALANCE_BANNED_CPULIST={banned}\n"
    made[str(UNITS / "irqbalance.service.d/50-popscope.conf")] = irqs
    return made


def _hugepages(layout: Layout) -> str:
    folder = f"/sys/devices/system/node/node{layout.node}/hugepages/hugepages-1048576kB"
    return (
        "[Unit]\nDescription=Hugepages of popscope\n"
        "DefaultDependencies=no\nBefore=sysinit.target\n\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        f"ExecStart=/bin/sh -c 'echo {layout.gigabyte_pages} >{folder}/nr_hugepages'\n"
        f"ExecStart=/bin/sh -c 'test $(cat {folder}/nr_hugepages) -ge {layout.gigabyte_pages}'\n\n"
        "[Install]\nWantedBy=sysinit.target\n"
    )


def _core(layout: Layout, wish: Wish, node: Node) -> str:
    arguments = " ".join(run_arguments(layout, wish, node))
    return (
        f"[Unit]\nDescription=The core {node.instance} of popscope\n"
        "Requires=popscope-hugepages.service\nAfter=popscope-hugepages.service network.target\n\n"
        "[Service]\nSlice=popscope-core.slice\n"
        f"ExecStart={node.program} lb run {arguments}\n"
        "Restart=on-failure\nLimitMEMLOCK=infinity\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
