-- The day that still runs is left out: until its busiest hour has come, it would make a PoP look
-- emptier than it is, and bend the line. `days_to_full` counts from today, not from the last whole
-- day; it is null while the PoP does not grow, or with less than 3 whole days.
CREATE OR REPLACE VIEW popscope.capacity_growth AS
SELECT
    d.pop AS pop,
    count() AS days,
    argMax(d.packets, d.day) AS busiest_hour_packets_per_second,
    simpleLinearRegression(toFloat64(toUInt32(d.day)), d.packets).1 AS packets_per_second_a_day,
    argMax(d.share, d.day) AS busy_share,
    simpleLinearRegression(toFloat64(toUInt32(d.day)), d.share).1 AS busy_share_a_day,
    if(
        days >= 3 AND busy_share_a_day > 0,
        greatest((1 - busy_share) / busy_share_a_day - dateDiff('day', max(d.day), today()), 0),
        NULL
    ) AS days_to_full
FROM (
    SELECT
        n.day AS day,
        n.pop AS pop,
        sum(n.busiest_hour_packets_per_second) AS packets,
        max(n.busy_share) AS share
    FROM popscope.capacity_days AS n
    WHERE n.day >= today() - 90 AND n.day < today()
    GROUP BY day, pop
) AS d
GROUP BY pop;
