-- A line that does not rise crosses nothing: `greatest` leaves NULL out, which made it cross today.
CREATE OR REPLACE VIEW popscope.capacity_crossings AS
SELECT
    f.pop AS pop,
    f.resource AS resource,
    f.n AS days,
    f.y_mean + f.slope * (f.x_last - f.x_mean) AS share,
    f.slope AS share_a_day,
    f.x_mean - toUInt16(today()) AS middle,
    arrayMap(
        x -> if(f.n < 3, NULL, if(share >= x.1, 0, if(
            f.slope + 2 * x.2 * f.slope_error > 0,
            greatest(
                middle + (x.1 - f.y_mean - 2 * x.2 * f.mean_error)
                    / (f.slope + 2 * x.2 * f.slope_error),
                0
            ),
            NULL
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
