"""What a made-up fleet is: its PoPs, nodes, rates, faults. The same values, the same fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAY, YEAR = 86_400, 365.25 * 86_400
EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z: the rate is of this moment, growth counts from it
# Metropolitan areas and their hours ahead of UTC. A PoP is <metro>-<number>.
METROS = {
    "JKT": 7, "SIN": 8, "FRA": 1, "AMS": 1, "LON": 0, "PAR": 1, "MAD": 1, "MIL": 1, "WAW": 1,
    "STO": 1, "ESB": 3, "DXB": 4, "BOM": 5.5, "DEL": 5.5, "BKK": 7, "KUL": 8, "MNL": 8, "HKG": 8,
    "TPE": 8, "TYO": 9, "OSA": 9, "SEL": 9, "SYD": 10, "MEL": 10, "AKL": 12, "LAX": -8, "SJC": -8,
    "SEA": -8, "DEN": -7, "PHX": -7, "DFW": -6, "CHI": -6, "ATL": -5, "MIA": -5, "NYC": -5,
    "IAD": -5, "YYZ": -5, "YUL": -5, "MEX": -6, "BOG": -5, "LIM": -5, "SCL": -4, "EZE": -3,
    "GRU": -3, "GIG": -3, "LOS": 1, "ACC": 0, "CAI": 2, "NBO": 3, "JNB": 2, "CPT": 2, "TLV": 2,
    "RUH": 3, "KHI": 5, "DAC": 6, "CMB": 5.5, "SGN": 7, "HAN": 7, "PNH": 7, "CGK": 7,
}  # fmt: skip

# What a fault drops; the others change where packets go.
DROPS = {
    "no-backend": "drop_no_backend",
    "neighbour-lost": "drop_neighbour_unresolved",
    "tx-full": "drop_tx_full",
    "syn-flood": "drop_half_open_limit",
}
KINDS = (*DROPS, "elephant-flow", "ecmp-skew", "node-down", "pop-down")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from `start` (Unix seconds) on for `seconds`.

    `pop`, `node`: places in the fleet; node -1 is all nodes of the PoP. `share`: of the packets of
    VIP 0 that are dropped (the kinds in DROPS); of a node's packets that its lcore 0 gets on top
    (elephant-flow), or that the node keeps of its part (ecmp-skew).
    """

    kind: str
    pop: int
    start: int
    seconds: int
    node: int = -1
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault; there are {', '.join(KINDS)}")

    def during(self, times: Ints) -> npt.NDArray[np.bool_]:
        """Which moments are in it."""
        return (times >= self.start) & (times < self.start + self.seconds)


