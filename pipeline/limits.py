"""What operators say that a node can take: a CSV file, kept in `capacity_limits`.

    pop,node,packets_per_second,bits_per_second
    ,,6000000,25000000000          every node
    JKT-3,,4000000,                every node of a PoP; empty: what the line above says
    JKT-3,jkt-3-d1,9000000,        one node

Columns that are empty, or 0, say nothing.
"""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.errors import ConfigError
from pipeline.store import DATABASE, Store

HEADER = ["pop", "node", "packets_per_second", "bits_per_second"]
_TABLE = "capacity_limits"
Row = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class CapacityOptions:
    """`file`: the CSV, read at the start; "" for none, then capacity is learned."""

    file: str = ""

    def problems(self) -> list[str]:
        """What is wrong with the file, line by line."""
        try:
            read(self)
        except ConfigError as error:
            return error.problems
        return []


def read(options: CapacityOptions) -> list[Row]:
    """The lines of the file. Raises ConfigError with every problem found."""
    if not options.file:
        return []
    path = Path(options.file)
    try:
        lines = list(csv.reader(path.read_text().splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"[capacity] file: {path}: {error}"]) from error
    if not lines or lines[0] != HEADER:
        raise ConfigError([f"{path}: the first line must be {','.join(HEADER)}"])
    rows, problems = dict[tuple[str, str], Row](), []
    for number, line in enumerate(lines[1:], 2):
        try:
            row = _row(line)
            if row[:2] in rows:
                raise ValueError("this PoP and node are there twice")
            rows[row[:2]] = row
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise ConfigError(problems)
    return list(rows.values())


def _row(line: list[str]) -> Row:
    if len(line) != len(HEADER):
        raise ValueError(f"must have {len(HEADER)} columns, and has {len(line)}")
    pop, node, *numbers = (cell.strip() for cell in line)
    if node and not pop:
        raise ValueError(f"node {node}: a node needs its PoP")
    for number in numbers:
        if number and not (number.isascii() and number.isdigit() and int(number) < 1 << 64):
            raise ValueError(f"{number!r} must be a whole number, or nothing")
    packets, bits = (int(number or 0) for number in numbers)
    return pop, node, packets, bits


def keep(store: Store, options: CapacityOptions) -> bool:
    """Put the file's lines into the store when they are not there yet; whether they were new.

    Without a file nothing that was said once is taken back: give one with its header only for that.
    Raises ConfigError, QueryError.
    """
    if not options.file:
        return False
    rows = sorted(read(options)) or [("", "", 0, 0)]
    columns = ", ".join(HEADER)
    there = store.query_arrow(
        f"SELECT {columns} FROM {DATABASE}.{_TABLE} FINAL WHERE version = "
        f"(SELECT max(version) FROM {DATABASE}.{_TABLE}) ORDER BY pop, node"
    ).to_pylist()
    if rows == [tuple(row[name] for name in HEADER) for row in there]:
        return False
    version = pa.array([time.time_ns()] * len(rows), pa.uint64())
    kinds = (pa.string(), pa.string(), pa.uint64(), pa.uint64())
    values = [pa.array(c, k) for c, k in zip(zip(*rows, strict=True), kinds, strict=True)]
    store.insert(_TABLE, pa.table([version, *values], ["version", *HEADER]))
    return True
