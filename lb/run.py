"""How a core is started: the command line, with the EAL's arguments, for this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lb.built import program
from lb.core_client import RUN_ROOT
from lb.errors import RunError

PROGRAM = "popscope-core"
# An af_packet ring must outlast the time that a busy machine keeps its reader waiting.
RING = "blocksz=65536,framesz=2048,framecnt=4096"
HUGEPAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
# Below this many free hugepages of 2 MB, `auto` runs without.
HUGEPAGES_WANTED = 64
INTERFACES = Path("/sys/class/net")
_CAP_NET_RAW = 13
_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class CoreOptions:
    """What a user says of a core. Empty means: as fits this machine."""

    instance: str = "lb"
    run_dir: Path | None = None
    config: Path | None = None
    interfaces: tuple[str, ...] = ()  # kernel interfaces, taken by af_packet
    vdevs: tuple[str, ...] = ()  # DPDK virtual devices, as for --vdev
    pci: tuple[str, ...] = ()  # addresses of NICs bound to a DPDK driver
    workers: int = 1
    lcores: str = ""  # as for the EAL's --lcores
    hugepages: str = "auto"  # auto, on, off
    memory_mb: int = 256  # without hugepages
    core: tuple[str, ...] = ()  # further arguments of the core
    eal: tuple[str, ...] = ()  # further arguments of the EAL


def run_dir(options: CoreOptions) -> Path:
    """The instance's own folder."""
    return options.run_dir or RUN_ROOT / options.instance


def mistake(options: CoreOptions) -> str:
    """What is wrong with the options themselves, on any machine; empty when nothing is."""
    if not _NAME.fullmatch(options.instance) or options.instance in (".", ".."):
        return "--instance: 1 to 63 letters, digits, dots, underscores or hyphens"
    if not (options.interfaces or options.vdevs or options.pci):
        return "a core needs a port: give --iface, --pci or --vdev"
    return ""


def check(options: CoreOptions) -> None:
    """Raises RunError for what the core or the EAL would fail on less clearly."""
    for interface in options.interfaces:
        if not (INTERFACES / interface).exists():
            raise RunError(f"--iface {interface}: there is no such interface (see `ip link`)")
    if (options.interfaces or options.pci) and not may_open_ports():
        raise RunError("be root, or have CAP_NET_RAW, to open network ports")
    if options.hugepages == "on" and not free_hugepages():
        raise RunError("--hugepages on: none is free; `make hugepages` reserves some")


def may_open_ports() -> bool:
    """Whether this process is root or has CAP_NET_RAW."""
    status = Path("/proc/self/status").read_text()
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    return os.geteuid() == 0 or bool(capabilities and int(capabilities[1], 16) >> _CAP_NET_RAW & 1)


def free_hugepages() -> int:
    """Free hugepages of 2 MB."""
    try:
        return int(HUGEPAGES.read_text())
    except (OSError, ValueError):
        return 0


def lcores(workers: int, cpus: Sequence[int]) -> str:
    """Each lcore on a CPU of its own when there are enough, else all on all."""
    if len(cpus) > workers:
        return ",".join(f"{lcore}@{cpus[lcore]}" for lcore in range(workers + 1))
    return f"(0-{workers})@({','.join(map(str, cpus))})"


def eal_arguments(options: CoreOptions) -> list[str]:
    """The EAL's arguments: devices, memory, lcores."""
    huge = {"on": True, "off": False}.get(options.hugepages, free_hugepages() >= HUGEPAGES_WANTED)
    devices = [f"--allow={address}" for address in options.pci] or ["--no-pci"]
    devices += [
        f"--vdev=net_af_packet{i},iface={name},qpairs={options.workers},{RING}"
        for i, name in enumerate(options.interfaces)
    ]
    cpus = sorted(os.sched_getaffinity(0))
    return [
        *devices,
        *(f"--vdev={vdev}" for vdev in options.vdevs),
        *(["--in-memory"] if huge else ["--no-huge", "-m", str(options.memory_mb)]),
        f"--file-prefix=popscope-{options.instance}",
        "--log-level=4",
        *("--lcores", options.lcores or lcores(options.workers, cpus)),
        *options.eal,
    ]


def command(options: CoreOptions) -> list[str]:
    """The core's command line. Raises NotBuiltError."""
    config = ["--config", str(options.config)] if options.config else []
    return [
        str(program(PROGRAM)),
        *("--instance", options.instance, "--run-dir", str(run_dir(options))),
        *config,
        *options.core,
        "--",
        *eal_arguments(options),
    ]
