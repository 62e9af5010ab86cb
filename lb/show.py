"""What a core has in force, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from lb.core_client import CoreState


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    return table


def _listeners(config: dict[str, Any]) -> Table:
    rows = (
        (x["name"], f"{x['address']}:{x['port']}", x["protocol"], x["pool"])
        for x in config["listeners"]
    )
    return _table("Listeners", ("name", "address", "protocol", "pool"), rows)


def _backends(config: dict[str, Any], state: CoreState) -> Table:
    tables = {table["pool"]: table for table in state["maglev"]}
    rows: list[tuple[object, ...]] = []
    for pool in config["pools"]:
        slots = tables[pool["name"]]["slots"] if pool["name"] in tables else {}
        size = sum(slots.values())
        for backend in pool["backends"]:
            share = slots.get(backend["name"], 0) / size if size else 0.0
            weight = backend.get("weight", "default")
            name, address = backend["name"], backend["address"]
            rows.append((pool["name"], name, address, weight, f"{share:.2%}"))
    return _table("Backends", ("pool", "backend", "address", "weight", "share"), rows)


def print_state(state: CoreState) -> None:
    """Print it to standard output."""
    console = Console()
    console.print(
        f"core {state['instance']}, boot {state['boot_id']}, generation {state['generation']}",
        highlight=False,
    )
    config = state["config"]
    if config is None:
        console.print("No configuration is in force: every packet is dropped.")
        return
    console.print(_listeners(config), _backends(config, state))
    modes = {pool["name"]: pool.get("mode", "dsr") for pool in config["pools"]}
    digests = (
        (t["pool"], modes.get(t["pool"], ""), t["size"], t["digest"] or "none")
        for t in state["maglev"]
    )
    console.print(_table("Maglev tables", ("pool", "mode", "slots", "digest"), digests))
    if routes := config.get("routes"):
        rows = ((route["prefix"], route["via"]) for route in routes)
        console.print(_table("Routes", ("prefix", "via"), rows))
    neighbours = (
        (n["address"], n.get("mac") or "", n["state"], n["port"]) for n in state["neighbours"]
    )
    console.print(_table("Neighbours", ("address", "MAC", "state", "port"), neighbours))
