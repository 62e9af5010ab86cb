"""What is left, how it shrinks, and what happens when a director leaves (capacity views, hours)."""

from __future__ import annotations

from dashboards.links import NODE_UID, POP_UID, narrowed
from dashboards.model import OK, Column, Heat, Lines, Panel, Stat, Table, Threshold
from dashboards.sql import condition

POP = condition("pop")
DAYS_LEFT = (Threshold(float("-inf"), "red"), Threshold(30, "orange"), Threshold(90, "green"))
LEFT = (Threshold(float("-inf"), "red"), Threshold(0.1, "orange"), Threshold(0.3, "green"))
BUSY = (OK, Threshold(0.7, "orange"), Threshold(0.9, "red"))
GROWTH, DAYS, HOURS = "capacity_growth", "capacity_days", "capacity_hours"


def full_soon() -> Panel:
    return Panel(
        id=700,
        title="PoPs full within 90 days",
        question="How many PoPs run out of cycles within a quarter, if they go on growing?",
        sql=f"""SELECT countIf(days_to_full < 90) AS pops FROM popscope.capacity_growth
WHERE {POP}
HAVING count() > 0""",
        draw=Stat((OK, Threshold(1, "orange"))),
        scope=GROWTH,
        width=8,
        height=4,
    )


def first_full() -> Panel:
    return Panel(
        id=701,
        title="Days until the first PoP is full",
        question="How much time is left to order?",
        sql=f"""SELECT min(days_to_full) AS days FROM popscope.capacity_growth
WHERE {POP}
HAVING days IS NOT NULL""",
        unit="d",
        draw=Stat(DAYS_LEFT),
        scope=GROWTH,
        width=8,
        height=4,
    )


def least_left() -> Panel:
    return Panel(
        id=702,
        title="Least headroom of a director",
        question="What was left of the busiest director, in its busiest hour of the last 7 days?",
        sql=f"""SELECT min(least(cycles_left, connections_left)) AS headroom
FROM popscope.capacity_headroom
WHERE {POP}
HAVING count() > 0""",
        unit="percentunit",
        draw=Stat(LEFT),
        scope=HOURS,
        width=8,
        height=4,
    )


def growth() -> Panel:
    return Panel(
        id=710,
        title="Growth and forecast of each PoP",
        question="Which PoP runs out of headroom when? By the busiest hour of each of the last "
        "90 days, in a straight line.",
        sql=f"""SELECT pop, days, busiest_hour_packets_per_second AS busiest_hour,
  packets_per_second_a_day * 30 AS more_a_month, busy_share AS busy,
  busy_share + busy_share_a_day * 30 AS busy_in_30_days,
  busy_share + busy_share_a_day * 90 AS busy_in_90_days, days_to_full
FROM popscope.capacity_growth
WHERE {POP}
ORDER BY days_to_full IS NULL, days_to_full, pop
LIMIT 1000""",
        draw=Table(
            columns={
                "pop": Column(link=narrowed(POP_UID, ["pop"])),
                "busiest_hour": Column("pps"),
                "more_a_month": Column("pps"),
                "busy": Column("percentunit", BUSY),
                "busy_in_30_days": Column("percentunit", BUSY),
                "busy_in_90_days": Column("percentunit", BUSY),
                "days_to_full": Column("d", DAYS_LEFT),
            }
        ),
        scope=GROWTH,
        width=24,
        height=10,
    )


def headroom() -> Panel:
    return Panel(
        id=711,
        title="Headroom of the 50 fullest directors",
        question="Which director has least left, of what, and when was that (last 7 days)?",
        sql=f"""SELECT pop, node, cycles_left, connections_left, busiest_hour
FROM popscope.capacity_headroom
WHERE {POP}
ORDER BY least(cycles_left, connections_left), pop, node
LIMIT 50""",
        draw=Table(
            columns={
                "node": Column(link=narrowed(NODE_UID, ["pop", "node"])),
                "cycles_left": Column("percentunit", LEFT),
                "connections_left": Column("percentunit", LEFT),
            }
        ),
        scope=HOURS,
    )


def without_one() -> Panel:
    return Panel(
        id=712,
        title="If a director leaves",
        question="Would the others of its PoP carry the busiest hour of the last 7 days? Share: of "
        "what they can take; above 100 % they would not.",
        sql=f"""SELECT pop, lost, busiest_hour_packets_per_second AS busiest_hour_had,
  capacity_left, share, busiest_hour
FROM popscope.capacity_loss_of_node
WHERE {POP}
ORDER BY share IS NULL DESC, share DESC, pop, lost
LIMIT 500""",
        draw=Table(
            columns={
                "pop": Column(link=narrowed(POP_UID, ["pop"])),
                "busiest_hour_had": Column("pps"),
                "capacity_left": Column("pps"),
                "share": Column("percentunit", BUSY),
            }
        ),
        scope="capacity_loss_of_node",
    )


