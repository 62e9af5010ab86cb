-- Capacity planning over the hours of nodes and PoPs. Shares are from 0 to 1, times are UTC.

-- One row an hour and node. `rx_packets_peak` is the sum of the lcores' largest seconds: what the
-- node had to take if they fell together.
CREATE OR REPLACE VIEW popscope.capacity_hours AS
SELECT
    h.ts AS ts,
    h.pop AS pop,
    h.node AS node,
    h.rx_packets AS rx_packets,
    h.rx_bytes AS rx_bytes,
    h.rx_packets / 3600 AS rx_packets_per_second,
    h.rx_packets_peak AS rx_packets_peak,
    h.busiest_lcore_peak AS busiest_lcore_peak,
    h.busy_cycles / greatest(h.cycles, 1) AS busy_share,
    h.active_connections / greatest(h.max_connections, 1) AS connection_share,
    h.busiest_lcore_share AS busiest_lcore_share,
    8 * greatest(h.rx_bytes_peak, h.tx_bytes_peak) AS bits_peak
FROM popscope.node_hours AS h FINAL;

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

-- One row a node of the last 28 days: what it can take. Configured, or learned: the packets a
-- second of its busiest hour, at which its busiest lcore would have been busy all the time.
-- `bits_per_second` is null when nobody said it: no counter knows the speed of a link.
CREATE OR REPLACE VIEW popscope.capacity_nodes AS
SELECT
    n.pop AS pop,
    n.node AS node,
    n.busiest_share AS busiest_lcore_share,
    toUInt64(n.packets / greatest(n.busiest_share, 1e-9)) AS learned_packets_per_second,
    arrayFirst(x -> x > 0, [l3.packets_per_second, l2.packets_per_second, l1.packets_per_second])
        AS configured_packets_per_second,
    if(configured_packets_per_second > 0, configured_packets_per_second, learned_packets_per_second)
        AS packets_per_second,
    nullIf(arrayFirst(x -> x > 0, [l3.bits_per_second, l2.bits_per_second, l1.bits_per_second]), 0)
        AS bits_per_second,
    n.max_connections AS max_connections
FROM (
    SELECT
        h.pop AS pop,
        h.node AS node,
        max(h.busiest_lcore_share) AS busiest_share,
        argMax(h.rx_packets, h.busiest_lcore_share) / 3600 AS packets,
        argMax(h.max_connections, h.ts) AS max_connections
    FROM popscope.node_hours AS h FINAL
    WHERE h.ts >= now() - toIntervalDay(28)
    GROUP BY pop, node
) AS n
LEFT JOIN (
    SELECT * FROM popscope.capacity_limits
    WHERE version = (SELECT max(version) FROM popscope.capacity_limits)
) AS l3 ON l3.pop = n.pop AND l3.node = n.node
LEFT JOIN (
    SELECT * FROM popscope.capacity_limits
    WHERE version = (SELECT max(version) FROM popscope.capacity_limits) AND node = ''
) AS l2 ON l2.pop = n.pop
LEFT JOIN (
    SELECT *, 1 AS one FROM popscope.capacity_limits
    WHERE version = (SELECT max(version) FROM popscope.capacity_limits) AND pop = '' AND node = ''
) AS l1 ON l1.one = toUInt8(n.busiest_share >= 0);

-- One row a node: the least that was left of it in any hour of the last 7 days. Packets and bits
-- are of the largest seconds, cycles of a whole hour.
CREATE OR REPLACE VIEW popscope.capacity_headroom AS
SELECT
    h.pop AS pop,
    h.node AS node,
    1 - max(h.busy_share) AS cycles_left,
    1 - max(h.connection_share) AS connections_left,
    argMax(h.ts, h.busy_share) AS busiest_hour,
    1 - max(h.busiest_lcore_share) AS busiest_lcore_left,
    max(h.rx_packets_peak) AS packets_peak,
    any(c.packets_per_second) AS packet_capacity,
    1 - packets_peak / packet_capacity AS packets_left,
    max(h.bits_peak) AS bits_peak,
    any(c.bits_per_second) AS bit_capacity,
    1 - bits_peak / bit_capacity AS bits_left
FROM popscope.capacity_hours AS h
LEFT JOIN popscope.capacity_nodes AS c ON c.pop = h.pop AND c.node = h.node
WHERE h.ts >= now() - toIntervalDay(7)
GROUP BY pop, node;

