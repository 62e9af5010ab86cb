"""The core's packet path, in process and on a packet device, with counters and without.

All programs take turns, round by round, so that what the machine does to one it does to the others.
A figure is the median over the rounds; each round is a median over paired windows (the floor, the
whole) in CPU time of the worker's thread.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from tests.bench import core_captures
from tests.bench.core_captures import Capture

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/core"
PROGRAM = BUILD / "popscope-bench-core"
BARE = BUILD / "popscope-bench-core-nocounters"
ROUNDS = 5
MEASURES = ("ns_per_packet", "ns_floor", "ns_net")
METHOD = (
    "ns_per_packet: CPU time of a worker's thread a packet, of the whole. ns_floor: of a window "
    "beside it in which packets come and go only: in process (a template copied into a fresh "
    "buffer, freed), or (pcap-...) taken from net_pcap with infinite_rx and given back. ns_net: "
    "median of the differences. mpps: 1000 / ns_per_packet, summed over workers. packets: handled "
    "in all runs. One worker unless the name says so. -nocounters: counting compiled out. "
    "tcp4-syn: each packet opens a connection. Fragments are not measured: there are none."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `bare` is the program without counters."""

    rounds: int = ROUNDS
    quick: bool = False
    bare: Path = BARE

    @property
    def flags(self) -> list[str]:
        return ["--quick"] if self.quick else []


@dataclass(frozen=True, slots=True)
class Device:
    """A case on a packet device: a queue a worker, all of them with the same packets."""

    name: str
    capture: Capture
    workers: int = 1

    def arguments(self) -> list[str]:
        queues = f",rx_pcap={self.capture.path}" * self.workers
        packets = self.capture.packets * self.workers
        return [
            *("--device", f"net_pcap0{queues},infinite_rx=1", "--name", self.name),
            *("--config", str(self.capture.config), "--workers", str(self.workers)),
            *("--packets", str(packets)),
        ]


Cases = dict[str, list[dict[str, Any]]]  # by name: what each worker measured


def cases(plan: Plan = Plan()) -> list[dict[str, Any]]:
    """Every case. Raises ClickException when a program cannot be built or fails."""
    if plan.bare == BARE:
        _run("ninja", "-C", str(BUILD), BARE.name)
    with tempfile.TemporaryDirectory() as folder:
        devices = list(_devices(Path(folder)))
        rounds = [_round(plan, devices) for _ in range(plan.rounds)]
    return [_case(name, rounds) for name in rounds[0]]


def capture_cases(source: Path, config: Path | None, plan: Plan = Plan()) -> list[dict[str, Any]]:
    """The one case of a capture, on one worker. Raises ClickException."""
    with tempfile.TemporaryDirectory() as folder:
        capture = core_captures.adapt(source, config, Path(folder))
        device = Device(f"pcap-{source.stem}", capture)
        rounds = [_measure(PROGRAM, plan, device) for _ in range(plan.rounds)]
    case = _case(device.name, rounds)
    fate = rounds[-1][device.name][0]
    return [case | {key: fate[key] for key in ("received", "sent", "dropped", "consumed")}]


def _devices(folder: Path) -> Iterator[Device]:
    for kind, flows, size in (("udp4", 1000, "1k"), ("udp4", 65536, "64k"), ("tcp4", 1000, "1k")):
        device = Device(f"pcap-{kind}-{size}", core_captures.make(kind, flows, folder))
        yield device
        if size == "1k":
            yield replace(device, name=f"{device.name}-2workers", workers=2)


def _round(plan: Plan, devices: list[Device]) -> Cases:
    found = Cases()
    for device in (None, *devices):
        found |= _measure(PROGRAM, plan, device)
        bare = _measure(plan.bare, plan, device)
        found |= {f"{name}-nocounters": measured for name, measured in bare.items()}
    return found


def _case(name: str, rounds: list[Cases]) -> dict[str, Any]:
    runs = [round_[name] for round_ in rounds]
    workers = [worker for run in runs for worker in run]
    case: dict[str, Any] = {"name": name}
    case |= {m: round(statistics.median(w[m] for w in workers), 2) for m in MEASURES}
    case["mpps"] = round(
        statistics.median(sum(1000 / w["ns_per_packet"] for w in run) for run in runs), 3
    )
    case["packets"] = sum(w["packets"] for w in workers)
    case |= {"runs": len(runs), "workers": len(runs[0])}
    if not name.endswith("-nocounters") and f"{name}-nocounters" in rounds[0]:
        case["counters_ns"] = round(statistics.median(_counters(name, rounds)), 2)
    case["samples"] = [[{m: w[m] for m in MEASURES} for w in run] for run in runs]
    return case


def _counters(name: str, rounds: list[Cases]) -> Iterator[float]:
    """What counting costs a packet, a figure a round."""
    for found in rounds:
        with_them, without = found[name], found[f"{name}-nocounters"]
        yield statistics.mean(
            a["ns_net"] - b["ns_net"] for a, b in zip(with_them, without, strict=True)
        )


def _measure(program: Path, plan: Plan, device: Device | None) -> Cases:
    arguments = device.arguments() if device else []
    measured = json.loads(_run(str(program), *plan.flags, *arguments))
    found = Cases()
    for case in measured["cases"]:
        found.setdefault(case["name"], []).append(case)
    return found


def _run(*command: str) -> str:
    if not Path(command[0]).exists() and "/" in command[0]:
        raise click.ClickException(f"{command[0]} is not built: run `make core`")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise click.ClickException(f"{command[0]} failed: {run.stderr.strip() or run.stdout}")
    return run.stdout
