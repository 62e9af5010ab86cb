"""Runs the SQL of the Grafana rules on an embedded store: data that fires, data that must not."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alerts.errors import ScenarioError
from alerts.model import Alert, Scenario
from dashboards.errors import DashboardError
from dashboards.frames import Kind, check_alert, kind
from dashboards.macros import TimeRange, expand
from lb.catalogue import load as load_catalogue
from pipeline.errors import StoreError
from pipeline.migrate import migrate
from pipeline.sql.filter import check
from pipeline.sql.words import load as load_words
from pipeline.store import QueryLimits, Store
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore

TABLES = ("lcore_1s", "lcore_abs", "instances", "frames", "node_1h")
WHERE = {"pop": "ams", "node": "ams-d1", "instance": "core0", "lcore": "1"}
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario did; `problem` is empty when it ended as it should."""

    alert: str
    scenario: str
    fired: tuple[Mapping[str, str], ...]
    problem: str = ""


@contextmanager
def scratch_store() -> Iterator[EmbeddedStore]:
    """A store with the schema, in a temporary folder. One store at a time fits in a process."""
    with tempfile.TemporaryDirectory(prefix="popscope-alerts-") as folder:
        store = EmbeddedStore(EmbeddedOptions(Path(folder), durable=False))
        try:
            migrate(store)
            yield store
        finally:
            store.close()


def run_all(alerts: tuple[Alert, ...]) -> list[Outcome]:
    """Every scenario of every alert, each on a store with nothing but its data."""
    with scratch_store() as store:
        return [run(store, alert, s) for alert in alerts for s in alert.scenarios]


def run(store: Store, alert: Alert, scenario: Scenario) -> Outcome:
    """One scenario. Raises StoreError when its data cannot be written."""
    now = int(time.time())
    seed(store, scenario, now)
    try:
        fired = firing(store, alert, now)
    except (StoreError, DashboardError) as error:
        return Outcome(alert.name, scenario.name, (), f"Grafana would show an error: {error}")
    wanted = [
        {k: v for k, v in (WHERE | dict(f)).items() if k in alert.labels} for f in scenario.fires
    ]
    same = sorted(map(_sorted, fired)) == sorted(map(_sorted, wanted))
    problem = "" if same else f"fired {fired}, should have fired {wanted}"
    return Outcome(alert.name, scenario.name, tuple(fired), problem)


def _sorted(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(labels.items())


def firing(store: Store, alert: Alert, now: int) -> list[dict[str, str]]:
    """The label sets for which the rule fires at `now` (Unix seconds), as Grafana evaluates it.

    Raises FrameError when Grafana could not evaluate the result, QueryError from the store.
    """
    sql = expand(alert.sql, TimeRange((now - alert.lookback) * 1_000, now * 1_000))
    with store.read_only(QueryLimits()) as session:
        allowed = check(session, load_words(store), sql)
        answer = json.loads(session.query(allowed.sql, "JSONCompact"))
    names = [c["name"] for c in answer["meta"]]
    kinds = [kind(c["type"]) for c in answer["meta"]]
    check_alert(names, kinds, len(answer["data"]))
    return [
        {n: str(v) for n, v, k in zip(names, row, kinds, strict=True) if k is Kind.STRING}
        for row in answer["data"]
        if _number(row, kinds) > alert.threshold
    ]


def _number(row: list[object], kinds: list[Kind]) -> float:
    return float(str(row[kinds.index(Kind.NUMBER)]))


def seed(store: Store, scenario: Scenario, now: int) -> None:
    """The scenario's data and nothing else: two minutes of one lcore, its hour if it ended."""
    for table in TABLES:
        store.query(f"TRUNCATE TABLE popscope.{table}", "Null")
    newest = now - scenario.newest_age
    moments = f"(SELECT {newest - _SECONDS} + number + 1 AS second FROM numbers({_SECONDS}))"
    ts = "fromUnixTimestamp64Milli(toInt64(second) * 1000)"
    place = f"'{WHERE['pop']}', '{WHERE['node']}', '{WHERE['instance']}'"
    store.query(
        "INSERT INTO popscope.instances (ts, pop, node, instance, boot, state, stream, seq, "
        f"commit) SELECT {ts}, {place}, 1, 'live', 1, second, 1 FROM {moments}",
        "Null",
    )
    store.query(
        "INSERT INTO popscope.frames (stream, seq, exporter, pop, node, ts, stored_at) "
        f"SELECT 1, second, 'ams/ams-d1', '{WHERE['pop']}', '{WHERE['node']}', {ts} AS ts, "
        f"ts + INTERVAL {scenario.newest_age - scenario.stored_age} SECOND FROM {moments}",
        "Null",
    )
    store.query(
        "INSERT INTO popscope.node_1h (ts, pop, node, instance, boot, samples) SELECT "
        f"toStartOfHour(toDateTime({newest}, 'UTC')) AS ts, {place}, 1, {_SECONDS} "
        f"WHERE toUnixTimestamp(ts) + 3600 <= {now}",
        "Null",
    )
    for table, values in (("lcore_1s", scenario.increments), ("lcore_abs", scenario.absolute)):
        columns = _columns(values)
        store.query(
            f"INSERT INTO popscope.{table} (ts, pop, node, instance, lcore, boot, interval_ms, "
            f"stream, seq, commit{''.join(f', {c}' for c in columns)}) SELECT {ts}, {place}, "
            f"'{WHERE['lcore']}', 1, 1000, 1, second, 1"
            f"{''.join(f', {v}' for v in columns.values())} FROM {moments}",
            "Null",
        )


def _columns(values: Mapping[str, int]) -> Mapping[str, int]:
    known = {c.id for c in load_catalogue().scope("lcore")}
    if strange := values.keys() - known:
        raise ScenarioError(f"no counters of an lcore: {', '.join(sorted(strange))}")
    return values
