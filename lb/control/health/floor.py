"""The floor: how many backends stay in service however the checks go (fail open)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lb.control.health.state import Health


def in_service(pool: Mapping[str, Health], floor: float) -> frozenset[str]:
    """The backends of a pool that get traffic; `floor` is the least part of them, 0 to 1.

    All that are up, and, while these are fewer than the floor, those that went down last: they were
    not removed when it was their turn, since too many were down already. Of those that went down
    at the same time, the first by name stay. Backends without a verdict are the last choice.
    """
    up = {name for name, health in pool.items() if health.up}
    short = math.ceil(floor * len(pool)) - len(up)
    if short <= 0:
        return frozenset(up)
    down = [name for name in pool if name not in up]
    down.sort(key=lambda name: (pool[name].up is None, -pool[name].since, name))
    return frozenset(up) | frozenset(down[:short])
