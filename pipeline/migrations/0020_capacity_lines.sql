-- The forecast in one pass: days first, then what they are of; and no look at 28 days of nodes for
-- what was said of them.

-- One row a PoP: what was said that its nodes can take, of those that sent something in 48 hours.
CREATE OR REPLACE VIEW popscope.capacity_said AS
SELECT
    n.pop AS pop,
    sum(arrayFirst(x -> x > 0, [own.packets, whole.packets, every.packets])) AS packets,
    nullIf(sum(arrayFirst(x -> x > 0, [own.bits, whole.bits, every.bits])), 0) AS bits
FROM (
    SELECT DISTINCT h.pop AS pop, h.node AS node, 1 AS one
    FROM popscope.node_hours AS h
    WHERE h.ts >= now() - toIntervalHour(48)
) AS n
LEFT JOIN (
    SELECT l.pop AS pop, l.node AS node, l.packets_per_second AS packets, l.bits_per_second AS bits
    FROM popscope.capacity_limits AS l
    WHERE l.version = (SELECT max(version) FROM popscope.capacity_limits) AND l.node != ''
) AS own ON own.pop = n.pop AND own.node = n.node
LEFT JOIN (
    SELECT l.pop AS pop, l.packets_per_second AS packets, l.bits_per_second AS bits
    FROM popscope.capacity_limits AS l
    WHERE l.version = (SELECT max(version) FROM popscope.capacity_limits) AND l.node = ''
) AS whole ON whole.pop = n.pop
LEFT JOIN (
    SELECT 1 AS one, l.packets_per_second AS packets, l.bits_per_second AS bits
    FROM popscope.capacity_limits AS l
    WHERE l.version = (SELECT max(version) FROM popscope.capacity_limits)
        AND l.pop = '' AND l.node = ''
) AS every ON every.one = n.one
GROUP BY pop;

-- One row a PoP and resource: the line through its last 90 whole days by least squares, a day being
-- its busiest hour, freed of the week's season when there are 14 days or more. Resources: cycles
-- and connections of its fullest node; packets and bits of all its nodes, where somebody said what
-- they can take; load, which is packets a second and not a share. x are days since 1970.
CREATE OR REPLACE VIEW popscope.capacity_lines AS
SELECT
    s.pop AS pop,
    s.resource AS resource,
    count() AS n,
    avg(s.x) AS x_mean,
    avg(s.y) AS y_mean,
    max(s.x) AS x_last,
    argMax(s.raw, s.x) AS last,
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
        r.1 AS resource,
        assumeNotNull(r.2) AS raw,
        toFloat64(toUInt16(d.day)) AS x,
        count() OVER (PARTITION BY pop, resource) AS whole,
        avg(raw) OVER (PARTITION BY pop, resource) AS mean,
        avg(raw) OVER (PARTITION BY pop, resource, toDayOfWeek(d.day)) AS weekday,
        if(whole >= 14 AND weekday > 0, raw * mean / weekday, raw) AS y
    FROM (
        SELECT
            toDate(p.ts) AS day,
            p.pop AS pop,
            max(p.fullest_busy_share) AS cycles,
            max(p.fullest_connection_share) AS connections,
            max(p.rx_packets) / 3600 AS packets,
            max(greatest(p.rx_bytes, p.tx_bytes)) / 450 AS bits
        FROM popscope.pop_hours AS p FINAL
        WHERE p.ts >= toDateTime(today() - 90, 'UTC') AND p.ts < toDateTime(today(), 'UTC')
        GROUP BY day, pop
    ) AS d
    LEFT JOIN popscope.capacity_said AS c ON c.pop = d.pop
    ARRAY JOIN [
        ('cycles', toNullable(d.cycles)),
        ('connections', toNullable(d.connections)),
        ('packets', d.packets / nullIf(c.packets, 0)),
        ('bits', d.bits / nullIf(c.bits, 0)),
        ('load', toNullable(d.packets))
    ] AS r
    WHERE r.2 IS NOT NULL
) AS s
GROUP BY pop, resource;

-- One row a PoP and resource: how full it is by its line, and in how many days from today that
-- crosses 80 % and 100 %. `_earliest` and `_latest` are two standard errors of slope and level
-- away. Null: never, or less than 3 days.
CREATE OR REPLACE VIEW popscope.capacity_crossings AS
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
    crossings[6] AS days_to_full_latest,
    f.last AS last_day
FROM popscope.capacity_lines AS f;

CREATE OR REPLACE VIEW popscope.capacity_forecast AS
SELECT * EXCEPT (middle, crossings)
FROM popscope.capacity_crossings
WHERE resource != 'load';

-- One row a PoP: how its days grow, and when the first of its resources is full. The day that still
-- runs is left out: until its busiest hour has come, it would bend the line.
CREATE OR REPLACE VIEW popscope.capacity_growth AS
SELECT
    c.pop AS pop,
    anyIf(c.days, c.resource = 'load') AS days,
    anyIf(c.last_day, c.resource = 'load') AS busiest_hour_packets_per_second,
    anyIf(c.share_a_day, c.resource = 'load') AS packets_per_second_a_day,
    anyIf(c.last_day, c.resource = 'cycles') AS busy_share,
    anyIf(c.share_a_day, c.resource = 'cycles') AS busy_share_a_day,
    anyIf(c.share, c.resource = 'connections') AS connection_share,
    minIf(c.days_to_full, c.resource != 'load') AS days_to_full,
    argMinIf(tuple(c.days_to_full_earliest), c.days_to_full, c.resource != 'load').1
        AS days_to_full_earliest,
    argMinIf(tuple(c.days_to_full_latest), c.days_to_full, c.resource != 'load').1
        AS days_to_full_latest,
    minIf(c.days_to_80, c.resource != 'load') AS days_to_80,
    argMinIf(c.resource, c.days_to_full, c.resource != 'load') AS full_by
FROM popscope.capacity_crossings AS c
GROUP BY pop;
