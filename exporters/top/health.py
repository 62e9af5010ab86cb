"""What is wrong with a node, in words, worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from exporters.top.figures import duration, packets, share, short
from exporters.top.pace import Mask, Paced
from exporters.top.summary import drops_table, residual, totals
from exporters.top.tables import busy, table_use
from exporters.top.watch import Instance, Look

CRITICAL, WARNING, NOTE = range(3)
BUSY, TABLE_FULL, POOL_FULL = 0.95, 0.9, 0.9
YOUNG_S = 300.0
STUCK_S = 0.9  # a worker sleeps 1 ms at most
# Drops below this share of what is received, and below this rate, are the noise of the network.
NOISE, NOISE_PPS = 0.001, 1000
MOST = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """`level`: CRITICAL, WARNING or NOTE. `is_state`: it tells of the instance's state itself."""

    level: int
    instance: str
    text: str
    is_state: bool = False


Found = Iterator[tuple[int, str]]


def problems(look: Look) -> list[Problem]:
    """All that is not as it should be."""
    found = [Problem(CRITICAL, "", look.problem)] if look.problem else []
    found += [
        Problem(STATES[i.state][0], i.name, state_text(i), True)
        for i in look.instances
        if i.state in STATES
    ]
    if look.instances:
        found += _drops(look)
    found += [
        Problem(level, i.name, text)
        for check in CHECKS
        for i in look.instances
        if i.snapshot
        for level, text in check(i)
    ]
    return sorted(found, key=lambda p: p.level)


def state_text(i: Instance) -> str:
    """The state of an instance that is not live, in words."""
    words = STATES[i.state][1]
    return words.format(silent=duration(i.silent_s), pid=i.pid, why=i.message)


def _earlier(i: Instance) -> Found:
    for state in i.earlier:
        yield NOTE, f"an earlier boot ({state}) waits for an exporter to read its end"


STATES = {
    "dead": (CRITICAL, "DEAD: no heartbeat for {silent}, its process {pid} is gone"),
    "hung": (CRITICAL, "HUNG: no heartbeat for {silent}, but its process {pid} is still there"),
    "unreadable": (CRITICAL, "cannot be read: {why}"),
    "half_written": (CRITICAL, "did not finish starting: {why}"),
    "starting": (NOTE, "is starting"),
    "lost": (CRITICAL, "LOST: {why}"),
    "gone": (WARNING, "has no core: {why}"),
    "stopped": (WARNING, "was stopped in order; nothing is forwarded"),
}


def _law(i: Instance) -> Found:
    left = residual(i)
    for row, count in list(left.items())[:MOST]:
        way = "not accounted for" if count > 0 else "accounted for that never came"
        yield CRITICAL, f"ledger does not balance: {row}: {packets(abs(count))} {way}"
    if len(left) > MOST:
        yield CRITICAL, f"ledger does not balance in {len(left) - MOST} more rows"


def _counters(i: Instance) -> Found:
    fell = tuple(f"{scope}.{name}" for scope, paced in i.pace.items() for name in paced.fell)
    if fell:
        yield WARNING, f"counters fell, which is a fault; no rate is known: {_some(fell)}"


def _workers(i: Instance) -> Found:
    if (paced := i.pace.get("lcore")) is None or i.state != "live":
        return
    active, turns = paced.names.active, paced.rate("loop_iterations")
    if paced.elapsed_s >= STUCK_S and (stuck := _lcores(paced, (turns == 0) & ~paced.torn)):
        for_s = duration(paced.elapsed_s)
        yield CRITICAL, f"{stuck} stuck, or without a processor: no turn of the loop in {for_s}"
    if saturated := _lcores(paced, busy(paced) >= BUSY):
        yield WARNING, f"{saturated} saturated: busy {BUSY:.0%} or more"
    if full := _lcores(paced, active & (table_use(paced) >= TABLE_FULL)):
        yield WARNING, f"{full} nearly without room: connection table {TABLE_FULL:.0%} full"


def _lcores(paced: Paced, which: Mask) -> str:
    """`lcore 3 is`, `lcores 3, 4, 5 and 2 more are`, "" for none."""
    names = tuple(paced.labels[0][np.flatnonzero(which & paced.names.active)].tolist())
    return f"lcore{'s' * (len(names) > 1)} {_some(names)} {_is(len(names))}" if names else ""


