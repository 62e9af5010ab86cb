"""Is the data there, is it complete, is every packet accounted for."""

from __future__ import annotations

from dashboards.links import NODE_UID, narrowed
from dashboards.model import ANY_IS_BAD, OK, Column, Lines, Panel, Stat, Table, Threshold
from dashboards.sql import ABSOLUTE_DAYS, END, IN_RANGE, NODE_KEYS, ids, total, where

# The last 3 hours of the range: one row a second and instance.
RECENT = f"{IN_RANGE} AND ts > $__toTime_ms - INTERVAL 3 HOUR\n  AND {where('node')}"
AGE = f"dateDiff('millisecond', max(ts), toDateTime64({END}, 3)) / 1000"
# A stat of nothing says so: the aggregate of no rows would be a reassuring 0.
SOME = "HAVING count() > 0"
FRESHNESS = (OK, Threshold(5, "orange"), Threshold(30, "red"))
EXACTLY_ZERO = (Threshold(float("-inf"), "red"), Threshold(0, "green"), Threshold(1, "red"))
# Terms of the ledger law, as sums of columns of one row.
TERMS = {term: total(ids(term)) for term in ("rx", "originated", "tx", "drop", "consumed", "held")}
ABSOLUTE = (
    f"FROM popscope.lcore_abs\nWHERE {IN_RANGE} "
    f"AND ts > $__toTime_ms - INTERVAL {ABSOLUTE_DAYS} DAY\n  AND {where('lcore')}"
)
RESIDUAL = (
    f"toInt64({TERMS['rx']} + {TERMS['originated']})\n  - toInt64({TERMS['tx']} + {TERMS['drop']} "
    f"+ {TERMS['consumed']} + {TERMS['held']})"
)


def instances() -> Panel:
    return Panel(
        id=1,
        title="Directors",
        question="Which directors are there, are their cores alive, and how old is what we know?",
        sql=f"""SELECT pop, node, instance, argMax(state, ts) AS state, {AGE} AS data_age,
  argMax(age_ms, ts) / 1000 AS heartbeat_age, max(ts) AS watermark, argMax(start, ts) AS started,
  lower(hex(argMax(boot, ts))) AS boot_id, uniqExact(boot) - 1 AS restarts
FROM popscope.instances
WHERE {RECENT}
GROUP BY pop, node, instance
ORDER BY pop, node, instance""",
        draw=Table(
            columns={
                "node": Column(link=narrowed(NODE_UID, NODE_KEYS)),
                "data_age": Column("s", FRESHNESS),
                "heartbeat_age": Column("s", FRESHNESS),
                "restarts": Column("short", (OK, Threshold(1, "orange"))),
            }
        ),
        scope="instances",
        width=24,
        height=6,
    )


def oldest_data() -> Panel:
    return Panel(
        id=2,
        title="Oldest data",
        question="How far behind is the director that is furthest behind, at the end of the range?",
        sql=f"""SELECT max(age) AS age FROM (
  SELECT {AGE} AS age FROM popscope.instances
  WHERE {RECENT}
  GROUP BY pop, node, instance
)
{SOME}""",
        unit="s",
        draw=Stat(FRESHNESS),
        scope="instances",
        width=5,
        height=4,
    )


def watermark() -> Panel:
    return Panel(
        id=3,
        title="Watermark",
        question="Up to which instant do all directors' data exist? SQL alerts are judged there.",
        sql=f"""SELECT toUnixTimestamp64Milli(min(latest)) AS watermark FROM (
  SELECT max(ts) AS latest FROM popscope.instances
  WHERE {RECENT}
  GROUP BY pop, node, instance
)
{SOME}""",
        unit="dateTimeAsIso",
        draw=Stat(),
        scope="instances",
        width=5,
        height=4,
    )


def not_live() -> Panel:
    return Panel(
        id=4,
        title="Cores not live",
        question="How many cores are dead or stopped, by their latest state?",
        sql=f"""SELECT countIf(state != 'live') AS not_live FROM (
  SELECT argMax(state, ts) AS state FROM popscope.instances
  WHERE {RECENT}
  GROUP BY pop, node, instance
)
{SOME}""",
        draw=Stat(ANY_IS_BAD),
        scope="instances",
        width=4,
        height=4,
    )


def frames_missing() -> Panel:
    return Panel(
        id=5,
        title="Frames missing (last 3 h)",
        question="How many frames are not stored, though later ones of the same spool are?",
        sql=f"""SELECT sum(missing) AS missing FROM (
  SELECT toInt64(max(seq) - min(seq) + 1) - toInt64(uniqExact(seq)) AS missing
  FROM popscope.instances
  WHERE {RECENT}
  GROUP BY stream
)
{SOME}""",
        draw=Stat(ANY_IS_BAD),
        scope="instances",
        width=5,
        height=4,
    )


def residual() -> Panel:
    return Panel(
        id=6,
        title="Ledger residual",
        question="Is there a packet whose fate no lcore can tell? Anything but 0 is a fault.",
        sql=f"""SELECT max(abs(residual)) AS residual FROM (
  SELECT {RESIDUAL} AS residual
  {ABSOLUTE}
)
{SOME}""",
        draw=Stat(ANY_IS_BAD),
        width=5,
        height=4,
    )


def _change(term: str) -> str:
    return f"toInt64(argMax({TERMS[term]}, ts)) - toInt64(argMin({TERMS[term]}, ts)) AS {term}"


def balance() -> Panel:
    changes = ",\n    ".join(_change(term) for term in TERMS)
    sums = ", ".join(f"sum({term}) AS {name}" for term, name in BALANCE_NAMES.items())
    return Panel(
        id=7,
        title=f"Balance of packets (at most the last {ABSOLUTE_DAYS} days)",
        question="What became of each lcore's packets between the first and the last absolute "
        "reading in the range? received + originated = sent + dropped + consumed + held.",
        sql=f"""SELECT pop, node, instance, lcore, {sums},
  sum(rx + originated - tx - drop - consumed - held) AS residual
FROM (
  SELECT pop, node, instance, lcore, boot,
    {changes}
  {ABSOLUTE}
  GROUP BY pop, node, instance, lcore, boot
)
GROUP BY pop, node, instance, lcore
ORDER BY pop, node, instance, length(lcore), lcore""",
        draw=Table(columns={"residual": Column("short", EXACTLY_ZERO)}),
        width=24,
    )


BALANCE_NAMES = {
    "rx": "received",
    "originated": "made_here",
    "tx": "sent",
    "drop": "dropped",
    "consumed": "consumed_here",
    "held": "held_more",
}


def residuals() -> Panel:
    return Panel(
        id=8,
        title=f"Residual by lcore (at most the last {ABSOLUTE_DAYS} days)",
        question="If packets are unaccounted for: since when, on which lcore, and does it grow?",
        sql=f"""SELECT toDateTime(ts) AS time,
  concat(node, ' ', instance, ' lcore ', lcore) AS series,
  {RESIDUAL} AS value
{ABSOLUTE}
ORDER BY time, series""",
        draw=Lines(minimum=None),
        width=24,
        height=6,
    )
