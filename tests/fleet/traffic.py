"""How many packets reach every node: seasons, growth, noise, and who takes over from whom."""

from __future__ import annotations

import numpy as np

from tests.fleet.shape import DAY, EPOCH, YEAR, Fault, Fleet, Floats, Ints, bell, unit

EVENING = 20.5  # the busiest hour, local time


def season(hours: Floats) -> Floats:
    """The day's shape, with mean 1: a peak of 1.55 in the evening, a valley before dawn."""
    angle = 2 * np.pi * (hours - EVENING) / 24
    return np.asarray(1 + 0.45 * np.cos(angle) + 0.1 * np.cos(2 * angle))


def demand(fleet: Fleet, times: Ints, interval: int) -> Floats:
    """Packets a second that clients send to each PoP: PoPs x times."""
    pops = np.arange(fleet.pops)[:, None]
    local = times[None, :] / 3600 + fleet.hours_ahead[:, None]
    days = (local / 24 + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    week = 1 + 0.06 * np.cos(2 * np.pi * (days - 5.5) / 7)
    years = (times[None, :] - EPOCH) / YEAR
    grown = (1 + fleet.pop_growth[:, None]) ** years
    noise = 1 + 0.03 * bell(fleet.seed, 11, pops, times[None, :] // interval)
    return np.asarray(fleet.pop_rates[:, None] * season(local % 24) * week * grown * noise)


def packets(fleet: Fleet, times: Ints, interval: int) -> Ints:
    """Packets that reach each node in the interval that begins at each time: nodes x times."""
    if len(times) == 0:
        return np.zeros((len(fleet.places), 0), np.int64)
    faults = fleet.faults_between(int(times.min()), int(times.max()) + interval)
    weights = _weights(fleet, times, faults)
    offered = demand(fleet, times, interval)
    by_pop = weights.reshape(fleet.pops, fleet.nodes, -1)
    alive = by_pop.sum(axis=1)
    offered = _moved(fleet, offered, alive > 0)
    share = by_pop / np.where(alive > 0, alive, 1.0)[:, None, :]
    rates = (share * offered[:, None, :]).reshape(len(fleet.places), -1)
    return np.floor(rates * interval + 0.5).astype(np.int64)


def _weights(fleet: Fleet, times: Ints, faults: list[Fault]) -> Floats:
    """How ECMP divides a PoP's packets; 0 is a node that is down."""
    nodes = np.arange(len(fleet.places))[:, None]
    weights = 1 + 0.02 * bell(fleet.seed, 12, nodes) + np.zeros((1, len(times)))
    for fault in faults:
        rows = fleet.rows_of(fault)
        if fault.kind in ("node-down", "pop-down"):
            weights[rows] *= ~fault.during(times)
        elif fault.kind == "ecmp-skew":
            weights[rows] *= np.where(fault.during(times), fault.share, 1.0)
    return weights


def _moved(
    fleet: Fleet, offered: Floats, alive: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
) -> Floats:
    """What a dead PoP would get goes to the others of its metro, else nowhere."""
    if alive.all():
        return offered
    metros = np.array(fleet.metros)
    moved = offered * alive
    for metro in dict.fromkeys(fleet.metros):
        rows = metros == metro
        left = moved[rows].sum(axis=0)
        lost = offered[rows].sum(axis=0) - left
        moved[rows] *= 1 + np.where(left > 0, lost / np.where(left > 0, left, 1.0), 0.0)
    return np.asarray(moved)


def split(total: Ints, weights: Floats) -> Ints:
    """Whole numbers in proportion to the weights on the last axis, which sum to `total` exactly."""
    sums = np.cumsum(weights, axis=-1)
    ends = np.floor(total[..., None] * (sums / sums[..., -1:]) + 0.5).astype(np.int64)
    ends[..., -1] = total
    return np.asarray(np.diff(ends, axis=-1, prepend=0))


def share_out(total: Ints, parts: Ints) -> Ints:
    """`total` over the last axis in proportion to `parts`, none larger than its part.

    Needs total <= the sum of the parts.
    """
    whole = parts.sum(axis=-1, keepdims=True)
    ratio = total[..., None] / np.maximum(whole, 1)
    low = np.minimum(np.floor(parts * ratio * (1 - 2.0**-40)).astype(np.int64), parts)
    room = np.cumsum(parts - low, axis=-1)
    left = (total - low.sum(axis=-1))[..., None]
    return np.asarray(low + np.diff(np.minimum(room, left), axis=-1, prepend=0))


def lcore_weights(fleet: Fleet, times: Ints, faults: list[Fault]) -> Floats:
    """How RSS divides a node's packets: nodes x times x lcores."""
    nodes = np.arange(len(fleet.places))[:, None, None]
    weights = 1 + 0.04 * bell(fleet.seed, 13, nodes, np.arange(fleet.lcores)[None, None, :])
    weights = weights + np.zeros((1, len(times), 1))
    for fault in faults:
        if fault.kind == "elephant-flow":
            extra = fault.share * fleet.lcores * fault.during(times)
            weights[fleet.rows_of(fault), :, 0] += extra
    return np.asarray(weights)


def vip_weights(fleet: Fleet, times: Ints) -> Floats:
    """The part of each VIP: times x VIPs. A few have most of it (Zipf), and parts change."""
    rank = 1.0 / (1 + np.arange(fleet.vips))
    years = (times[:, None] - EPOCH) / YEAR
    hourly = 1 + 0.1 * (unit(fleet.seed, 14, times[:, None] // DAY, np.arange(fleet.vips)) - 0.5)
    return np.asarray(rank * (1 + fleet.vip_growth) ** years * hourly)
