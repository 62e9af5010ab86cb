"""What stands below the head of the screen: an overview, one table, the health of a node, help."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.text import Text

from exporters.top import paint
from exporters.top.figures import short
from exporters.top.grid import Column, Grid
from exporters.top.health import CRITICAL, NOTE, WARNING, Problem
from exporters.top.paint import ALARM, DIM, HEAD, WARN
from exporters.top.state import VIEWS, State, sortable
from exporters.top.summary import drops_table, instances_table
from exporters.top.tables import scope_table
from exporters.top.watch import Look

LEVELS = {CRITICAL: ("!", ALARM), WARNING: ("*", WARN), NOTE: ("-", "")}
WIDE = 150
SIDES = (("lcore", "drop"), ("vip", "backend", "port"))
STACK = ("lcore", "drop", "vip", "backend", "port")
NOTHING = {
    "lcore": "no lcore has counted yet",
    "drop": "nothing was dropped since boot",
    "vip": "no VIP is configured",
    "backend": "no backend is configured",
    "port": "no port is known",
}


@dataclass(frozen=True, slots=True)
class Size:
    """Columns and lines."""

    width: int
    height: int


def body(look: Look, state: State, found: Sequence[Problem], size: Size) -> list[Text]:
    """The view that is chosen."""
    if state.view == "overview":
        return _overview(look, state, size)
    if state.view == "node":
        return _health(look, state, found, size)
    return _one(look, state, size)


def table(look: Look, name: str) -> Grid:
    """A table by its name, all rows."""
    if name == "drop":
        return drops_table(look)
    return instances_table(look) if name == "node" else scope_table(look, name)


def prepared(look: Look, state: State, name: str) -> Grid:
    """A table as it is to be seen: filtered and sorted."""
    grid = table(look, name).matching(state.words)
    if name == "drop":  # of equal rates, the larger count first
        grid = grid.sorted("dropped_packets", falling=True)
    return grid.sorted(*state.sort(name))


def columns(look: Look, state: State, name: str) -> list[Column]:
    """The columns to show; of which instance a row is only when there are several."""
    several = len(look.instances) > 1 or name == "node"
    return [c for c in sortable(name, state.units) if several or c.key != "instance"]


def problem_line(problem: Problem, several: bool) -> Text:
    """A problem with the mark of its level: ! critical, * warning, - note."""
    mark, style = LEVELS[problem.level]
    who = f"{problem.instance}: " if several and problem.instance else ""
    text = f" {who}{problem.text}"
    return Text().append(mark, style).append(text, WARN if problem.level < NOTE else "")


def _one(look: Look, state: State, size: Size) -> list[Text]:
    """One table, from its first row shown on."""
    name = state.view
    grid = prepared(look, state, name)
    rows = max(1, size.height - 2)
    first = min(state.first.get(name, 0), max(0, len(grid) - rows))
    part = grid.take(np.arange(first, min(first + rows, len(grid))))
    shown = columns(look, state, name)
    key, falling = state.sort(name)
    title = next(c.title for c in shown if c.key == key) if shown else key
    order = "falling" if falling else "rising"
    span = f"{first + 1}-{first + len(part)} of {len(grid):,}" if len(part) else "none"
    found = [Text(f"{VIEWS[name]}: {span}, by {title} {order}", DIM)]
    if len(grid):
        return [*found, *paint.lines(part, shown, size.width, key)]
    return [*found, _nothing(look, state, name)]


def _nothing(look: Look, state: State, name: str) -> Text:
    if state.words and len(table(look, name)):
        return Text(f'no row has "{state.filter}" in its names; Esc clears the filter', DIM)
    if not any(i.snapshot for i in look.instances):
        return Text("no instance can be read", DIM)
    return Text(NOTHING[name], DIM)


def _overview(look: Look, state: State, size: Size) -> list[Text]:
    """The most important rows of each table; two columns of tables on a wide terminal."""
    if size.width < WIDE:
        return _stack(look, state, STACK, size)
    left = (size.width - 2) // 2
    right = size.width - 2 - left
    sides = [
        _stack(look, state, names, Size(width, size.height))
        for names, width in zip(SIDES, (left, right), strict=True)
    ]
    found = []
    for row in range(max(map(len, sides))):
        line = sides[0][row].copy() if row < len(sides[0]) else Text()
        line.truncate(left, pad=True)
        line.append("  ")
        found.append(line.append_text(sides[1][row]) if row < len(sides[1]) else line)
    return found


def _stack(look: Look, state: State, names: Sequence[str], size: Size) -> list[Text]:
    sorts = {**state.sorts, "lcore": ("busy_ratio", True)}
    state = replace(state, sorts=sorts)
    grids = {name: worth(prepared(look, state, name), name) for name in names}
    space = size.height >= 8 * len(names)
    shares = _shares([len(g) for g in grids.values()], size.height, 1 + space)
    found = list[Text]()
    for (name, grid), rows in zip(grids.items(), shares, strict=True):
        if rows < 0:
            continue
        if space and found:
            found.append(Text())
        if not len(grid):
            found.append(Text(f"{VIEWS[name]}: ", HEAD).append_text(_nothing(look, state, name)))
            continue
        part = grid.take(np.arange(min(rows, len(grid))))
        shown = columns(look, state, name)
        if rows < len(grid):
            shown = _counted(shown, rows, len(grid))
        found += paint.lines(part, shown, size.width)
    return found


def _counted(shown: Sequence[Column], rows: int, of: int) -> list[Column]:
    """The column of names says how many rows there are."""
    place = 1 if shown[0].key == "instance" else 0
    named = replace(shown[place], title=f"{shown[place].title} {rows}/{short(of)}")
    return [*shown[:place], named, *shown[place + 1 :]]


def worth(grid: Grid, name: str) -> Grid:
    """Of the drop reasons only those that happened."""
    return grid.take(np.flatnonzero(grid.column("dropped_packets") > 0)) if name == "drop" else grid


def _shares(needs: Sequence[int], height: int, overhead: int) -> list[int]:
    """How many rows each table gets, in turn, so that all fit; -1: not even its head does."""
    shares, left = [-1] * len(needs), height
    for i, need in enumerate(needs):
        least = overhead + min(need, 1)
        if left >= least:
            shares[i] = min(need, 1)
            left -= least
    while left > 0 and any(0 <= s < n for s, n in zip(shares, needs, strict=True)):
        for i, need in enumerate(needs):
            if 0 <= shares[i] < need and left > 0:
                shares[i] += 1
                left -= 1
    return shares


def _health(look: Look, state: State, found: Sequence[Problem], size: Size) -> list[Text]:
    """All instances, all problems, what happened."""
    grid = prepared(look, state, "node")
    shown = paint.lines(grid, columns(look, state, "node"), size.width, state.sort("node")[0])
    shown += [Text(), Text("Problems, worst first", HEAD)]
    for problem in found:
        shown += wrapped(problem_line(problem, len(look.instances) > 1), size.width)
    if not found:
        shown.append(Text("none found", DIM))
    shown += [Text(), Text("What happened while this ran, newest first", HEAD)]
    for event in reversed(look.events):
        when = time.strftime("%H:%M:%SZ", time.gmtime(event.time_ns / 1e9))
        shown += wrapped(Text(f"{when} {event.instance}: {event.text}"), size.width)
    if not look.events:
        shown.append(Text("no restart, no change of state", DIM))
    first = min(state.first.get("node", 0), max(0, len(shown) - size.height))
    return shown[first:]


def wrapped(line: Text, width: int) -> list[Text]:
    """A line in pieces of the width, broken at blanks."""
    pieces = list[Text]()
    while line.cell_len > width > 10:
        blank = line.plain.rfind(" ", 10, width)
        cut = blank if blank > 0 else width
        first, line = line.divide([cut])
        pieces.append(first)
        line = Text("   ").append_text(line)
    return [*pieces, line]