-- One row a PoP: as above, of all its nodes together.
CREATE OR REPLACE VIEW popscope.capacity_headroom_pops AS
SELECT
    p.pop AS pop,
    1 - max(p.busy_cycles / greatest(p.cycles, 1)) AS cycles_left,
    1 - max(p.active_connections / greatest(p.max_connections, 1)) AS connections_left,
    argMax(p.ts, p.rx_packets) AS busiest_hour,
    max(p.rx_packets) / 3600 AS busiest_hour_packets_per_second,
    max(p.rx_packets_peak) AS packets_peak,
    any(c.packets) AS packet_capacity,
    1 - packets_peak / packet_capacity AS packets_left,
    8 * max(greatest(p.rx_bytes_peak, p.tx_bytes_peak)) AS bits_peak,
    any(c.bits) AS bit_capacity,
    1 - bits_peak / bit_capacity AS bits_left
FROM popscope.pop_hours AS p FINAL
LEFT JOIN (
    SELECT n.pop AS pop, sum(n.packets_per_second) AS packets, sum(n.bits_per_second) AS bits
    FROM popscope.capacity_nodes AS n GROUP BY pop
) AS c ON c.pop = p.pop
WHERE p.ts >= now() - toIntervalDay(7)
GROUP BY pop;

-- One row a PoP and hour of the day (UTC) over the last 28 days.
CREATE OR REPLACE VIEW popscope.capacity_hour_of_day AS
SELECT
    p.pop AS pop,
    toHour(p.ts) AS hour,
    count() AS days,
    quantileExactInclusive(0.95)(p.rx_packets / 3600) AS packets_per_second_p95,
    max(p.rx_packets / 3600) AS packets_per_second_max,
    max(p.rx_packets_peak) AS packets_peak,
    quantileExactInclusive(0.95)(p.fullest_busy_share) AS busy_share_p95,
    max(p.fullest_busy_share) AS busy_share_max
FROM popscope.pop_hours AS p FINAL
WHERE p.ts >= toStartOfHour(now()) - toIntervalDay(28)
GROUP BY pop, hour;

-- One row a PoP and resource (cycles, connections: of its fullest node; packets, bits: of all its
-- nodes, where somebody said what they can take): the line through the last 90 whole days, a day
-- being its busiest hour, freed of the week's season when there are 14 days or more, and in how many
-- days from today it crosses 80 % and 100 %. `_earliest` and `_latest` are two standard errors of
-- slope and level away. Null: never, or less than 3 days.
CREATE OR REPLACE VIEW popscope.capacity_forecast AS
SELECT
    f.pop AS pop,
    f.resource AS resource,
    f.n AS days,
    f.y_mean + f.slope * (f.x_last - f.x_mean) AS share,
    f.slope AS share_a_day,
    f.x_mean - toUInt16(today()) AS middle,
    arrayMap(
        x -> if(f.n < 3, NULL, if(share >= x.1, 0, greatest(
            middle + (x.1 - f.y_mean - 2 * x.2 * f.mean_error)
                / nullIf(greatest(f.slope + 2 * x.2 * f.slope_error, 0), 0),
            0
        ))),
        [(0.8, 0), (0.8, 1), (0.8, -1), (1., 0), (1., 1), (1., -1)]
    ) AS crossings,
    crossings[1] AS days_to_80,
    crossings[2] AS days_to_80_earliest,
    crossings[3] AS days_to_80_latest,
    crossings[4] AS days_to_full,
    crossings[5] AS days_to_full_earliest,
    crossings[6] AS days_to_full_latest
FROM (
    SELECT
        s.pop AS pop,
        s.resource AS resource,
        count() AS n,
        avg(s.x) AS x_mean,
        avg(s.y) AS y_mean,
        max(s.x) AS x_last,
        sum(s.x * s.x) - n * x_mean * x_mean AS xx,
        sum(s.x * s.y) - n * x_mean * y_mean AS xy,
        sum(s.y * s.y) - n * y_mean * y_mean AS yy,
        if(xx > 0, xy / xx, 0) AS slope,
        if(n > 2 AND xx > 0, sqrt(greatest(yy - slope * xy, 0) / (n - 2)), 0) AS residual,
        if(xx > 0, residual / sqrt(xx), 0) AS slope_error,
        residual / sqrt(n) AS mean_error
    FROM (
        SELECT
            d.pop AS pop,
            d.resource AS resource,
            toFloat64(toUInt16(d.day)) AS x,
            count() OVER (PARTITION BY pop, resource) AS whole,
            avg(d.share) OVER (PARTITION BY pop, resource) AS mean,
            avg(d.share) OVER (PARTITION BY pop, resource, toDayOfWeek(d.day)) AS weekday,
            if(whole >= 14 AND weekday > 0, d.share * mean / weekday, d.share) AS y
        FROM (
            SELECT
                toDate(p.ts) AS day,
                p.pop AS pop,
                r.1 AS resource,
                max(r.2) AS share
            FROM popscope.pop_hours AS p FINAL
            LEFT JOIN (
                SELECT
                    n.pop AS pop,
                    sum(n.configured_packets_per_second) AS packets,
                    sum(n.bits_per_second) AS bits
                FROM popscope.capacity_nodes AS n GROUP BY pop
            ) AS c ON c.pop = p.pop
            ARRAY JOIN [
                ('cycles', p.fullest_busy_share),
                ('connections', p.fullest_connection_share),
                ('packets', p.rx_packets / 3600 / nullIf(c.packets, 0)),
                ('bits', greatest(p.rx_bytes, p.tx_bytes) / 450 / c.bits)
            ] AS r
            WHERE p.ts >= toDateTime(today() - 90, 'UTC') AND p.ts < toDateTime(today(), 'UTC')
                AND r.2 IS NOT NULL
            GROUP BY day, pop, resource
        ) AS d
    ) AS s
    GROUP BY pop, resource
) AS f;

