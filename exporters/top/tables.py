"""What the tables of the view show of the rows of a segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from exporters.top.grid import Array, Column, Grid, joined
from exporters.top.pace import Floats, Paced
from exporters.top.watch import Instance, Look
from lb.catalogue import load

Source = Callable[[Instance, Paced], Array]
Shown = tuple[Column, Source]
FIXED = frozenset({"lcore", "port"})  # scopes whose rows come and go with the boot only


def _rate(
    key: str, title: str, counter: str, rank: int, unit: str = "packets/s", shown: str = ""
) -> Shown:
    column = Column(f"{key}_per_second", title, unit, "rate", rank, shown)
    return column, lambda _, p: p.rate(counter)


def _both(way: str, rank: int) -> tuple[Shown, Shown]:
    """Packets or bits a second, as the units are set."""
    bits = Column(f"{way}_bits_per_second", f"{way} bit/s", "bits/s", "rate", rank, "bits")
    packets = f"{way}_packets"
    return (
        _rate(packets, f"{way} pkt/s", packets, rank, shown="packets"),
        (bits, lambda _, p: p.rate(f"{way}_bytes") * 8),
    )


def _count(counter: str, title: str, rank: int, unit: str, key: str = "") -> Shown:
    return Column(key or counter, title, unit, "count", rank), lambda _, p: p.value(counter)


def _text(key: str, rank: int, label: int) -> Shown:
    return Column(key, key, rank=rank), lambda _, p: p.labels[label]


def _quotient(key: str, title: str, unit: str, rank: int, of: str, by: str) -> Shown:
    column = Column(key, title, unit, "rate", rank)
    return column, lambda _, p: ratio(p.rate(of), p.rate(by))


def ratio(a: Array, b: Array) -> Floats:
    """a / b, NaN where that is no number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.asarray(a, np.float64) / np.asarray(b, np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def busy(paced: Paced) -> Floats:
    """Of every lcore the share of cycles spent on loop iterations that handled packets."""
    cycles = paced.rate("busy_cycles")
    return ratio(cycles, cycles + paced.rate("idle_cycles"))


def table_use(paced: Paced) -> Floats:
    """Of every lcore the share of its connection table that is in use."""
    return ratio(paced.value("active_connections"), paced.value("max_connections"))


def drop_reasons(paced: Paced) -> list[Any]:
    """The drop reasons that an lcore row has, those that only a newer core knows too."""
    known = [c for c in load().ledger("drop") if c.id in paced.layout.cells]
    return [*known, *(f for f in paced.layout.unknown if f.ledger == "drop")]


def dropped(paced: Paced) -> Floats:
    """Packets that each lcore drops a second, for any reason."""
    total: Floats = np.sum([paced.rate(d.id) for d in drop_reasons(paced)], axis=0)
    return total


def _listener(_: Instance, p: Paced) -> Array:
    rows = zip(p.labels[1], p.labels[2], p.labels[3], strict=True)
    ends = [f"[{a}]:{b}/{c}" if ":" in a else f"{a}:{b}/{c}" for a, b, c in rows]
    return np.array(ends, np.object_)


def _link(_: Instance, p: Paced) -> Array:
    up = p.value("link_up").tolist()
    return np.array(["-" if u != u else "up" if u else "DOWN" for u in up], np.object_)


INSTANCE: Shown = (
    Column("instance", "instance"),
    lambda i, p: np.full(len(p.values), i.name, np.object_),
)
RESIDUAL: Shown = (
    Column("residual_packets", "resid", "packets", "residual", 3),
    lambda _, p: p.residual(),
)
CONNECTIONS = _count("active_connections", "conn", 1, "connections")
CREATED = _rate("created_connections", "new/s", "created_connections", 2, "connections/s")
PICKED_UP = _rate("picked_up_connections", "pickup/s", "picked_up_connections", 8, "connections/s")
DROPPED = _rate("dropped_packets", "drop/s", "dropped_packets", 0)
SHARE = "ratio, 0 to 1"
TABLES: dict[str, tuple[Shown, ...]] = {
    "lcore": (
        INSTANCE,
        _text("lcore", 0, 0),
        (Column("busy_ratio", "busy", SHARE, "share"), lambda _, p: busy(p)),
        *_both("rx", 0),
        *_both("tx", 1),
        (DROPPED[0], lambda _, p: dropped(p)),
        CONNECTIONS,
        CREATED,
        RESIDUAL,
        _quotient("cycles_per_packet", "cyc/pkt", "cycles", 4, "busy_cycles", "rx_packets"),
        _quotient("packets_per_burst", "pkt/burst", "packets", 5, "rx_packets", "rx_bursts"),
        (Column("connection_table_ratio", "table", SHARE, "share", 6), lambda _, p: table_use(p)),
        _rate("untracked_packets", "untrack/s", "untracked_packets", 7),
        _count("held_neighbour_queue", "held", 8, "packets", "held_packets"),
        _count("config_generation", "config", 9, "generation"),
    ),
    "vip": (
        INSTANCE,
        _text("vip", 0, 0),
        (Column("listener", "listener"), _listener),
        *_both("rx", 0),
        _rate("tx_packets", "tx pkt/s", "tx_packets", 3),
        DROPPED,
        CONNECTIONS,
        CREATED,
        RESIDUAL,
        PICKED_UP,
        _count("held_packets", "held", 9, "packets"),
    ),
    "backend": (
        INSTANCE,
        _text("pool", 0, 0),
        _text("backend", 0, 1),
        _text("address", 2, 2),
        *_both("tx", 0),
        DROPPED,
        CONNECTIONS,
        CREATED,
        PICKED_UP,
    ),
    "port": (
        INSTANCE,
        _text("port", 0, 0),
        (Column("link", "link"), _link),
        *_both("rx", 0),
        *_both("tx", 0),
        _rate("rx_missed_packets", "missed/s", "rx_missed_packets", 1),
        _rate("rx_no_mbuf_failures", "nombuf/s", "rx_no_mbuf_failures", 2, "failures/s"),
        _rate("rx_error_packets", "rx err/s", "rx_error_packets", 3),
        _rate("tx_error_packets", "tx err/s", "tx_error_packets", 4),
        _count("rx_missed_packets", "missed", 5, "packets"),
        _count("rx_no_mbuf_failures", "nombuf", 6, "failures"),
        _count("rx_error_packets", "rx errs", 7, "packets"),
        _count("tx_error_packets", "tx errs", 8, "packets"),
        _count("mtu_bytes", "mtu", 9, "bytes"),
    ),
}


def scope_table(look: Look, scope: str) -> Grid:
    """The rows of a scope of all instances: those in use, and those without a name any more that
    still count or have connections.
    """
    shown, parts, hay = TABLES[scope], list[list[Array]](), list[str]()
    for instance in look.instances:
        paced = instance.pace.get(scope)
        if paced is None:
            continue
        rows = _rows(paced, scope)
        parts.append([source(instance, paced)[rows] for _, source in shown])
        hay += [f"{instance.name.lower()} {paced.haystack[i]}" for i in rows.tolist()]
    return joined(tuple(column for column, _ in shown), parts, hay)


def _rows(paced: Paced, scope: str) -> npt.NDArray[np.intp]:
    active = paced.names.active
    if scope in FIXED or active.all():
        return np.flatnonzero(active)
    counts = np.nan_to_num(paced.rates).any(axis=1)
    return np.flatnonzero(active | counts | (np.nan_to_num(paced.value("active_connections")) > 0))