def _is(count: int) -> str:
    return "are" if count > 1 else "is"


def _configuration(i: Instance) -> Found:
    node = i.pace.get("node")
    if node is None or not len(node.values) or i.state not in ("live", "hung"):
        return
    generation = node.value("config_generation")[0]
    if generation == 0:
        yield WARNING, "has no configuration: apply one with `popscope lb apply`"
    paced = i.pace.get("lcore")
    if paced and (late := _lcores(paced, paced.value("config_generation") < generation)):
        yield WARNING, f"{late} not yet at configuration {generation:.0f}, which is in force"
    if node.rate("rejected_configs")[0] > 0:
        yield WARNING, "a configuration was rejected just now"
    used, most = node.value("used_mbufs")[0], node.value("max_mbufs")[0]
    if used >= POOL_FULL * most > 0:
        yield WARNING, f"packet buffers: {used:.0f} of {most:.0f} in use"


PORT_COUNTS = {
    "rx_missed_packets": "misses {} pkt/s: no free receive descriptor",
    "rx_no_mbuf_failures": "fails {} times/s to get a packet buffer",
    "rx_error_packets": "receives {} damaged pkt/s",
    "tx_error_packets": "fails to send {} pkt/s",
}


def _ports(i: Instance) -> Found:
    if (paced := i.pace.get("port")) is None:
        return
    for row in np.flatnonzero(paced.names.active).tolist():
        name = f"port {paced.labels[0][row]}"
        if i.state == "live" and paced.value("link_up")[row] == 0:
            yield CRITICAL, f"{name}: link is down"
        for counter, words in PORT_COUNTS.items():
            rate = paced.rate(counter)[row]
            if rate > 0:
                yield WARNING, f"{name} {words.format(short(rate))}"


def _version(i: Instance) -> Found:
    assert i.snapshot is not None
    if unknown := i.snapshot.unknown:
        text = f"core {i.snapshot.version} is newer: {_some(unknown)} not known here"
        yield NOTE, text
    if missing := i.snapshot.missing:
        yield NOTE, f"core {i.snapshot.version} is older: lacks {_some(missing)} (shown as -)"
    torn = [f"{len(rows.torn)} {s}" for s, rows in i.snapshot.scopes.items() if len(rows.torn)]
    if torn:
        ended = "for good: the core died in an update, its ledger may be off by one burst"
        when = ended if i.snapshot.ended else "this time: their last figures are shown"
        yield NOTE, f"rows not read whole {when} ({', '.join(torn)})"


def _young(i: Instance) -> Found:
    s = i.snapshot
    assert s is not None
    if i.state == "live" and (up := (s.heartbeat_ns - s.start_ns) / 1e9) < YOUNG_S:
        again = f", {i.restarts} restarts seen" if i.restarts > 1 else ""
        what = "restarted" if i.restarts or i.earlier else "started"
        yield NOTE, f"{what} {duration(up)} ago{again}"


CHECKS: tuple[Callable[[Instance], Found], ...] = (
    _law,
    _workers,
    _ports,
    _counters,
    _configuration,
    _version,
    _young,
    _earlier,
)


def _drops(look: Look) -> Iterator[Problem]:
    """What is dropped now, the most first."""
    grid = drops_table(look).sorted("dropped_packets_per_second", falling=True)
    columns = [grid.column(k) for k in ("instance", "reason", "dropped_packets_per_second")]
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    received = {i.name: totals(i).rx for i in look.instances}
    for name in received:
        now = [(reason, rate) for instance, reason, rate in rows if instance == name and rate > 0]
        if now:
            listed = ", ".join(f"{reason} {short(rate)}" for reason, rate in now[:MOST])
            more = f" and {len(now) - MOST} more" if len(now) > MOST else ""
            total, rx = sum(rate for _, rate in now), received.get(name, 0.0)
            part = f" ({share(total / rx)} of rx)" if rx > 0 else ""
            noise = rx > 0 and total / rx < NOISE and total < NOISE_PPS
            level = NOTE if noise else WARNING
            text = f"drops {short(total)} pkt/s{part}: {listed}{more}"
            yield Problem(level, name, text)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
