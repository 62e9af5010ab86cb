"""A director of the laboratory: a core with its workers on the switch's LAN."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lb.control import Control

from tests.lab.configuration import configuration
from tests.lab.errors import MissingError
from tests.lab.network import Network
from tests.lab.process import Process, wait_until
from tests.lab.registry import Registry
from tests.lab.shell import REPOSITORY

BINARY = REPOSITORY / "build/core/popscope-core"
INSTANCE = "lb"
READY = "popscope-core: ready"
# An af_packet ring must outlast the time that a busy machine keeps its reader waiting.
RING = "blocksz=65536,framesz=2048,framecnt=4096"


def hugepages() -> int:
    """Free hugepages of 2 MB."""
    found = re.search(r"^HugePages_Free:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class CoreOptions:
    """How a core runs: its device driver, workers, and whether it may use hugepages."""

    driver: str = "af_packet"
    workers: int = 2
    hugepages: bool = True
    max_connections: int = 1 << 16
    idle_polls: int = 200
    idle_sleep_us: int = 50

    def eal(self, prefix: str) -> list[str]:
        """DPDK's arguments. Every lcore may use every CPU, since they sleep."""
        cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
        queues = f",qpairs={self.workers},{RING}" if self.driver == "af_packet" else ""
        memory = ["--in-memory"] if self.hugepages else ["--no-huge", "-m", "256"]
        return [
            *("--no-pci", *memory, f"--file-prefix={prefix}", "--log-level=4"),
            *("--lcores", f"(0-{self.workers})@({cpus})"),
            f"--vdev=net_{self.driver}0,iface=lan{queues}",
        ]


class Director:
    """A core by name; it may be started again and again. Its segments are kept as evidence."""

    def __init__(
        self, name: str, network: Network, registry: Registry, log: Path, options: CoreOptions
    ) -> None:
        self.name = name
        self.network = network
        self.address = network.plan.address(name)
        # A folder a node, as the exporter's `run_root`; in it a folder an instance.
        self.run_dir = registry.folder / "run" / name / INSTANCE
        self.evidence = registry.folder / "evidence" / name
        self.options = options
        self._live: Path | None = None
        self._prefix = f"ps{registry.id}{name}"
        registry.add_folder(Path("/var/run/dpdk") / self._prefix)
        self.process = Process(
            f"core of {name}",
            self._argv(),
            log,
            network.namespace(name),
            on_start=registry.add_process,
        )
        self.control = Control(self.run_dir / "control.sock")

    def start(self) -> None:
        """Start the core and wait until its workers poll. It has no configuration yet."""
        if not BINARY.exists():
            raise MissingError(f"{BINARY} is not built: run `make core`")
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.process.start()
        self.process.wait_ready(READY)
        self._keep_segment()

    def apply(
        self, generation: int, weights: Mapping[str, int], *, traps: bool = False
    ) -> dict[str, Any]:
        """Apply the laboratory's configuration. Raises ConfigError, ControlError."""
        config = configuration(self.network.plan, self.name, generation, weights, traps=traps)
        self.control.apply(config)
        return config

    def wait_resolved(self, timeout_s: float = 10) -> None:
        """Wait until the core knows the MAC address of every backend that answers."""
        wait_until(self._resolved, timeout_s, f"{self.name} to resolve its backends")

    def stop(self) -> int:
        """End the core in order; returns its exit code."""
        return self.process.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.signal(signal.SIGKILL)
        self.process.wait(5)

    def segments(self) -> list[Path]:
        """The segments of all its boots, also those that an exporter has removed since."""
        return sorted(self.evidence.glob("segment-*"))

    @property
    def live_segment(self) -> Path | None:
        """The segment of the last boot, under the name that stays."""
        return self._live

    def _resolved(self) -> bool:
        backends = {self.network.plan.address(b) for b in self.network.plan.backends}
        known = {
            n["address"] for n in self.control.show()["neighbours"] if n["state"] == "resolved"
        }
        return backends <= known

    def _keep_segment(self) -> None:
        # The exporter unlinks a dead segment when it has spooled it; a second name keeps the file.
        self.evidence.mkdir(parents=True, exist_ok=True)
        for path in self.run_dir.glob("segment-*"):
            kept = self.evidence / path.name
            if not kept.exists():
                os.link(path, kept)
                self._live = kept

    def _argv(self) -> list[str]:
        options = self.options
        return [
            str(BINARY),
            *("--instance", INSTANCE, "--run-dir", str(self.run_dir)),
            *("--idle-polls", str(options.idle_polls)),
            *("--idle-sleep-us", str(options.idle_sleep_us)),
            *("--max-connections", str(options.max_connections)),
            "--",
            *options.eal(self._prefix),
        ]
