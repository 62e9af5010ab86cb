"""What the control plane decided and saw (`events`): health, BGP, routes, drains."""

from __future__ import annotations

from dashboards.links import NODE_UID, narrowed
from dashboards.model import ANY_IS_BAD, OK, Column, Lines, Panel, Stat, Table, Threshold
from dashboards.sql import IN_RANGE, condition, gauges
from lb._counters import Node
from pipeline.live.sql import GOOD_STATES

NARROWED = " AND ".join(map(condition, ("pop", "node")))
# Whoever writes says a state again within an hour: two hours hold the state of all that exists.
LATEST = f"""SELECT kind, pop, node, subject, argMax(state, ts) AS now,
  argMaxIf(reason, ts, reason != 'still') AS why, argMaxIf(detail, ts, reason != 'still') AS told,
  maxIf(ts, reason != 'still') AS changed, countIf(reason != 'still') AS changes
FROM popscope.events
WHERE {IN_RANGE} AND ts > $__toTime_ms - INTERVAL 2 HOUR
  AND {NARROWED}
GROUP BY kind, pop, node, subject"""
SCOPE = "events"


def _not_good(kind: str) -> str:
    good = ", ".join(f"'{state}'" for state in GOOD_STATES[kind])
    return f"""SELECT countIf(now NOT IN ({good})) AS wrong FROM (
{LATEST}
)
WHERE kind = '{kind}'
HAVING count() > 0"""


def _stat(number: int, kind: str, title: str, question: str) -> Panel:
    return Panel(
        id=number,
        title=title,
        question=question,
        sql=_not_good(kind),
        draw=Stat(ANY_IS_BAD),
        scope=SCOPE,
        width=6,
        height=4,
    )


def unhealthy() -> Panel:
    return _stat(
        800, "health", "Backends not up", "How many backends are not healthy, as a node sees them?"
    )


def sessions_down() -> Panel:
    return _stat(801, "bgp", "BGP sessions down", "How many BGP sessions are not established?")


def not_advertised() -> Panel:
    return _stat(
        802, "route", "VIPs not advertised", "How many routes of VIPs are withdrawn, on all nodes?"
    )


def drained() -> Panel:
    return Panel(
        id=803,
        title="Draining",
        question="What is being drained, on purpose?",
        sql=f"""SELECT countIf(kind = 'drain' AND now = 'draining') AS draining FROM (
{LATEST}
)
HAVING count() > 0""",
        draw=Stat((OK, Threshold(1, "orange"))),
        scope=SCOPE,
        width=6,
        height=4,
    )


def not_right() -> Panel:
    good = ", ".join(f"('{k}', '{state}')" for k, states in GOOD_STATES.items() for state in states)
    kinds = ", ".join(f"'{kind}'" for kind in GOOD_STATES)
    return Panel(
        id=810,
        title="What is not as it should be",
        question="Which backend, core, session or route is down, since when, and why?",
        sql=f"""SELECT kind, pop, node, subject, now AS state, changed AS since, why AS reason,
  told AS detail, changes
FROM (
{LATEST}
)
WHERE kind IN ({kinds}) AND (kind, now) NOT IN ({good})
  OR kind = 'drain' AND now = 'draining' OR kind = 'config' AND now = 'rejected'
ORDER BY since DESC, kind, pop, node, subject
LIMIT 500""",
        draw=Table(columns={"node": Column(link=narrowed(NODE_UID, ["pop", "node"]))}),
        scope=SCOPE,
        width=24,
    )


def pools() -> Panel:
    return Panel(
        id=811,
        title="Health of pools",
        question="Which pool has no healthy backend left on a node, or few?",
        sql=f"""SELECT pop, node, splitByChar('/', subject)[1] AS pool, count() AS backends,
  countIf(now = 'up') AS healthy, healthy / backends AS share, sum(changes) AS transitions
FROM (
{LATEST}
)
WHERE kind = 'health'
GROUP BY pop, node, pool
ORDER BY share, transitions DESC, pop, node, pool
LIMIT 500""",
        draw=Table(
            columns={
                "share": Column(
                    "percentunit",
                    (
                        Threshold(float("-inf"), "red"),
                        Threshold(0.5, "orange"),
                        Threshold(0.95, "green"),
                    ),
                )
            }
        ),
        scope=SCOPE,
    )


def routes() -> Panel:
    return Panel(
        id=812,
        title="Routes of VIPs",
        question="From how many directors is each VIP announced?",
        sql=f"""SELECT pop, subject AS prefix, count() AS directors,
  countIf(now = 'advertised') AS announcing, sum(changes) AS transitions
FROM (
{LATEST}
)
WHERE kind = 'route'
GROUP BY pop, prefix
ORDER BY announcing, pop, prefix
LIMIT 500""",
        draw=Table(
            columns={
                "announcing": Column(
                    "short", (Threshold(float("-inf"), "red"), Threshold(1, "green"))
                )
            }
        ),
        scope=SCOPE,
    )


def transitions() -> Panel:
    return Panel(
        id=820,
        title="Changes by kind",
        question="When did much change at once, and of which kind?",
        sql=f"""SELECT toDateTime(intDiv(toUnixTimestamp(ts), size) * size) AS time, kind AS series,
  count() AS value
FROM (SELECT ts, kind, greatest($__interval_s, 10) AS size
FROM popscope.events
WHERE {IN_RANGE} AND reason != 'still'
  AND {NARROWED})
GROUP BY time, series
ORDER BY time, series""",
        draw=Lines(stacked=True),
        scope=SCOPE,
    )


def flapping() -> Panel:
    return Panel(
        id=821,
        title="What changes most often",
        question="Does something flap: a backend, a session, a route?",
        sql=f"""SELECT kind, pop, node, subject, count() AS changes,
  argMax(state, ts) AS latest_state, argMax(reason, ts) AS latest_reason, max(ts) AS latest
FROM popscope.events
WHERE {IN_RANGE} AND reason != 'still'
  AND {NARROWED}
GROUP BY kind, pop, node, subject
ORDER BY changes DESC, latest DESC, kind, pop, node, subject
LIMIT 50""",
        draw=Table(columns={"changes": Column("short", (OK, Threshold(5, "orange")))}),
        scope=SCOPE,
    )


def log() -> Panel:
    return Panel(
        id=822,
        title="Events",
        question="What happened, in order, and why? The newest 500.",
        sql=f"""SELECT ts AS at, kind, pop, node, subject, state, reason, detail
FROM popscope.events
WHERE {IN_RANGE} AND reason != 'still'
  AND {NARROWED}
ORDER BY ts DESC, kind, pop, node, subject
LIMIT 500""",
        draw=Table(),
        scope=SCOPE,
        width=24,
        height=10,
    )


def generations() -> Panel:
    return Panel(
        id=823,
        title="Configuration of each director",
        question="Do all directors of the PoP have the same configuration, and since when?",
        sql=gauges(
            "node",
            {"value": "{config_generation}"},
            [Node.CONFIG_GENERATION],
            {"series": "concat(node, ' ', instance)"},
        ),
        scope="node",
        draw=Lines(minimum=None),
    )
