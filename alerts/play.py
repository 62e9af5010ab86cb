"""Plays scenarios to the SQL rules, on an embedded store, as Grafana would evaluate them.

One store and one set of rows for all: each scenario has its PoPs to itself (a suffix that nobody
sees outside), so that a rule is asked once an instant for all of its scenarios, and every other
scenario's data is there to disturb it.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alerts.model import Alert
from alerts.scenarios import Expected, Instant, Scenario
from alerts.seed import MARK, seed
from alerts.template import rendered
from dashboards.errors import DashboardError
from dashboards.frames import Kind, check_alert, kind
from dashboards.macros import TimeRange, expand
from pipeline.errors import StoreError
from pipeline.migrate import migrate
from pipeline.sql.filter import check
from pipeline.sql.words import Words
from pipeline.sql.words import load as load_words
from pipeline.store import QueryLimits, ReadOnly, Store
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore

_HOUR = 3_600
# How far a value may be from the expected one.
_NEAR = 1e-3
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario did; `problem` is empty when it ended as it should."""

    alert: str
    scenario: str
    problem: str


@dataclass(slots=True)
class _Standing:
    """An alert that waits or fires. Times in seconds of the scenario."""

    since: int
    value: float
    fires: bool = False
    lost: int | None = None


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


def beginning() -> int:
    """Second 0 of all scenarios: the start of an hour, some hours ago."""
    return (int(time.time()) // _HOUR - 8) * _HOUR


@dataclass(frozen=True, slots=True)
class Stage:
    """A store with the rows of numbered scenarios. `zero`: their second 0, Unix seconds."""

    session: ReadOnly
    words: Words
    numbered: tuple[tuple[int, Scenario], ...]
    zero: int

    def judge(self, alert: Alert) -> list[Outcome]:
        """What the alert's scenarios do to it, or to a changed version of it."""
        members = [(n, s) for n, s in self.numbered if s.alert.name == alert.name]
        try:
            span = TimeRange((self.zero - alert.lookback) * 1_000, self.zero * 1_000)
            check(self.session, self.words, expand(alert.sql, span))
            return self._played(alert, members)
        except (StoreError, DashboardError) as error:
            text = f"Grafana would show an error: {error}"
            return [Outcome(alert.name, s.name, text) for _, s in members]

    def _played(self, alert: Alert, members: Sequence[tuple[int, Scenario]]) -> list[Outcome]:
        standing: dict[Labels, _Standing] = {}
        problems: dict[int, list[str]] = {n: [] for n, _ in members}
        for second in _moments(alert, [s for _, s in members]):
            found = firing(self.session, alert, self.zero + second)
            step(alert, standing, found, second)
            for number, scenario in members:
                for instant in scenario.instants:
                    if second <= instant.at < second + alert.every:
                        problems[number] += _differences(alert, standing, number, instant)
        return [Outcome(alert.name, s.name, "; ".join(problems[n])) for n, s in members]


def _moments(alert: Alert, scenarios: Sequence[Scenario]) -> list[int]:
    """Seconds at which Grafana evaluates the rule, as far as they matter to an expected instant."""
    back = alert.wait + alert.keep_firing + 2 * alert.every
    instants = {i.at for s in scenarios for i in s.instants}
    return [
        t
        for t in range(0, max(instants, default=0) + 1, alert.every)
        if any(at - back <= t <= at for at in instants)
    ]


@contextmanager
def stage(store: Store, scenarios: Sequence[Scenario]) -> Iterator[Stage]:
    """Write the rows of the scenarios into a store that holds nothing but the schema.

    Raises ScenarioError for rows of tables or columns that do not exist.
    """
    numbered = tuple((n, s) for n, s in enumerate(scenarios) if s.rows)
    zero = beginning()
    seed(store, numbered, zero)
    with store.read_only(QueryLimits()) as session:
        yield Stage(session, load_words(store), numbered, zero)


def play(store: Store, scenarios: Sequence[Scenario]) -> list[Outcome]:
    """Every scenario with rows, by alert. As `stage`."""
    with stage(store, scenarios) as found:
        alerts = {s.alert.name: s.alert for _, s in found.numbered}
        return [outcome for alert in alerts.values() for outcome in found.judge(alert)]


def firing(session: ReadOnly, alert: Alert, now: int) -> dict[Labels, float]:
    """Labels and values above the threshold at `now` (Unix seconds), as Grafana evaluates it.

    Raises FrameError when Grafana could not evaluate the result, QueryError from the store.
    """
    sql = expand(alert.sql, TimeRange((now - alert.lookback) * 1_000, now * 1_000))
    answer = json.loads(session.query(sql, "JSONCompact"))
    names = [c["name"] for c in answer["meta"]]
    kinds = [kind(c["type"]) for c in answer["meta"]]
    check_alert(names, kinds, len(answer["data"]))
    found: dict[Labels, float] = {}
    for row in answer["data"]:
        value = row[kinds.index(Kind.NUMBER)]
        labels = {n: v for n, v, k in zip(names, row, kinds, strict=True) if k is Kind.STRING}
        if value is not None and float(value) > alert.threshold:
            found[tuple(sorted(labels.items()))] = float(value)
    return found


def step(
    alert: Alert, standing: dict[Labels, _Standing], found: Mapping[Labels, float], now: int
) -> None:
    """One evaluation: what begins to wait, goes on, or ends. `now` in seconds."""
    for labels, value in found.items():
        known = standing.setdefault(labels, _Standing(now, value))
        known.value, known.lost = value, None
        known.fires = known.fires or now - known.since >= alert.wait
    for labels, known in list(standing.items()):
        if labels in found:
            continue
        known.lost = now if known.lost is None else known.lost
        if not known.fires or now - known.lost >= alert.keep_firing:
            del standing[labels]


def _differences(
    alert: Alert, standing: Mapping[Labels, _Standing], number: int, instant: Instant
) -> Iterator[str]:
    mine = {_shown(k): s for k, s in standing.items() if _owner(k) in (number, None)}
    for title, wanted, fires in (
        ("fires", instant.fires, True),
        ("pending", instant.pending, False),
    ):
        there = {k: s for k, s in mine.items() if s.fires is fires}
        expected = {tuple(sorted(e.labels.items())): e for e in wanted}
        for labels in there.keys() - expected.keys():
            yield f"at {instant.at} s {title} {dict(labels)} and should not"
        for labels, one in expected.items():
            if labels not in there:
                yield f"at {instant.at} s {title} nothing with {dict(labels)}"
            else:
                yield from (
                    f"at {instant.at} s {p}" for p in _texts(alert, one, there[labels].value)
                )


def _texts(alert: Alert, expected: Expected, value: float) -> Iterator[str]:
    if expected.value is not None and abs(value - expected.value) > _NEAR * max(1, abs(value)):
        yield f"the value is {value}, not {expected.value}"
    summary = rendered(alert.summary, expected.labels, value)
    if expected.says and summary != expected.says:
        yield f"it says {summary!r}, not {expected.says!r}"


def _owner(labels: Labels) -> int | None:
    """The scenario that a PoP belongs to; None for a rule without PoPs, which belongs to all."""
    pop = dict(labels).get("pop", "")
    match = re.search(rf"{MARK}(\d+)$", pop)
    return int(match[1]) if match else None


def _shown(labels: Labels) -> Labels:
    return tuple((k, re.sub(rf"{MARK}\d+$", "", v)) for k, v in labels)