-- One row a PoP: how its days grow, and when the first of its resources is full. The day that still
-- runs is left out: until its busiest hour has come, it would bend the line.
CREATE OR REPLACE VIEW popscope.capacity_growth AS
SELECT
    g.pop AS pop,
    g.days AS days,
    g.packets AS busiest_hour_packets_per_second,
    g.packets_a_day AS packets_per_second_a_day,
    g.share AS busy_share,
    f.busy_share_a_day AS busy_share_a_day,
    f.connection_share AS connection_share,
    f.full AS days_to_full,
    f.full_earliest AS days_to_full_earliest,
    f.full_latest AS days_to_full_latest,
    f.eighty AS days_to_80,
    f.first AS full_by
FROM (
    SELECT
        d.pop AS pop,
        count() AS days,
        argMax(d.packets, d.day) AS packets,
        simpleLinearRegression(toFloat64(toUInt16(d.day)), d.packets).1 AS packets_a_day,
        argMax(d.share, d.day) AS share
    FROM (
        SELECT
            toDate(p.ts) AS day,
            p.pop AS pop,
            max(p.rx_packets) / 3600 AS packets,
            max(p.fullest_busy_share) AS share
        FROM popscope.pop_hours AS p FINAL
        WHERE p.ts >= toDateTime(today() - 90, 'UTC') AND p.ts < toDateTime(today(), 'UTC')
        GROUP BY day, pop
    ) AS d
    GROUP BY pop
) AS g
LEFT JOIN (
    SELECT
        c.pop AS pop,
        anyIf(c.share_a_day, c.resource = 'cycles') AS busy_share_a_day,
        anyIf(c.share, c.resource = 'connections') AS connection_share,
        min(c.days_to_full) AS full,
        min(c.days_to_80) AS eighty,
        argMin(c.resource, c.days_to_full) AS first,
        argMin(tuple(c.days_to_full_earliest), c.days_to_full).1 AS full_earliest,
        argMin(tuple(c.days_to_full_latest), c.days_to_full).1 AS full_latest
    FROM popscope.capacity_forecast AS c GROUP BY pop
) AS f ON f.pop = g.pop;

-- One row a node: if it goes, do the other nodes of its PoP carry the busiest hour of the last 7
-- days? `share` is of what they can take.
CREATE OR REPLACE VIEW popscope.capacity_loss_of_node AS
SELECT
    n.pop AS pop,
    n.node AS lost,
    p.packets AS busiest_hour_packets_per_second,
    p.busiest_hour AS busiest_hour,
    t.packets - n.packets_per_second AS capacity_left,
    p.packets / nullIf(capacity_left, 0) AS share,
    ifNull(share <= 1, 0) AS carries
FROM popscope.capacity_nodes AS n
INNER JOIN (
    SELECT c.pop AS pop, sum(c.packets_per_second) AS packets
    FROM popscope.capacity_nodes AS c GROUP BY pop
) AS t ON t.pop = n.pop
INNER JOIN (
    SELECT
        h.pop AS pop,
        max(h.rx_packets) / 3600 AS packets,
        argMax(h.ts, h.rx_packets) AS busiest_hour
    FROM popscope.pop_hours AS h FINAL
    WHERE h.ts >= now() - toIntervalDay(7)
    GROUP BY pop
) AS p ON p.pop = n.pop;

-- One row a PoP and hour of the day (UTC): if it goes, do the other PoPs of its metro carry what
-- the metro had in that hour, on the busiest of the last 7 days? The metro is the PoP's name without
-- the number at its end: JKT of JKT-3, fra of fra1.
CREATE OR REPLACE VIEW popscope.capacity_loss_of_pop AS
SELECT
    l.pop AS lost,
    l.metro AS metro,
    m.hour AS hour,
    m.packets AS packets_per_second,
    t.packets - l.packets AS capacity_left,
    packets_per_second / nullIf(capacity_left, 0) AS share,
    ifNull(share <= 1, 0) AS carries
