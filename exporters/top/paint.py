"""A table as lines of text: which columns fit, how wide they are, what stands in them.

State is told by characters, never by colour alone, and no pair of red and green is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from exporters.top.figures import bar, exact, share, short
from exporters.top.grid import Column, Grid
from exporters.top.watch import WRONG

HEAD, GOOD, DIM, WARN, ALARM, ACCENT = "bold", "", "dim", "bold yellow", "bold reverse", "bold cyan"
SORTED = "bold underline"
WIDTHS = {"rate": 8, "count": 7, "share": 6, "residual": 6}
LEAST = {"listener": 24, "reason": 24, "address": 20, "meaning": 16}
LEAST_TEXT, TAIL, BAR_MIN, BAR_MAX = 10, 8, 12, 24
BARS = frozenset({"busy_ratio"})
EXACT = frozenset({"dropped_packets", "config_generation", "mtu_bytes", "uptime_seconds"})
LOSSES = ("dropped_", "rx_missed_", "rx_no_mbuf_", "rx_error_", "tx_error_", "untracked_")


def lines(grid: Grid, columns: Sequence[Column], width: int, sort: str = "") -> list[Text]:
    """A head and a line a row. Columns that find no room are left out, highest rank first.

    The head of the column that the table is sorted by stands out.
    """
    texts = {c.key: [_cell(c, v) for v in grid.column(c.key).tolist()] for c in columns}
    chosen, widths = _fit(columns, texts, width, sort)
    head = Text()
    for c in chosen:
        head.append(" " if head else "")
        head.append(_put(c, c.title, widths[c.key]), SORTED if c.key == sort else HEAD)
    found = [head]
    for row in range(len(grid)):
        line = Text()
        for c in chosen:
            if line:
                line.append(" ")
            value, size = grid.column(c.key)[row], widths[c.key]
            text = bar(value, size) if c.key in BARS else texts[c.key][row]
            line.append(_put(c, text, size), _style(c, value))
        found.append(line)
    return found


def _fit(
    columns: Sequence[Column],
    texts: dict[str, list[str]],
    width: int,
    keep: str,
) -> tuple[list[Column], dict[str, int]]:
    """The columns that there is room for, and their widths."""
    wish = {c.key: max(map(cell_len, [c.title, *texts[c.key]])) for c in columns}
    least = {c.key: _least(c, wish[c.key]) for c in columns}
    chosen = list(columns)
    while len(chosen) > 1 and sum(least[c.key] + 1 for c in chosen) - 1 > width:
        droppable = [c for c in chosen if c.rank and c.key != keep] or chosen[1:]
        chosen.remove(max(droppable, key=lambda c: c.rank))
    widths = {c.key: least[c.key] for c in chosen}
    spare = width - sum(w + 1 for w in widths.values()) + 1
    for c in sorted(chosen, key=lambda c: c.key in BARS):  # names first, then bars
        most = BAR_MAX if c.key in BARS else wish[c.key]
        more = min(spare, max(0, most - widths[c.key]))
        widths[c.key] += more
        spare -= more
    return chosen, widths


def _least(column: Column, wish: int) -> int:
    if column.key in BARS:
        return BAR_MIN
    if column.kind == "text":
        return min(wish, max(LEAST.get(column.key, LEAST_TEXT), len(column.title)))
    return max(WIDTHS[column.kind], wish)


def _put(column: Column, text: str, width: int) -> str:
    """A text in its width: names to the left, numbers to the right; ~ is where it was cut."""
    size = cell_len(text)
    if size > width:
        tail = text[-TAIL:] if column.key == "listener" else ""  # its port tells most
        return set_cell_size(text, width - 1 - len(tail)) + "~" + tail
    pad = " " * (width - size)
    return text + pad if column.kind == "text" or column.key in BARS else pad + text


def _cell(column: Column, value: Any) -> str:
    if column.kind == "text":
        return str(value)
    if column.kind == "share":
        return share(value)
    if column.kind == "residual" or column.key in EXACT:
        return exact(value)
    return short(value)


def _style(column: Column, value: Any) -> str:
    if column.kind == "text":
        return ALARM if value in ("DOWN", *WRONG) else GOOD
    if value != value or value == 0:
        return DIM
    if column.kind == "residual":
        return ALARM
    if column.kind == "share":
        return WARN if value >= 0.9 else GOOD
    if column.key.startswith(LOSSES) and not math.isnan(value) and value > 0:
        return WARN
    return GOOD
