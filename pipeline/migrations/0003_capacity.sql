-- Capacity planning: views over the hourly rollups.

-- One row an hour and node. `rx_packets_per_second` is the mean of the hour; `rx_packets_peak` the
-- sum of the lcores' largest seconds, which is what the node had to take if they fell together;
-- shares are from 0 to 1: of cycles that were busy, of connections that fit.
CREATE OR REPLACE VIEW popscope.capacity_hours AS
SELECT
    h.ts AS ts,
    h.pop AS pop,
    h.node AS node,
    sum(h.rx_packets) AS rx_packets,
    sum(h.rx_bytes) AS rx_bytes,
    sum(h.rx_packets) / 3600 AS rx_packets_per_second,
    sum(h.rx_packets_peak) AS rx_packets_peak,
    max(h.rx_packets_peak) AS busiest_lcore_peak,
    sum(h.busy_cycles) / greatest(sum(h.busy_cycles) + sum(h.idle_cycles), 1) AS busy_share,
    sum(h.active_connections) / greatest(sum(h.max_connections), 1) AS connection_share
FROM popscope.lcore_1h AS h FINAL
GROUP BY ts, pop, node;

-- One row a day and node: its busiest hour.
CREATE OR REPLACE VIEW popscope.capacity_days AS
SELECT
    toDate(h.ts) AS day,
    h.pop AS pop,
    h.node AS node,
    sum(h.rx_packets) AS rx_packets,
    max(h.rx_packets_per_second) AS busiest_hour_packets_per_second,
    max(h.rx_packets_peak) AS rx_packets_peak,
    max(h.busy_share) AS busy_share,
    max(h.connection_share) AS connection_share
FROM popscope.capacity_hours AS h
GROUP BY day, pop, node;

-- One row a PoP: how its days of the last 90 grow (least squares), and when it is full. A PoP is as
-- full as its fullest node. `days_to_full` is null while it does not grow, or with less than 3 days.
CREATE OR REPLACE VIEW popscope.capacity_growth AS
SELECT
    d.pop AS pop,
    count() AS days,
    argMax(d.packets, d.day) AS busiest_hour_packets_per_second,
    simpleLinearRegression(toFloat64(toUInt32(d.day)), d.packets).1 AS packets_per_second_a_day,
    argMax(d.share, d.day) AS busy_share,
    simpleLinearRegression(toFloat64(toUInt32(d.day)), d.share).1 AS busy_share_a_day,
    if(days >= 3 AND busy_share_a_day > 0, (1 - busy_share) / busy_share_a_day, NULL) AS days_to_full
FROM (
    SELECT
        n.day AS day,
        n.pop AS pop,
        sum(n.busiest_hour_packets_per_second) AS packets,
        max(n.busy_share) AS share
    FROM popscope.capacity_days AS n
    WHERE n.day >= today() - 90
    GROUP BY day, pop
) AS d
GROUP BY pop;

-- One row a node: the least that was left of it in any hour of the last 7 days, from 0 to 1.
CREATE OR REPLACE VIEW popscope.capacity_headroom AS
SELECT
    h.pop AS pop,
    h.node AS node,
    1 - max(h.busy_share) AS cycles_left,
    1 - max(h.connection_share) AS connections_left,
    argMax(h.ts, h.busy_share) AS busiest_hour
FROM popscope.capacity_hours AS h
WHERE h.ts >= now() - toIntervalDay(7)
GROUP BY pop, node;
