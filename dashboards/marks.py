"""Marks on every chart: what happened beside what is counted."""

from __future__ import annotations

from dashboards.model import Annotation
from dashboards.sql import IN_RANGE, condition, rows

_NARROWED = " AND ".join(map(condition, ("pop", "node")))


def restarts() -> Annotation:
    """The boot id of a core changed: one mark at the first row of the new boot."""
    return Annotation(
        "Restarts",
        "red",
        f"""SELECT time, concat(node, ' ', instance, ' restarted, boot ', lower(hex(boot))) AS text,
  'restart' AS tags
FROM (SELECT pop, node, instance, boot, toDateTime(min(t)) AS time,
  min(time) OVER (PARTITION BY pop, node, instance) AS earliest
FROM {rows("node", ["boot"])}
GROUP BY pop, node, instance, boot)
WHERE time > earliest
ORDER BY time""",
    )


def config_changes() -> Annotation:
    """The generation in force differs from the one of the row before."""
    return Annotation(
        "Configuration changes",
        "blue",
        f"""SELECT time, concat(node, ' ', instance, ' uses configuration ',
  toString(generation)) AS text, 'config' AS tags
FROM (SELECT time, pop, node, instance, generation, lagInFrame(generation, 1, generation)
  OVER (PARTITION BY pop, node, instance ORDER BY time
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
FROM (SELECT time, pop, node, instance, max(config_generation) AS generation
FROM {rows("node", ["config_generation"])}
GROUP BY time, pop, node, instance))
WHERE generation != before
ORDER BY time""",
    )


def _events(name: str, colour: str, kinds: tuple[str, ...]) -> Annotation:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return Annotation(
        name,
        colour,
        f"""SELECT DISTINCT ts AS time, concat(node, ': ', kind, ' ', subject, ' ', state,
  if(detail = '', concat(' (', reason, ')'), concat(' (', detail, ')'))) AS text, kind AS tags
FROM popscope.events
WHERE {IN_RANGE} AND reason != 'still' AND kind IN ({listed})
  AND {_NARROWED}
ORDER BY time
LIMIT 1000""",
        scope="events",
    )


def health() -> Annotation:
    """Backends and cores that went up or down."""
    return _events("Health", "orange", ("health", "core"))


def routing() -> Annotation:
    """BGP sessions, and routes of VIPs."""
    return _events("Routing", "purple", ("bgp", "route"))


def operations() -> Annotation:
    """Drains, and configurations that were applied or rejected."""
    return _events("Drains and configurations", "blue", ("drain", "config"))


def alerts() -> Annotation:
    """Alerts that fired or ended."""
    return _events("Alerts", "red", ("alert",))


def of_events() -> tuple[Annotation, ...]:
    """Those that cost no counters to read."""
    return (health(), routing(), operations(), alerts())