FROM (
    SELECT
        c.pop AS pop,
        replaceRegexpOne(toString(c.pop), '[-_.]?[0-9]+$', '') AS metro,
        sum(c.packets_per_second) AS packets
    FROM popscope.capacity_nodes AS c GROUP BY pop
) AS l
INNER JOIN (
    SELECT
        replaceRegexpOne(toString(c.pop), '[-_.]?[0-9]+$', '') AS metro,
        sum(c.packets_per_second) AS packets
    FROM popscope.capacity_nodes AS c GROUP BY metro
) AS t ON t.metro = l.metro
INNER JOIN (
    SELECT h.metro AS metro, toHour(h.ts) AS hour, max(h.packets) AS packets
    FROM (
        SELECT
            replaceRegexpOne(toString(p.pop), '[-_.]?[0-9]+$', '') AS metro,
            p.ts AS ts,
            sum(p.rx_packets) / 3600 AS packets
        FROM popscope.pop_hours AS p FINAL
        WHERE p.ts >= toStartOfHour(now()) - toIntervalDay(7)
        GROUP BY metro, ts
    ) AS h
    GROUP BY metro, hour
) AS m ON m.metro = l.metro;

-- One row a VIP: the last 28 whole days against the 28 before.
CREATE OR REPLACE VIEW popscope.capacity_vip_growth AS
SELECT
    v.vip AS vip,
    v.address AS address,
    v.port AS port,
    v.protocol AS protocol,
    sumIf(v.rx_packets, v.ts >= toDateTime(today() - 28, 'UTC')) / (28 * 86400)
        AS packets_per_second,
    sumIf(v.rx_packets, v.ts < toDateTime(today() - 28, 'UTC')) / (28 * 86400)
        AS packets_per_second_before,
    packets_per_second - packets_per_second_before AS grown_by,
    packets_per_second / nullIf(packets_per_second_before, 0) - 1 AS growth
FROM popscope.vip_1h AS v FINAL
WHERE v.ts >= toDateTime(today() - 56, 'UTC') AND v.ts < toDateTime(today(), 'UTC')
GROUP BY vip, address, port, protocol;

-- One row a PoP and hour: how unevenly ECMP divides packets among its nodes. `skew` is the busiest
-- node's packets over the mean of its nodes, less 1.
CREATE OR REPLACE VIEW popscope.ecmp_imbalance AS
SELECT
    h.ts AS ts,
    h.pop AS pop,
    count() AS nodes,
    argMax(h.node, h.rx_packets) AS busiest_node,
    argMin(h.node, h.rx_packets) AS idlest_node,
    max(h.rx_packets) / avg(h.rx_packets) - 1 AS skew,
    1 - min(h.rx_packets) / avg(h.rx_packets) AS lack
FROM popscope.node_hours AS h FINAL
WHERE h.rx_packets > 0
GROUP BY ts, pop;

-- One row an hour and node: what came in and what became of it. `lost` are packets that nothing
-- here decided about: missed by the port because no worker took them in time. `dropped` have a
-- reason each. `unbalanced_keyframes`: rows of absolute counters that break the law, of `keyframes`.
-- `missing_frames`: numbers of the exporter that never came. `takeovers`: spools that were lost.
CREATE OR REPLACE VIEW popscope.packet_ledger AS
SELECT
    n.ts AS ts,
    n.pop AS pop,
    n.node AS node,
    n.rx_packets AS received,
    n.originated AS originated,
    n.transmitted AS transmitted,
    n.consumed AS consumed,
    n.dropped AS dropped,
    n.missed AS lost,
    n.keyframes AS keyframes,
    n.unbalanced_keyframes AS unbalanced_keyframes,
    s.missing AS missing_frames,
    s.takeovers AS takeovers
FROM popscope.node_hours AS n FINAL
LEFT JOIN (
    SELECT
        w.ts AS ts,
        w.pop AS pop,
        w.node AS node,
        sum(w.missing) AS missing,
        sum(w.takeovers) AS takeovers
    FROM (
        SELECT
            h.ts AS ts,
            h.pop AS pop,
            h.node AS node,
            h.takeovers AS takeovers,
            max(h.high) OVER (
                PARTITION BY pop, node, stream ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before,
            toInt64(h.high - h.low + 1) - toInt64(h.numbers)
                + if(before > 0, greatest(toInt64(h.low) - toInt64(before) - 1, 0), 0) AS missing
        FROM popscope.stream_hours AS h FINAL
    ) AS w
    GROUP BY ts, pop, node
) AS s ON s.ts = n.ts AND s.pop = n.pop AND s.node = n.node;
