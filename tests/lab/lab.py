"""The laboratory as a whole: network, directors, backends; all of it gone at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from lb.run import free_hugepages
from tests.lab import decap, traffic
from tests.lab.director import CoreOptions, Director
from tests.lab.network import PORT, Network, Plan
from tests.lab.packets import Kind, Target
from tests.lab.process import Process
from tests.lab.registry import Registry
from tests.lab.shell import require_machine, run

# Two workers, their rings and 2 x 65536 connections take some 60 pages of 2 MB.
PAGES_PER_CORE = 100


class Lab:
    """A context: the network is there inside of it. Logs go to `work`. Raises MissingError.

    Hugepages are used when there are enough for all directors.
    """

    def __init__(
        self, work: Path, plan: Plan | None = None, options: CoreOptions | None = None
    ) -> None:
        require_machine()
        self.work = work
        self.plan = plan or Plan()
        self.generation = 0
        self.weights: dict[str, int] = {}
        self.routed: list[str] = []
        self.processes: list[Process] = []
        self.backends: dict[str, Process] = {}
        self.decapsulators: list[Process] = []
        enough = free_hugepages() >= PAGES_PER_CORE * len(self.plan.directors)
        options = options or CoreOptions()
        self.options = replace(options, hugepages=options.hugepages and enough)
        self.registry = Registry()
        self.network = Network(self.plan, self.registry.namespace)
        self.directors = {
            name: Director(
                name, self.network, self.registry, self.log(f"core-{name}"), self.options
            )
            for name in self.plan.directors
        }

    def __enter__(self) -> Self:
        try:
            self.network.build()
        except BaseException:
            self.registry.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill what still runs, and remove the network and the folders."""
        directors = [d.process for d in self.directors.values()]
        for process in [*self.processes, *directors]:
            process.kill()
        self.registry.close()

    def log(self, name: str) -> Path:
        """Where the output of a process goes."""
        return self.work / "log" / f"{name}.log"

    def own(self, process: Process) -> Process:
        """Let the laboratory kill this process at its end."""
        self.processes.append(process)
        return process

    def launch_backends(self) -> None:
        """Start the backends' servers."""
        for name in self.plan.backends:
            log, environment = self.log(name), self.registry.environment
            process = traffic.backend(self.network, name, log, environment)
            self.backends[name] = self.own(process)
        if self.plan.tunnel is None:
            return
        for name in self.plan.backends:
            log, environment = self.log(f"decap-{name}"), self.registry.environment
            process = traffic.decapsulator(self.network, name, log, environment)
            self.decapsulators.append(self.own(process))

    def start_backends(self) -> None:
        """Start the backends' servers and wait until they serve."""
        self.launch_backends()
        self.wait_backends()

    def wait_backends(self) -> None:
        for process in self.backends.values():
            process.wait_ready(traffic.SERVING)
        for process in self.decapsulators:
            process.wait_ready(decap.READY)

    def start_directors(self, *, traps: bool = False) -> None:
        """Start the cores, configure them, and let the router use them."""
        for director in self.directors.values():
            director.launch()
        for director in self.directors.values():
            director.wait_ready()
        self.apply(traps=traps)
        for director in self.directors.values():
            director.wait_resolved()
        self.route(self.plan.directors)

    def apply(self, weights: Mapping[str, int] | None = None, *, traps: bool = False) -> int:
        """Give all running directors the same configuration; returns its generation."""
        self.generation += 1
        self.weights.update(weights or {})
        for director in self.directors.values():
            if director.process.running:
                director.apply(self.generation, self.weights, traps=traps)
        return self.generation

    def restart(self, name: str) -> None:
        """Start a director that ended, with the configuration in force; it is not routed to."""
        director = self.directors[name]
        director.start()
        director.apply(self.generation, self.weights)
        director.wait_resolved()

    def route(self, directors: Iterable[str]) -> None:
        """Let the router use these directors and no others."""
        self.routed = list(directors)
        self.network.route_vip(self.routed)

    def load(self, rates: traffic.Rates, log: str = "load") -> traffic.Load:
        """Start the client's load."""
        load = traffic.load(self.network, rates, self.log(log), self.registry.environment)
        self.own(load.process)
        return load

    def target(self, director: str) -> Target:
        """What malformed packets for a director are made of."""
        mac = bytes.fromhex(self.network.mac(director).replace(":", ""))
        return Target(mac, self.plan.address(director), self.plan.family.vip, PORT)

    def inject(self, director: str, counts: Mapping[Kind, int]) -> None:
        """Send malformed packets to one director alone, out of its port of the switch."""
        target = self.target(director)
        lines = [f"{n} {kind.build(target).hex()}\n" for kind, n in counts.items()]
        self.send_frames(director, "".join(lines))

    def send_frames(self, director: str, lines: str) -> None:
        """Send frames, given as lines "COUNT HEX", to one director alone."""
        argv = [sys.executable, "-m", "tests.lab.inject", director]
        run(argv, stdin=lines, namespace=self.registry.namespace("switch"))
