"""The core's packet path alone, with its counters and with them compiled out.

Both programs run in alternation, so that what the machine does to one it does to the other. A case
is the median over the rounds; `counters_ns` is the median of the paired differences.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/core"
BARE = ROOT / "build/core-without-counters"
ROUNDS = 5
MEASURES = ("ns_per_packet", "floor_ns", "net_ns")


def cases() -> list[dict[str, Any]]:
    """Raises ClickException when a program cannot be built or fails."""
    if not (BARE / "build.ninja").exists():
        _run("meson", "setup", "--buildtype", "release", "-Dcounters=false", BARE, ROOT / "lb")
    _run("ninja", "-C", BARE, "popscope-bench-core")
    rounds = [(_measure(BUILD), _measure(BARE)) for _ in range(ROUNDS)]
    return [_case(name, rounds) for name in rounds[0][0]]


Round = tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]


def _case(name: str, rounds: list[Round]) -> dict[str, Any]:
    counted = [with_counters[name] for with_counters, _ in rounds]
    pairs = [(a[name]["net_ns"], b[name]["net_ns"]) for a, b in rounds]
    cost = statistics.median(a - b for a, b in pairs)
    return {
        "name": name,
        **{m: round(statistics.median(c[m] for c in counted), 2) for m in MEASURES},
        "without_counters_ns": round(statistics.median(b for _, b in pairs), 2),
        "counters_ns": round(cost, 2),
        "counters_percent": round(100 * statistics.median((a - b) / b for a, b in pairs), 1),
        "rounds": len(rounds),
        "samples": counted,
    }


def _measure(build: Path) -> dict[str, dict[str, Any]]:
    result = json.loads(_run(build / "popscope-bench-core"))
    return {case["name"]: case for case in result["cases"]}


def _run(*command: str | Path) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise click.ClickException(f"{command[0]} failed: {run.stderr.strip() or run.stdout}")
    return run.stdout
