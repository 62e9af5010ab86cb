"""From the controller's answer to the core: how long a change takes until it is in force on a node.

A controller, an agent and a core in the laboratory's namespaces (as root). A change is of one
member's weight; `ms` is until the core shows it, which it does by polling, every 5 ms.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from tests.lab.fleet import Fleet
from tests.lab.lab import Lab
from tests.lab.network import Plan

CHANGES = 200
POLL_S = 0.005
GIVE_UP_S = 30.0


def _measure(fleet: Fleet, director: str) -> list[float]:
    took = []
    for i in range(CHANGES):
        weight = 1 + i % 1000
        fleet.ask("PATCH", "members/b1", {"weight": weight})
        answered = time.monotonic()
        while fleet.weights(director)["b1"] != weight:
            if time.monotonic() > answered + GIVE_UP_S:
                raise RuntimeError(f"change {i} is not in force after {GIVE_UP_S:g} s")
            time.sleep(POLL_S)
        took.append((time.monotonic() - answered) * 1e3)
    return sorted(took)


def cases() -> list[dict[str, Any]]:
    """One case."""
    with (
        tempfile.TemporaryDirectory(prefix="popscope-bench-") as folder,
        Lab(Path(folder), Plan(directors=("d1",))) as lab,
    ):
        fleet = Fleet(lab)
        lab.start_backends()
        lab.directors["d1"].start()
        fleet.start()
        took = _measure(fleet, "d1")
    return [
        {
            "name": "a member's weight, API's answer to core",
            "changes": CHANGES,
            "ms_p50": round(took[len(took) // 2], 1),
            "ms_p99": round(took[int(len(took) * 0.99)], 1),
            "ms_max": round(took[-1], 1),
        }
    ]
