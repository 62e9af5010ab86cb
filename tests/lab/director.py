"""A director of the laboratory: a core with its workers on the switch's LAN."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lb import run
from lb.core_client import Control
from tests.lab.configuration import configuration
from tests.lab.network import Network
from tests.lab.process import Process, wait_until
from tests.lab.registry import Registry

INSTANCE = "lb"
DEVICE = "lan"
READY = "popscope-core: ready"


@dataclass(frozen=True, slots=True)
class CoreOptions:
    """How a core runs: its device driver, workers, and whether it may use hugepages."""

    driver: str = "af_packet"
    workers: int = 2
    hugepages: bool = True
    max_connections: int = 1 << 16
    idle_polls: int = 200
    idle_sleep_us: int = 50

    def command(self, run_dir: Path, prefix: str) -> list[str]:
        """The core's command line; `prefix` names the EAL's own files. Raises NotBuiltError."""
        packet = self.driver == "af_packet"
        return run.command(
            run.CoreOptions(
                instance=INSTANCE,
                run_dir=run_dir,
                interfaces=(DEVICE,) if packet else (),
                vdevs=() if packet else (f"net_{self.driver}0,iface={DEVICE}",),
                workers=self.workers,
                hugepages="on" if self.hugepages else "off",
                core=(
                    *("--idle-polls", str(self.idle_polls)),
                    *("--idle-sleep-us", str(self.idle_sleep_us)),
                    *("--max-connections", str(self.max_connections)),
                ),
                eal=(f"--file-prefix={prefix}",),
            )
        )


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
            [],
            log,
            network.namespace(name),
            environment=registry.environment,
        )
        self.control = Control(self.run_dir / "control.sock")

    def start(self) -> None:
        """Start the core and wait until its workers poll. It has no configuration yet."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the core. Raises NotBuiltError."""
        self.process.argv = self.options.command(self.run_dir, self._prefix)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.process.start()

    def wait_ready(self) -> None:
        """Wait until the workers poll."""
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
        known = {
            n["address"] for n in self.control.show()["neighbours"] if n["state"] == "resolved"
        }
        return self.network.plan.next_hops <= known

    def _keep_segment(self) -> None:
        # The exporter unlinks a dead segment when it has spooled it; a second name keeps the file.
        self.evidence.mkdir(parents=True, exist_ok=True)
        for path in self.run_dir.glob("segment-*"):
            kept = self.evidence / path.name
            if not kept.exists():
                os.link(path, kept)
                self._live = kept
