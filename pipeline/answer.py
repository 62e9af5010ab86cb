"""A result of SQL for people: a table, or a block a row when it is wider than the terminal."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

# The format to ask for: it has the types, and times as people write them.
FORMAT = "JSONCompact"
MAX_ROWS = 1000
_NUMBER = re.compile(r"(Nullable\()?(U?Int|Float|Decimal)")
_UNBOUNDED = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """Names, types and rows of a result."""

    names: list[str]
    types: list[str]
    rows: list[list[Any]]

    @classmethod
    def parse(cls, data: bytes) -> Self | None:
        """None for what is not in FORMAT: the query asked for another one."""
        try:
            found = json.loads(data)
            meta, rows = found["meta"], found["data"]
            return cls([c["name"] for c in meta], [c["type"] for c in meta], rows)
        except (ValueError, KeyError, TypeError):
            return None

    def show(self, console: Console) -> None:
        """Print it; as wide as it is where nobody looks at a terminal."""
        table = self._table()
        width = Measurement.get(console, console.options.update(width=_UNBOUNDED), table).maximum
        if console.is_terminal and width > console.width:
            self._blocks(console)
        else:
            Console(file=console.file, width=max(width, console.width)).print(table)

    def _table(self) -> Table:
        table = Table()
        for name, kind in zip(self.names, self.types, strict=True):
            table.add_column(Text(name), justify="right" if _NUMBER.match(kind) else "left")
        for row in self.rows[:MAX_ROWS]:
            table.add_row(*(Text(cell(value)) for value in row))
        return table

    def _blocks(self, console: Console) -> None:
        indent = max(map(len, self.names))
        for number, row in enumerate(self.rows[:MAX_ROWS], 1):
            console.print(f"row {number}", style="dim")
            for name, value in zip(self.names, row, strict=True):
                console.print(Text(f"  {name:{indent}}  {cell(value)}"), soft_wrap=True)


def cell(value: object) -> str:
    """A value in a table; numbers that are not whole are rounded."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.3f}" if 1 <= abs(value) < 1e15 else f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
