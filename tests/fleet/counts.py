"""What the nodes of a fleet count in an interval, scope by scope: whole numbers, the law exact.

rx + originated = tx + drop + consumed (nothing is held at the end of an interval), for every lcore
and every VIP; what VIPs, backends, ports and queues say sums to what the lcores say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lb.catalogue import load
from tests.fleet.shape import DROPS, Fault, Fleet, Floats, Ints, unit
from tests.fleet.traffic import lcore_weights, packets, share_out, split, vip_weights

PACKETS_A_CONNECTION, CONNECTION_SECONDS = 20, 20
TUNNEL_BYTES = 20
# Above this share of its cycles a worker cannot keep up, and the NIC drops.
BUSIEST = 0.98
Columns = Mapping[str, Ints]


@dataclass(frozen=True, slots=True)
class Counts:
    """Increments, and the values of gauges: scope -> counter -> nodes x times x rows of a node.

    A histogram has a last axis of its cells. `boots`: nodes x times. A counter that is not there
    counted nothing.
    """

    times: Ints
    interval: int
    boots: Ints
    alive: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    scopes: Mapping[str, Columns]


def count(fleet: Fleet, times: Ints, interval: int, pops: range | None = None) -> Counts:
    """What some PoPs count in the intervals of `interval` seconds that begin at `times`."""
    pops = range(fleet.pops) if pops is None else pops
    rows = slice(pops.start * fleet.nodes, pops.stop * fleet.nodes)
    faults = fleet.faults_between(int(times.min()), int(times.max()) + interval)
    offered = packets(fleet, times, interval)[rows]
    flood = np.zeros_like(offered)
    for fault in faults:
        if fault.kind == "syn-flood":
            _at(fleet, rows, fault, flood, (offered * fault.share).astype(np.int64), times)
    arrived = split(offered + flood, lcore_weights(fleet, times, faults)[rows])
    cycles = np.repeat(fleet.cycles_per_packet, fleet.nodes)[rows][:, None, None]
    missed = np.maximum(arrived - _most(fleet, cycles, interval), 0)
    seen = arrived - missed
    vip, lost = _vips(fleet, times, faults, rows, seen, flood)
    lcore = _lcores(fleet, times, interval, seen, lost, rows)
    _cycles(fleet, interval, cycles, lcore)
    _bytes(fleet, times, rows, lcore, vip)
    _connections(fleet, interval, lcore, vip)
    backend = _backends(fleet, lcore, vip)
    scopes = {
        "lcore": lcore,
        "vip": vip,
        "backend": backend,
        "port": _port(lcore, missed),
        "port_queue": {name: lcore[name] for name in ("rx_packets", "tx_packets", "rx_bytes")},
        "node": _node(fleet, times, offered.shape),
    }
    return Counts(times, interval, fleet.boots(times)[rows], offered + flood > 0, scopes)


def _most(fleet: Fleet, cycles: Floats, interval: int) -> Ints:
    """Packets that a worker can handle in an interval."""
    return np.asarray(fleet.tsc_hz * interval * BUSIEST / cycles).astype(np.int64)


def _at(fleet: Fleet, rows: slice, fault: Fault, target: Ints, values: Ints, times: Ints) -> None:
    """Add values to the nodes of a fault while it lasts."""
    there = fleet.rows_of(fault)
    first, end = max(there.start, rows.start) - rows.start, min(there.stop, rows.stop) - rows.start
    if first < end:
        target[first:end] += values[first:end] * fault.during(times)


def _vips(
    fleet: Fleet, times: Ints, faults: list[Fault], rows: slice, seen: Ints, flood: Ints
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """The VIPs' packets; and the packets that each node loses, by reason. VIP 0 has the faults."""
    total = seen.sum(axis=-1)
    nodes = np.arange(rows.start, rows.stop)[:, None]
    stray = (total * 1e-6 + unit(fleet.seed, 21, nodes, times[None, :])).astype(np.int64)
    lost = {"drop_unknown_destination": np.minimum(stray, total)}
    received = split(total - lost["drop_unknown_destination"], vip_weights(fleet, times)[None])
    room = received[..., 0].copy()
    for kind, reason in DROPS.items():
        wanted = np.zeros_like(total)
        for fault in (f for f in faults if f.kind == kind):
            share = flood if kind == "syn-flood" else (received[..., 0] * fault.share).astype(int)
            _at(fleet, rows, fault, wanted, share, times)
        lost[reason] = np.minimum(wanted, room)
        room -= lost[reason]
    dropped = np.zeros_like(received)
    dropped[..., 0] = received[..., 0] - room
    return {
        "rx_packets": received,
        "tx_packets": received - dropped,
        "dropped_packets": dropped,
    }, lost


def _lcores(
    fleet: Fleet, times: Ints, interval: int, seen: Ints, lost: Mapping[str, Ints], rows: slice
) -> dict[str, Ints]:
    """The terms of the law of each worker."""
    left, columns = seen, dict[str, Ints]()
    for reason, total in lost.items():
        if total.any():
            columns[reason] = share_out(total, left)
            left = left - columns[reason]
    asked = np.zeros_like(seen)  # ARP requests of the router, every 30 s, that worker 0 answers
    asked[..., 0] = (times + interval) // 30 - times // 30
    asked *= seen.sum(axis=-1, keepdims=True) > 0
    return columns | {
        "rx_packets": seen + asked,
        "tx_packets": left + asked,
        "consumed_arp_request": asked,
        "originated_arp_reply": asked,
    }