def without_pop() -> Panel:
    return Panel(
        id=713,
        title="If a PoP leaves",
        question="Would the other PoPs of its metro carry what the metro has, at the worst hour of "
        "the day of the last 7 days?",
        sql=f"""SELECT lost AS pop, metro, max(share) AS worst_share,
  argMax(hour, share) AS worst_hour, argMax(packets_per_second, share) AS metro_has,
  any(capacity_left) AS others_can
FROM popscope.capacity_loss_of_pop AS l
WHERE {POP.replace("(pop ", "(lost ")}
GROUP BY pop, metro
ORDER BY worst_share IS NULL DESC, worst_share DESC, pop
LIMIT 500""",
        draw=Table(
            columns={
                "pop": Column(link=narrowed(POP_UID, ["pop"])),
                "worst_share": Column("percentunit", BUSY),
                "metro_has": Column("pps"),
                "others_can": Column("pps"),
            }
        ),
        scope="capacity_loss_of_pop",
    )


def forecast() -> Panel:
    return Panel(
        id=714,
        title="Forecast by resource",
        question="Of what does a PoP run out first: cycles, connections, packets, bits? "
        "Earliest and latest are two standard errors away.",
        sql=f"""SELECT pop, resource, share, share_a_day * 30 AS more_a_month, days_to_80,
  days_to_full, days_to_full_earliest, days_to_full_latest
FROM popscope.capacity_forecast
WHERE {POP}
ORDER BY days_to_full IS NULL, days_to_full, share DESC, pop, resource
LIMIT 1000""",
        draw=Table(
            columns={
                "pop": Column(link=narrowed(POP_UID, ["pop"])),
                "share": Column("percentunit", BUSY),
                "more_a_month": Column("percentunit"),
                "days_to_80": Column("d", DAYS_LEFT),
                "days_to_full": Column("d", DAYS_LEFT),
                "days_to_full_earliest": Column("d"),
                "days_to_full_latest": Column("d"),
            }
        ),
        scope="capacity_forecast",
        width=24,
    )


def vip_growth() -> Panel:
    return Panel(
        id=723,
        title="VIPs that grow most",
        question="Whose traffic grew most: the last 28 whole days against the 28 before, all PoPs?",
        sql="""SELECT vip, address, port, protocol, packets_per_second AS packets,
  packets_per_second_before AS packets_before, grown_by, growth
FROM popscope.capacity_vip_growth
ORDER BY grown_by DESC, vip, address, port, protocol
LIMIT 50""",
        draw=Table(
            columns={
                "packets": Column("pps"),
                "packets_before": Column("pps"),
                "grown_by": Column("pps"),
                "growth": Column("percentunit"),
            }
        ),
        scope="capacity_vip_growth",
        width=24,
    )


def ecmp() -> Panel:
    return Panel(
        id=724,
        title="ECMP skew by the hour",
        question="Does a PoP's router divide packets unevenly, and since when? 0 is even.",
        sql=f"""SELECT ts AS time, pop AS series, skew
FROM popscope.ecmp_imbalance
WHERE $__timeFilter(ts) AND {POP}
ORDER BY time, series""",
        unit="percentunit",
        draw=Heat(),
        scope=HOURS,
        width=24,
    )


def busiest_hours() -> Panel:
    return Panel(
        id=720,
        title="Busiest hour of each day",
        question="How did the peak grow?",
        sql=f"""SELECT toDateTime(day, 'UTC') AS time, pop AS series,
  sum(busiest_hour_packets_per_second) AS value
FROM popscope.capacity_days
WHERE $__dateFilter(day) AND {POP}
GROUP BY time, series
ORDER BY time, series""",
        unit="pps",
        draw=Lines(),
        scope=DAYS,
    )


def busy_days() -> Panel:
    return Panel(
        id=721,
        title="Busiest director of each PoP by day",
        question="How near to full was each PoP's fullest director, day by day?",
        sql=f"""SELECT toDateTime(day, 'UTC') AS time, pop AS series, max(busy_share) AS value
FROM popscope.capacity_days
WHERE $__dateFilter(day) AND {POP}
GROUP BY time, series
ORDER BY time, series""",
        unit="percentunit",
        draw=Lines(maximum=1),
        scope=DAYS,
    )


def hour_of_day() -> Panel:
    return Panel(
        id=722,
        title="Traffic by hour of day",
        question="When is the peak, and does it move? A row an hour (UTC), a column a day.",
        sql=f"""SELECT toDateTime(toDate(hour), 'UTC') AS time,
  leftPad(toString(toHour(hour)), 2, '0') AS series, sum(packets) AS value
FROM (SELECT ts AS hour, rx_packets_per_second AS packets FROM popscope.capacity_hours
WHERE $__timeFilter(ts) AND {POP})
GROUP BY time, series
ORDER BY time, series""",
        unit="pps",
        draw=Heat(),
        scope=HOURS,
        width=24,
    )
