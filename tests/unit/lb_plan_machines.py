"""Known machines as trees of /sys, written by the rules by which Linux numbers their CPUs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NIC = "0000:3b:00.0"


@dataclass(frozen=True, slots=True)
class Machine:
    """`numbering`: sockets one after the other, or CPUs dealt out to sockets in turns (Dell)."""

    sockets: int
    cores: int  # a socket
    threads: int = 2
    nodes: int = 1  # a socket
    nic_node: int = 0
    numbering: Literal["blocks", "turns"] = "blocks"
    gigabyte_pages: int = 0

    def place(self, cpu: int) -> tuple[int, int, int]:
        """(socket, core in it, thread)."""
        thread, rest = divmod(cpu, self.sockets * self.cores)
        if self.numbering == "turns":
            return rest % self.sockets, rest // self.sockets, thread
        return rest // self.cores, rest % self.cores, thread

    def node(self, socket: int, core: int) -> int:
        return socket * self.nodes + core * self.nodes // self.cores

    def write(self, root: Path) -> Path:
        """Its tree below `root`, which is returned."""
        count = self.sockets * self.cores * self.threads
        places = {cpu: self.place(cpu) for cpu in range(count)}
        put(root / "sys/devices/system/cpu/online", f"0-{count - 1}")
        nodes: dict[int, list[int]] = {}
        for cpu, (socket, core, _) in places.items():
            nodes.setdefault(self.node(socket, core), []).append(cpu)
            siblings = [str(c) for c, at in places.items() if at[:2] == (socket, core)]
            folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
            put(folder / "physical_package_id", str(socket))
            put(folder / "thread_siblings_list", ",".join(siblings))
        for node, cpus in nodes.items():
            folder = root / f"sys/devices/system/node/node{node}"
            put(folder / "cpulist", ",".join(map(str, cpus)))
            pages = folder / "hugepages/hugepages-1048576kB/nr_hugepages"
            put(pages, str(self.gigabyte_pages))
        put(root / f"sys/bus/pci/devices/{NIC}/numa_node", str(self.nic_node))
        return root


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def put_process(root: Path, pid: int, name: str, cpus: str, group: str, flags: int = 0) -> None:
    """A process in /proc."""
    folder = root / f"proc/{pid}"
    put(folder / "comm", name)
    put(folder / "status", f"Name:\t{name}\nCpus_allowed_list:\t{cpus}")
    put(folder / "stat", f"{pid} ({name}) S 1 1 1 0 -1 {flags} 0 0")
    put(folder / "cgroup", f"0::{group}")
