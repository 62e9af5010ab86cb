"""What the person at the terminal has chosen, and what each key does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporters.top.grid import Column
from exporters.top.summary import DROP_COLUMNS, INSTANCE_COLUMNS
from exporters.top.tables import TABLES

VIEWS = {
    "overview": "Overview",
    "lcore": "Lcores",
    "drop": "Drops",
    "vip": "VIPs",
    "backend": "Backends",
    "port": "Ports",
    "node": "Health",
}
COLUMNS: dict[str, tuple[Column, ...]] = {
    **{scope: tuple(column for column, _ in shown) for scope, shown in TABLES.items()},
    "drop": DROP_COLUMNS,
    "node": INSTANCE_COLUMNS,
}
SORTS = {
    "lcore": ("lcore", False),
    "drop": ("dropped_packets_per_second", True),
    "vip": ("rx_packets_per_second", True),
    "backend": ("tx_packets_per_second", True),
    "port": ("port", False),
    "node": ("instance", False),
}
UNITS = ("packets", "bits")


@dataclass(frozen=True, slots=True)
class State:
    """`instance`: "" for all. `sorts`: column and whether falling, a table. `first`: the first row
    shown of each table. `typing`: the filter is being typed.
    """

    view: str = "overview"
    instance: str = ""
    units: str = "packets"
    filter: str = ""
    typing: bool = False
    paused: bool = False
    help: bool = False
    quit: bool = False
    sorts: Mapping[str, tuple[str, bool]] = field(default_factory=lambda: dict(SORTS))
    first: Mapping[str, int] = field(default_factory=dict)

    @property
    def words(self) -> Sequence[str]:
        """What a row must have in its names."""
        return self.filter.lower().split()

    def sort(self, table: str) -> tuple[str, bool]:
        """The column that a table is sorted by, in the units chosen, and whether falling."""
        key, falling = self.sorts[table]
        keys = [c.key for c in sortable(table, self.units)]
        other = next(u for u in UNITS if u != self.units)
        twin = key.replace(f"_{other}_", f"_{self.units}_")
        return (key if key in keys else twin if twin in keys else SORTS[table][0]), falling


def sortable(table: str, units: str) -> list[Column]:
    """The columns of a table in these units."""
    return [c for c in COLUMNS[table] if c.shown in ("", units)]


def press(state: State, key: str, instances: Sequence[str], page: int) -> State:
    """The state after a key; `page`: rows on the screen. An unknown key changes nothing."""
    if state.typing:
        return _type(state, key)
    if state.help:
        return replace(state, help=False, quit=key == "q")
    if key in MOVES and state.view != "overview":
        first = MOVES[key](state.first.get(state.view, 0), page)
        return replace(state, first={**state.first, state.view: max(0, first)})
    if key in "1234567" and key:
        return replace(state, view=list(VIEWS)[int(key) - 1])
    if key in ("tab", "backtab"):
        return replace(state, view=_next(list(VIEWS), state.view, 1 if key == "tab" else -1))
    if key in "iI" and key:
        name = _next(["", *instances], state.instance, 1 if key == "i" else -1)
        return replace(state, instance=name, first={})
    if key in ("<", ">", "left", "right", "s", "r"):
        return _sort(state, key)
    action = ACTIONS.get(key)
    return action(state) if action else state


MOVES: dict[str, Callable[[int, int], int]] = {
    "down": lambda first, page: first + 1,
    "j": lambda first, page: first + 1,
    "up": lambda first, page: first - 1,
    "k": lambda first, page: first - 1,
    "pagedown": lambda first, page: first + page,
    "pageup": lambda first, page: first - page,
    "home": lambda first, page: 0,
    "g": lambda first, page: 0,
    "end": lambda first, page: 1 << 30,
    "G": lambda first, page: 1 << 30,
}
ACTIONS: dict[str, Callable[[State], State]] = {
    "q": lambda s: replace(s, quit=True),
    "?": lambda s: replace(s, help=True),
    "h": lambda s: replace(s, help=True),
    "/": lambda s: replace(s, typing=True),
    "p": lambda s: replace(s, paused=not s.paused),
    " ": lambda s: replace(s, paused=not s.paused),
    "u": lambda s: replace(s, units=_next(UNITS, s.units, 1)),
    "escape": lambda s: replace(s, filter="", first={}),
}


def _type(state: State, key: str) -> State:
    if key == "enter":
        return replace(state, typing=False)
    if key == "escape":
        return replace(state, typing=False, filter="", first={})
    if key == "backspace":
        return replace(state, filter=state.filter[:-1], first={})
    if len(key) == 1 and key.isprintable():
        return replace(state, filter=state.filter + key, first={})
    return state


def _sort(state: State, key: str) -> State:
    if state.view == "overview":
        return state
    column, falling = state.sort(state.view)
    if key == "r":
        return replace(state, sorts={**state.sorts, state.view: (column, not falling)})
    columns = sortable(state.view, state.units)
    keys = [c.key for c in columns]
    new = _next(keys, column, -1 if key in ("<", "left") else 1)
    text = columns[keys.index(new)].kind == "text"
    return replace(
        state,
        sorts={**state.sorts, state.view: (new, not text)},
        first={**state.first, state.view: 0},
    )


def _next(items: Sequence[str], item: str, step: int) -> str:
    """The item after (or before) one, in a ring; the first when it is not there."""
    items = list(items)
    return items[(items.index(item) + step) % len(items)] if item in items else items[0]
