"""A store with the real schema and data whose every rate is known.

Each series grows by the same amounts every second, so that a panel must show the same rate at every
level: raw for the last 4 hours, minutes for 3 days, hours for 40 days.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from lb.catalogue import ROW_LABELS, Counter, load
from pipeline import hours, rollup_fleet
from pipeline.migrate import migrate
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_stores import fresh_store

NODES = tuple((pop, f"{pop}-d{i}") for pop in ("ams", "fra") for i in (1, 2))
LABELS: dict[str, list[tuple[str, ...]]] = {
    "lcore": [("1",), ("2",)],
    "port": [("0",)],
    "port_queue": [("0", "0"), ("0", "1")],
    "vip": [("web-80", "198.51.100.1", "80", "tcp"), ("dns", "198.51.100.2", "53", "udp")],
    "backend": [("web", "b1", "10.77.1.21"), ("web", "b2", "10.77.1.22")],
    "node": [()],
}
RAW_SECONDS, MINUTES, HOURS = 4 * 3_600, 3 * 1_440, 40 * 24
# What happens in one second to each lcore; every other counter of a scope counts 1.
LCORE_SECOND = {
    "rx_packets": 1_000,
    "tx_packets": 994,
    "rx_bytes": 64_000,
    "tx_bytes": 63_000,
    "busy_cycles": 300,
    "idle_cycles": 700,
    "drop_no_backend": 4,
    "drop_arp_not_for_us": 2,
    "consumed_arp_request": 2,
    "originated_arp_reply": 2,
}
GAUGES = {"active_connections": 250, "max_connections": 1_000, "held_neighbour_queue": 0}
RESTARTED = "ams-d1"
RESTART_AGE, CHANGE_AGE = 1_200, 600


@dataclass(slots=True)
class Seed:
    """The store, and the second up to which it has data. `now` is 2 s before the wall clock."""

    store: EmbeddedStore
    now: int
    lcore: dict[str, int] = field(default_factory=dict)
    nodes: tuple[tuple[str, str], ...] = NODES

    def amount(self, counter: Counter) -> str:
        """What the counter adds in a second, or the gauge is, as SQL with `second`."""
        if counter.kind == "histogram":
            return "[" + ", ".join(["1"] * (counter.cells - 1) + ["10"]) + "]"
        if counter.id == "config_generation":
            return f"if(second > {self.now - CHANGE_AGE}, 8, 7)"
        if counter.kind == "gauge":
            return str(GAUGES.get(counter.id, 1))
        if counter.scope != "lcore":
            return "10"
        other = 0 if counter.ledger else 1
        return str((LCORE_SECOND | self.lcore).get(counter.id, other))


@contextmanager
def seeded(folder: Path, *, fill: bool = True) -> Iterator[Seed]:
    """A migrated store in the folder, full of data or empty; closed with the context."""
    store = fresh_store(folder)
    try:
        migrate(store)
        seed = Seed(store, int(time.time()) - 2)
        if fill:
            fill_everything(seed)
        yield seed
    finally:
        store.close()


def fill_everything(seed: Seed) -> None:
    """Every table of the schema that the dashboards read."""
    for scope in LABELS:
        fill_raw(seed, scope, RAW_SECONDS)
        _fill_absolute(seed, scope)
        _fill_rollup(seed, scope, "1m", 60, MINUTES)
        _fill_rollup(seed, scope, "1h", 3_600, HOURS)
    fill_state(seed, RAW_SECONDS)
    fill_fleet(seed)
    fill_events(seed)
    seed.store.query(
        "INSERT INTO popscope.series (tenant, name, series, labels, seen) "
        f"SELECT 'default', 'up', number, map('job', 'a'), {seed.now} FROM numbers(3)",
        "Null",
    )


def _series(seed: Seed, scope: str) -> str:
    rows = [(*node, "core0", *labels) for node, labels in product(seed.nodes, LABELS[scope])]
    values = ", ".join("(" + ", ".join(f"'{v}'" for v in row) + ")" for row in rows)
    return f"(SELECT arrayJoin([{values}]) AS series)"


def _keys(scope: str) -> tuple[str, str]:
    names = ("pop", "node", "instance", *ROW_LABELS[scope])
    picked = ", ".join(f"series.{i} AS {name}" for i, name in enumerate(names, 1))
    return ", ".join(names), picked


def _boot(seed: Seed) -> str:
    return f"if(node = '{RESTARTED}' AND second > {seed.now - RESTART_AGE}, 2, 1)"


def fill_raw(seed: Seed, scope: str, seconds: int) -> None:
    """One row a second and series, the last at `now`."""
    counters = load().scope(scope)
    names, picked = _keys(scope)
    seed.store.query(
        f"INSERT INTO popscope.{scope}_1s (ts, {names}, boot, interval_ms, stream, seq, commit, "
        f"{', '.join(c.id for c in counters)}) "
        f"SELECT fromUnixTimestamp64Milli(toInt64(second) * 1000 + 250) AS ts, {picked}, "
        f"{_boot(seed)}, 1000, cityHash64(node), second, 1, "
        f"{', '.join(seed.amount(c) for c in counters)} "
        f"FROM (SELECT {seed.now - seconds} + number + 1 AS second FROM numbers({seconds})) AS s "
        f"CROSS JOIN {_series(seed, scope)} AS r",
        "Null",
    )


def _fill_absolute(seed: Seed, scope: str) -> None:
    counters = load().scope(scope)
    names, picked = _keys(scope)
    lived = f"(second - if(boot = 2, {seed.now - RESTART_AGE}, {seed.now - 10 * 86_400}))"
    values = [
        seed.amount(c)
        if c.kind == "gauge"
        else f"arrayMap(x -> x * {lived}, {seed.amount(c)})"
        if c.kind == "histogram"
        else f"{seed.amount(c)} * {lived}"
        for c in counters
    ]
    seed.store.query(
        f"INSERT INTO popscope.{scope}_abs (ts, {names}, boot, interval_ms, stream, seq, commit, "
        f"{', '.join(c.id for c in counters)}) "
        f"SELECT fromUnixTimestamp64Milli(toInt64(second) * 1000 + 250) AS ts, {picked}, "
        f"{_boot(seed)} AS boot, 1000, cityHash64(node), second, 1, {', '.join(values)} "
        f"FROM (SELECT {seed.now} - number * 60 AS second FROM numbers({MINUTES})) AS s "
        f"CROSS JOIN {_series(seed, scope)} AS r",
        "Null",
    )


def _fill_rollup(seed: Seed, scope: str, level: str, seconds: int, count: int) -> None:
    counters = load().scope(scope)
    names, picked = _keys(scope)
    columns: dict[str, str] = {}
    for c in counters:
        amount = seed.amount(c)
        if c.kind == "histogram":
            columns[c.id] = f"arrayMap(x -> x * {seconds}, {amount})"
        else:
            columns[c.id] = amount if c.kind == "gauge" else f"{amount} * {seconds}"
        if c.peak:
            columns[f"{c.id}_peak"] = amount
    seed.store.query(
        f"INSERT INTO popscope.{scope}_{level} (ts, {names}, boot, samples, version, "
        f"{', '.join(columns)}) SELECT toDateTime(second) AS ts, {picked}, {_boot(seed)}, "
        f"{seconds}, 1, {', '.join(columns.values())} "
        f"FROM (SELECT intDiv({seed.now}, {seconds}) * {seconds} - number * {seconds} AS second "
        f"FROM numbers({count})) AS s CROSS JOIN {_series(seed, scope)} AS r",
        "Null",
    )


def fill_state(seed: Seed, seconds: int) -> None:
    """Frames and instances, one a second, the last at `now`."""
    moments = f"(SELECT {seed.now - seconds} + number + 1 AS second FROM numbers({seconds})) AS s"
    ts = "fromUnixTimestamp64Milli(toInt64(second) * 1000 + 250)"
    start = f"if(boot = 2, {seed.now - RESTART_AGE}, {seed.now - 10 * 86_400})"
    names, picked = _keys("node")
    seed.store.query(
        f"INSERT INTO popscope.instances (ts, {names}, boot, state, age_ms, start, tsc_hz, final, "
        f"stream, seq, commit) SELECT {ts} AS ts, {picked}, {_boot(seed)} AS boot, 'live', 50, "
        f"fromUnixTimestamp64Milli(toInt64({start}) * 1000), 2000000000, 0, cityHash64(node), "
        f"second, 1 FROM {moments} CROSS JOIN {_series(seed, 'node')} AS r",
        "Null",
    )
    seed.store.query(
        "INSERT INTO popscope.frames (stream, seq, first, exporter, pop, node, ts, interval_ms, "
        "keyframe, rows, tables, table_rows, bytes, commit, stored_at) "
        "SELECT cityHash64(node), second, second, "
        f"concat(pop, '/', node), series.1 AS pop, series.2 AS node, {ts} AS ts, 1000, "
        f"second % 60 = 0, 10, ['lcore'], [2], 900, 1, ts + INTERVAL 1 SECOND FROM {moments} "
        f"CROSS JOIN {_series(seed, 'node')} AS r",
        "Null",
    )


def fill_fleet(seed: Seed) -> None:
    """The rollup of nodes, computed as the pipeline does from the rollups of lcores."""
    for level, seconds, count in (("1m", 60, MINUTES), ("1h", 3_600, HOURS)):
        last = seed.now // seconds * seconds
        windows = [last - i * seconds for i in range(count)]
        seed.store.query(rollup_fleet.insert(load(), level, windows, 1), "Null")
    for table in hours.TABLES:
        seed.store.query(hours.insert(load(), table, windows, 1), "Null")


# Kind, subject, state as it was for long, state since CHANGE_AGE (or "" for no change), reason.
HAPPENED = (
    ("health", "web/b1", "up", "", ""),
    ("health", "web/b2", "up", "down", "probe_timeout"),
    ("bgp", "192.0.2.1", "established", "", ""),
    ("route", "198.51.100.1/32", "advertised", "withdrawn", "no_backend"),
    ("drain", "web/b1", "none", "draining", "operator"),
    ("config", "8", "applied", "applied", "operator"),
    ("alert", "PopscopePacketsDropped", "ended", "firing", "drops"),
)


def fill_events(seed: Seed) -> None:
    """Every state is said again each half hour; some changed, on every node, CHANGE_AGE ago."""
    values = ", ".join(
        f"('{kind}', '{subject}', '{before}', '{after}', '{reason}')"
        for kind, subject, before, after, reason in HAPPENED
    )
    nodes = ", ".join(f"('{pop}', '{node}')" for pop, node in seed.nodes)
    changed = f"{seed.now - CHANGE_AGE}"
    again = f"arrayMap(i -> {seed.now} - i * 1800, range(80))"
    seed.store.query(
        "INSERT INTO popscope.events (ts, pop, node, kind, subject, state, reason, detail) SELECT "
        "fromUnixTimestamp64Milli(toInt64(second) * 1000) AS ts, n.1, n.2, e.1, e.2, "
        f"if(second < {changed} OR e.4 = '', e.3, e.4), if(second = {changed}, e.5, 'still'), "
        f"if(second = {changed}, concat(e.2, ' changed'), '') "
        f"FROM (SELECT arrayJoin([{values}]) AS e, arrayJoin([{nodes}]) AS n, "
        f"arrayJoin(if(e.4 = '', {again}, arrayPushBack({again}, {changed}))) AS second)",
        "Null",
    )