def _cycles(fleet: Fleet, interval: int, cycles: Floats, lcore: dict[str, Ints]) -> None:
    """Busy and idle cycles, stages, bursts and their histograms."""
    received = lcore["rx_packets"]
    total = fleet.tsc_hz * interval
    busy = np.minimum((received * cycles).astype(np.int64), total)
    mean_burst = 1 + 31 * busy / total
    bursts = np.minimum(np.ceil(received / mean_burst).astype(np.int64), received)
    lcore |= {
        "busy_cycles": busy,
        "idle_cycles": total - busy,
        "rx_bursts": bursts,
        "loop_iterations": bursts + (total - busy) // 400,
        "burst_packets": _histogram("burst_packets", received, bursts),
        "burst_cycles": _histogram("burst_cycles", busy, bursts),
        "burst_latency_nanoseconds": _histogram(
            "burst_latency_nanoseconds", _nanoseconds(busy, fleet.tsc_hz), bursts
        ),
    }
    stages = [f"stage_{s}_cycles" for s in ("ingress", "classify", "track", "forward", "transmit")]
    parts = split(busy, np.array([0.2, 0.15, 0.35, 0.2, 0.1]))
    lcore |= {name: parts[..., place] for place, name in enumerate(stages)}


def _nanoseconds(cycles: Ints, hz: int) -> Ints:
    """Whole seconds apart, for an hour's cycles times 10^9 are beyond 64 bits."""
    seconds, rest = np.divmod(cycles, hz)
    return np.asarray(seconds * 10**9 + rest * 10**9 // hz)


def _histogram(name: str, total: Ints, events: Ints) -> Ints:
    """Cells of a histogram over events that are as even as whole numbers can be."""
    counter = next(c for c in load().scope("lcore") if c.id == name)
    low = total // np.maximum(events, 1)
    high = total - low * events
    cells = np.zeros((*total.shape, counter.cells), np.int64)
    for value, number in ((low, events - high), (low + 1, high)):
        place = np.searchsorted(counter.bounds, value)[..., None]
        there = np.take_along_axis(cells, place, axis=-1)
        np.put_along_axis(cells, place, there + number[..., None], axis=-1)
    cells[..., -1] = total
    return cells


def _bytes(
    fleet: Fleet, times: Ints, rows: slice, lcore: dict[str, Ints], vip: dict[str, Ints]
) -> None:
    """Clients' packets are small: the answers do not pass here (direct return)."""
    nodes = np.arange(rows.start, rows.stop)[:, None]
    size = 90 + (unit(fleet.seed, 22, nodes, times[None, :]) * 40).astype(np.int64)[..., None]
    lcore["rx_bytes"] = lcore["rx_packets"] * size
    lcore["tx_bytes"] = lcore["tx_packets"] * (size + TUNNEL_BYTES)
    vip["rx_bytes"] = vip["rx_packets"] * size


def _connections(fleet: Fleet, interval: int, lcore: dict[str, Ints], vip: dict[str, Ints]) -> None:
    created = vip["tx_packets"] // PACKETS_A_CONNECTION
    active = created * CONNECTION_SECONDS // interval
    room = fleet.lcores * fleet.connections
    active = active * room // np.maximum(active.sum(axis=-1, keepdims=True), room)
    vip |= {"created_connections": created, "active_connections": active}
    vip |= {"finished_connections": created - created // 50, "reset_connections": created // 50}
    ours = share_out(created.sum(axis=-1), lcore["tx_packets"])
    weights = lcore["tx_packets"].astype(np.float64) + 1e-9
    lcore |= {
        "created_connections": ours,
        "finished_connections": ours - ours // 50,
        "reset_connections": ours // 50,
        "active_connections": np.minimum(split(active.sum(axis=-1), weights), fleet.connections),
        "max_connections": np.full_like(ours, fleet.connections),
        "config_generation": np.ones_like(ours),
    }


def _backends(fleet: Fleet, lcore: Columns, vip: Columns) -> dict[str, Ints]:
    weights = 1 + 0.2 * unit(fleet.seed, 23, np.arange(fleet.backends))
    packets_sent = split(vip["tx_packets"].sum(axis=-1), weights)
    size = lcore["tx_bytes"][..., :1] // np.maximum(lcore["tx_packets"][..., :1], 1)
    return {
        "tx_packets": packets_sent,
        "tx_bytes": packets_sent * size,
        "created_connections": share_out(vip["created_connections"].sum(axis=-1), packets_sent),
        "active_connections": split(vip["active_connections"].sum(axis=-1), weights),
    }


def _port(lcore: Columns, missed: Ints) -> dict[str, Ints]:
    names = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes")
    sums = {name: lcore[name].sum(axis=-1, keepdims=True) for name in names}
    one = np.ones_like(sums["rx_packets"])
    lost = missed.sum(axis=-1, keepdims=True)
    return sums | {"rx_missed_packets": lost, "link_up": one, "mtu_bytes": one * 1500}


def _node(fleet: Fleet, times: Ints, shape: tuple[int, ...]) -> dict[str, Ints]:
    one = np.ones((*shape, 1), np.int64)
    return {
        "config_generation": one,
        "listeners": one * fleet.vips,
        "backends": one * fleet.backends,
        "neighbours": one * fleet.backends,
        "resolved_neighbours": one * fleet.backends,
        "max_mbufs": one * 262_143,
        "used_mbufs": one * (32_768 + times[None, :, None] % 512),
    }
