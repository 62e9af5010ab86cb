"""One reading of a node, as JSON or as text."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from exporters.top import paint
from exporters.top.grid import Column, Grid
from exporters.top.health import CRITICAL, NOTE, WARNING, problems
from exporters.top.state import COLUMNS, VIEWS, State
from exporters.top.summary import residual
from exporters.top.views import columns, prepared, problem_line, worth
from exporters.top.watch import WRONG, Look

KEYS = {
    "node": "instances",
    "lcore": "lcores",
    "drop": "drops",
    "vip": "vips",
    "backend": "backends",
    "port": "ports",
}
LEVELS = {CRITICAL: "critical", WARNING: "warning", NOTE: "note"}
EXIT_GOOD, EXIT_LAW, EXIT_DEAD = 0, 3, 4
UNLIMITED = 10_000


def exit_status(look: Look) -> int:
    """3: the ledger law does not hold; 4: an instance is dead, hung, lost or unreadable; else 0."""
    if any(map(residual, look.instances)):
        return EXIT_LAW
    return EXIT_DEAD if any(i.state in WRONG for i in look.instances) else EXIT_GOOD


def to_json(look: Look, state: State) -> dict[str, Any]:
    """Everything, with the unit of each number. What is not known is null."""
    return {
        "node": platform.node(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(look.time_ns / 1e9)),
        "time_ms": look.time_ns // 1_000_000,
        "interval_seconds": _plain(look.interval_s),
        "units": {
            KEYS[name]: {c.key: c.unit for c in found if c.unit} for name, found in COLUMNS.items()
        },
        "problems": [
            {"level": LEVELS[p.level], "instance": p.instance, "text": p.text}
            for p in problems(look)
        ],
        **{KEYS[name]: _rows(prepared(look, state, name)) for name in KEYS},
    }


def _rows(grid: Grid) -> list[dict[str, Any]]:
    keys = [c.key for c in grid.columns]
    arrays = [_values(c, a) for c, a in zip(grid.columns, grid.arrays, strict=True)]
    return [dict(zip(keys, row, strict=True)) for row in zip(*arrays, strict=True)]


def _values(column: Column, array: Any) -> list[Any]:
    whole = column.kind in ("count", "residual")
    return [_plain(int(v) if whole and v == v else v) for v in array.tolist()]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def print_text(look: Look, state: State, names: Sequence[str], most: int) -> None:
    """The tables named, each with its `most` first rows (0: all), for people and tickets."""
    console = Console(highlight=False)
    width = console.width if console.is_terminal else UNLIMITED
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(look.time_ns / 1e9))
    found = problems(look)
    several = len(look.instances) > 1
    lines = [Text(f"{platform.node()} at {when}, rates over {look.interval_s:.2f} s", paint.HEAD)]
    lines += [problem_line(p, several) for p in found] or [Text("no problem found")]
    for name in names:
        grid = worth(prepared(look, state, name), name)
        rows = min(most or len(grid), len(grid))
        title = f"{VIEWS[name]} ({rows} of {len(grid)})" if rows < len(grid) else VIEWS[name]
        lines += [Text(), Text("Instances" if name == "node" else title, paint.HEAD)]
        if not len(grid):
            lines.append(Text("none"))
            continue
        part = grid.take(np.arange(rows))
        lines += paint.lines(part, columns(look, state, name), width)
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True)
