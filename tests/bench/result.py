"""The file that a benchmark leaves: what was measured, and on what."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

Case = dict[str, Any]
FOLDER = Path(__file__).resolve().parents[2] / "build/bench"


def machine() -> dict[str, Any]:
    """What the figures were made on: they compare within one run, not between machines."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ", 1)[1] for line in cpuinfo if line.startswith("model name")), "?")
    huge = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "hugepages_2mb": int(huge.read_text()) if huge.exists() else 0,
        "load_1m": os.getloadavg()[0],
    }


def save(name: str, cases: list[Case], out: Path, method: str = "") -> dict[str, Any]:
    """Write a result to OUT/NAME.json. `method`: how the figures were made, if need be."""
    out.mkdir(parents=True, exist_ok=True)
    how = {"method": method} if method else {}
    result = {"machine": machine(), **how, "cases": cases}
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    return result