@dataclass(frozen=True)
class Fleet:
    """`rate`: packets a second of the whole fleet at EPOCH, on the mean of a week.

    `growth`: of it, a year (0.4 is 40 %). `fault_days`: a PoP has a fault of its own about every so
    many days; 0 for none but those in `faults`. `boot_days`: so long does a boot of a node last.
    """

    pops: int = 3
    nodes: int = 2
    lcores: int = 2
    vips: int = 4
    backends: int = 4
    rate: float = 2_000_000.0
    growth: float = 0.4
    seed: int = 1
    fault_days: float = 0.0
    boot_days: float = 30.0
    tsc_hz: int = 2_000_000_000
    connections: int = 1 << 20
    faults: tuple[Fault, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in ("pops", "nodes", "lcores", "vips", "backends"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not self.rate > 0 or not self.growth > -1:
            raise ValueError("the rate must be above 0, the growth above -1")

    @cached_property
    def metros(self) -> list[str]:
        """The metro of each PoP: about four PoPs share one, so that they can stand in."""
        names = list(METROS)[: max(1, -(-self.pops // max(4, -(-self.pops // len(METROS)))))]
        return [names[pop % len(names)] for pop in range(self.pops)]

    @cached_property
    def pop_names(self) -> list[str]:
        seen: dict[str, int] = {}
        names = []
        for metro in self.metros:
            seen[metro] = seen.get(metro, 0) + 1
            names.append(f"{metro}-{seen[metro]}")
        return names

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """(PoP, node) of every node, in the order of rows."""
        return [
            (pop, f"{pop.lower()}-d{n + 1}") for pop in self.pop_names for n in range(self.nodes)
        ]

    @cached_property
    def hours_ahead(self) -> Floats:
        return np.array([METROS[m] for m in self.metros], np.float64)

    @cached_property
    def pop_rates(self) -> Floats:
        """Mean packets a second of each PoP at EPOCH."""
        weights = np.exp(0.6 * bell(self.seed, 1, np.arange(self.pops)))
        return np.asarray(self.rate * weights / weights.sum())

    @cached_property
    def pop_growth(self) -> Floats:
        """Growth a year of each PoP: from half of the fleet's to one and a half of it."""
        return np.asarray(self.growth * (0.5 + unit(self.seed, 2, np.arange(self.pops))))

    @cached_property
    def vip_growth(self) -> Floats:
        """Growth a year of a VIP's part of the packets; some shrink."""
        return np.asarray(1.5 * unit(self.seed, 3, np.arange(self.vips)) - 0.5)

    @cached_property
    def cycles_per_packet(self) -> Floats:
        """What a packet costs on the machines of each PoP."""
        return np.asarray(150 + 60 * unit(self.seed, 4, np.arange(self.pops)))

    def faults_between(self, first: int, end: int) -> list[Fault]:
        """The faults that touch first <= t < end: those given, and the fleet's own."""
        days = range(first // DAY - 1, (end - 1) // DAY + 1) if self.fault_days > 0 else ()
        found = [*self.faults, *(f for day in days for f in self._of_day(day))]
        return [f for f in found if f.start < end and f.start + f.seconds > first]

    def _of_day(self, day: int) -> list[Fault]:
        """The faults that begin on a day: at most one a PoP."""
        pops = np.flatnonzero(unit(self.seed, 5, day, np.arange(self.pops)) < 1 / self.fault_days)
        faults = []
        for pop in pops.tolist():
            kind, at, lasts, node, share = unit(self.seed, 6, day, pop, np.arange(5)).tolist()
            faults.append(
                Fault(
                    KINDS[int(kind * len(KINDS))],
                    pop,
                    day * DAY + int(at * DAY),
                    300 + int(lasts * 3_600),
                    int(node * self.nodes),
                    0.05 + 0.45 * share,
                )
            )
        return faults

    def boots(self, times: Ints) -> Ints:
        """The number of each node's boot at each moment: nodes x times, growing from 1 on."""
        nodes = np.arange(len(self.places))[:, None]
        period = max(self.boot_days, 0.01) * DAY
        offset = unit(self.seed, 7, nodes) * period
        planned = np.floor((times[None, :] - EPOCH + offset) / period).astype(np.int64)
        return planned - int(np.floor(-10 * YEAR / period)) + self._returns(times)

    def _returns(self, times: Ints) -> Ints:
        """How often each node came back from a fault, of those that are given by hand."""
        back = np.zeros((len(self.places), len(times)), np.int64)
        for fault in self.faults:
            if fault.kind in ("node-down", "pop-down"):
                back[self.rows_of(fault)] += times >= fault.start + fault.seconds
        return back

    def rows_of(self, fault: Fault) -> slice:
        """The nodes of a fault."""
        first = fault.pop * self.nodes
        whole = fault.node < 0 or fault.kind == "pop-down"
        return (
            slice(first, first + self.nodes)
            if whole
            else slice(first + fault.node, first + fault.node + 1)
        )


def unit(*keys: int | Ints) -> Floats:
    """Numbers from 0 to 1 that depend on the keys alone (splitmix64); keys are broadcast."""
    state = np.zeros(np.broadcast_shapes(*(np.shape(k) for k in keys)), np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            state = state + np.asarray(key, np.int64).astype(np.uint64) + np.uint64(_GOLDEN)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)


_GOLDEN = 0x9E3779B97F4A7C15


def bell(*keys: int | Ints) -> Floats:
    """Numbers with mean 0 and variance 1, between -3.5 and 3.5: the sum of four even ones."""
    total = sum(unit(*keys, extra) for extra in (101, 102, 103, 104))
    return np.asarray((total - 2.0) * 3.0**0.5)
