"""Tables that are made of many rows: why packets were dropped, and how the instances are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporters.top.grid import Array, Column, Grid, joined
from exporters.top.pace import Paced
from exporters.top.tables import SHARE, busy, drop_reasons, dropped
from exporters.top.watch import Instance, Look

DROP_COLUMNS = (
    Column("instance", "instance"),
    Column("reason", "reason"),
    Column("dropped_packets_per_second", "drop/s", "packets/s", "rate"),
    Column("dropped_packets", "since boot", "packets", "count"),
    Column("most_on_lcore", "most on", rank=4),
    Column("meaning", "meaning", rank=2),
)
INSTANCE_COLUMNS = (
    Column("instance", "instance"),
    Column("state", "state"),
    Column("heartbeat_age_seconds", "beat s", "seconds", "rate", 1),
    Column("uptime_seconds", "up s", "seconds", "count", 2),
    Column("rx_packets_per_second", "rx pkt/s", "packets/s", "rate", 0, "packets"),
    Column("rx_bits_per_second", "rx bit/s", "bits/s", "rate", 0, "bits"),
    Column("tx_packets_per_second", "tx pkt/s", "packets/s", "rate", 0, "packets"),
    Column("tx_bits_per_second", "tx bit/s", "bits/s", "rate", 0, "bits"),
    Column("dropped_packets_per_second", "drop/s", "packets/s", "rate", 0),
    Column("active_connections", "conn", "connections", "count", 1),
    Column("busiest_lcore_ratio", "busiest", SHARE, "share", 6),
    Column("residual_packets", "resid", "packets", "residual", 3),
    Column("config_generation", "config", "generation", "count", 4),
    Column("restarts_seen", "restarts", "restarts", "count", 7),
    Column("boot", "boot", rank=8),
    Column("version", "version", rank=9),
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the lcores of an instance; NaN where nothing is known yet."""

    rx: float = np.nan
    tx: float = np.nan
    rx_bits: float = np.nan
    tx_bits: float = np.nan
    drop: float = np.nan
    connections: float = np.nan
    busiest: float = np.nan
    busiest_lcore: str = ""


def totals(instance: Instance) -> Totals:
    """What the lcores of an instance do together."""
    paced = instance.pace.get("lcore")
    if paced is None or not len(paced.values):
        return Totals()
    share = busy(paced)
    top = int(np.argmax(np.nan_to_num(share, nan=-1.0)))
    return Totals(
        rx=total(paced.rate("rx_packets")),
        tx=total(paced.rate("tx_packets")),
        rx_bits=total(paced.rate("rx_bytes")) * 8,
        tx_bits=total(paced.rate("tx_bytes")) * 8,
        drop=total(dropped(paced)),
        connections=float(paced.value("active_connections").sum()),
        busiest=float(share[top]),
        busiest_lcore=str(paced.labels[0][top]),
    )


def total(rates: Sequence[float] | Array) -> float:
    """A sum that leaves out what is not known; NaN when nothing is."""
    rates = np.asarray(rates, np.float64)
    return float(np.nansum(rates)) if np.isfinite(rates).any() else float("nan")


def residual(instance: Instance) -> dict[str, int]:
    """Packets unaccounted for in each row that breaks the law, by `<scope> <name>`."""
    found = {}
    for scope in ("lcore", "vip"):
        if (paced := instance.pace.get(scope)) is None:
            continue
        left = paced.residual()
        for row in np.flatnonzero(left).tolist():
            found[f"{scope} {paced.labels[0][row]}"] = int(left[row])
    return found


def drops_table(look: Look) -> Grid:
    """One row a reason and instance, summed over lcores; all reasons that there are."""
    parts, hay = list[list[Array]](), list[str]()
    for instance in look.instances:
        paced = instance.pace.get("lcore")
        if paced is None:
            continue
        rows = [_drop(paced, reason) for reason in drop_reasons(paced)]
        names = np.full(len(rows), instance.name, np.object_)
        name, rate, count, most, meaning = zip(*rows, strict=True)
        parts.append(
            [names, _texts(name), np.array(rate), np.array(count), _texts(most), _texts(meaning)]
        )
        hay += [f"{instance.name} {n} {m}".lower() for n, m in zip(name, meaning, strict=True)]
    return joined(DROP_COLUMNS, parts, hay)


def _drop(paced: Paced, reason: Any) -> tuple[str, float, np.uint64, str, str]:
    rates, counts = paced.rate(reason.id), paced.value(reason.id)
    which = rates if np.nansum(rates) > 0 else counts
    most = paced.labels[0][int(np.nanargmax(which))] if np.nansum(which) > 0 else ""
    name = dict(reason.labels).get("reason", reason.id)
    return name, total(rates), counts.sum(dtype=np.uint64), most and f"lcore {most}", reason.help


def instances_table(look: Look) -> Grid:
    """One row an instance."""
    rows = [_instance(i) for i in look.instances]
    if not rows:
        return joined(INSTANCE_COLUMNS, [], [])
    kinds = [np.object_ if c.kind == "text" else np.float64 for c in INSTANCE_COLUMNS]
    arrays = [np.array(v, k) for v, k in zip(zip(*rows, strict=True), kinds, strict=True)]
    hay = [f"{i.name} {i.state} {i.run_dir}".lower() for i in look.instances]
    return joined(INSTANCE_COLUMNS, [arrays], hay)


def _instance(instance: Instance) -> tuple[Any, ...]:
    sums, s = totals(instance), instance.snapshot
    node = instance.pace.get("node")
    generation = node.value("config_generation").tolist() if node else []
    return (
        instance.name,
        instance.state,
        instance.silent_s if s else np.nan,
        uptime_s(instance),
        sums.rx,
        sums.rx_bits,
        sums.tx,
        sums.tx_bits,
        sums.drop,
        sums.connections,
        sums.busiest,
        sum(map(abs, residual(instance).values())) if s else np.nan,
        generation[0] if generation else np.nan,
        instance.restarts,
        f"{s.boot:016x}" if s else "",
        s.version if s else "",
    )


def uptime_s(instance: Instance) -> float:
    """From the boot's start to its last heartbeat."""
    s = instance.snapshot
    return max(0.0, (s.heartbeat_ns - s.start_ns) / 1e9) if s else float("nan")


def _texts(texts: Sequence[str]) -> Array:
    found = np.empty(len(texts), np.object_)
    found[:] = texts
    return found
