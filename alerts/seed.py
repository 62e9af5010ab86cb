"""Writes the rows of scenarios into a store."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from alerts.errors import ScenarioError
from alerts.scenarios import PLACE, Rows, Scenario
from lb.catalogue import ROW_LABELS
from pipeline.errors import QueryError
from pipeline.store import Store

# Between a PoP's name and the number of its scenario.
MARK = "~"
_LABELS = {
    "lcore": {"lcore": "1"},
    "port": {"port": "0"},
    "port_queue": {"port": "0", "queue": "0"},
    "vip": {"vip": "web-80", "address": "198.51.100.1", "port": "80", "protocol": "tcp"},
    "backend": {"pool": "web", "backend": "b1", "address": "10.77.1.21"},
    "node": {},
}
_HOURS = ("node_hours", "pop_hours")
_NO_INSTANCE = ("frames", "events", *_HOURS)
_OWN = ("grow", "delay")


def seed(store: Store, numbered: Sequence[tuple[int, Scenario]], zero: int) -> None:
    """Insert the rows of the scenarios, one insert a table. `zero`: second 0, Unix seconds.

    Raises ScenarioError, naming table and scenario, for what the schema does not have.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for number, scenario in numbered:
        for rows in scenario.rows:
            tables.setdefault(rows.table, []).extend(_expanded(rows, number, zero))
    for table, lines in tables.items():
        names = sorted({name for line in lines for name in line})
        columns = {name: [line.get(name) for line in lines] for name in names}
        try:
            store.insert(table, pa.table(columns))
        except (QueryError, pa.ArrowInvalid) as error:
            raise ScenarioError(f"rows of the table {table}: {error}") from error


def _expanded(rows: Rows, number: int, zero: int) -> list[dict[str, Any]]:
    columns = {k: v for k, v in rows.columns.items() if k not in _OWN}
    place = PLACE | {k: v for k, v in columns.items() if k in PLACE}
    fixed = _defaults(rows, place) | columns | {"pop": f"{place['pop']}{MARK}{number}"}
    grow: Mapping[str, int] = rows.columns.get("grow", {})
    stream = zlib.crc32(f"{number}/{place['pop']}/{place['node']}".encode())
    lines = []
    for index, second in enumerate(range(rows.start, rows.end + 1, rows.every)):
        line = {**fixed, "ts": _time(zero + second)}
        for name, more in grow.items():
            line[name] = fixed[name] + index * more
        if rows.table in ("frames", "instances") or rows.table.endswith(("_1s", "_abs")):
            line.setdefault("stream", stream)
            line |= {"seq": zero + second, "commit": 1}
        if rows.table == "frames":
            line["first"] = line["seq"]
            line["stored_at"] = _time(zero + second + rows.columns.get("delay", 1))
        lines.append(line)
    return lines


def _defaults(rows: Rows, place: Mapping[str, str]) -> dict[str, Any]:
    scope, _, level = rows.table.rpartition("_")
    if rows.table == "pop_hours":
        return {"version": 1}
    found: dict[str, Any] = {"node": place["node"]}
    if rows.table in _HOURS:
        return found | {"version": 1}
    if rows.table not in _NO_INSTANCE:
        found |= {"instance": place["instance"], "boot": 1}
    if scope in ROW_LABELS:
        found |= _LABELS[scope]
        found |= {"interval_ms": 1_000} if level in ("1s", "abs") else {"samples": 1, "version": 1}
    if rows.table == "instances":
        found |= {"state": "live"}
    if rows.table == "frames":
        found |= {"exporter": f"{place['pop']}/{place['node']}", "interval_ms": 1_000}
    return found


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
