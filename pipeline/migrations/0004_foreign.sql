-- Metrics of other systems, by remote write and OTLP. A series is a label set of a tenant; `series`
-- is its number in all tables: 16 bits of the metric's name, 48 bits of the whole label set.
-- The same sample may be sent again: read with FINAL, which gives each (series, ts) once.
CREATE TABLE IF NOT EXISTS popscope.samples (
    series UInt64 CODEC(Delta, ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
ORDER BY (series, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1, merge_selector_base = 20;

-- One row a series, told again about once a day while it has samples (`seen`). `labels` are as
-- written, without the metric's name.
CREATE TABLE IF NOT EXISTS popscope.series (
    tenant LowCardinality(String),
    name LowCardinality(String),
    series UInt64,
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    seen DateTime('UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(seen)
PARTITION BY toMonday(seen)
ORDER BY (tenant, name, series)
TTL seen + toIntervalDay(40)
SETTINGS ttl_only_drop_parts = 1;

-- What senders say of a metric. `temporality` is OTLP's: delta, cumulative, or empty.
CREATE TABLE IF NOT EXISTS popscope.metrics (
    tenant LowCardinality(String),
    name String,
    type LowCardinality(String),
    unit LowCardinality(String),
    help String CODEC(ZSTD(1)),
    temporality LowCardinality(String),
    seen DateTime('UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(seen)
ORDER BY (tenant, name)
TTL seen + toIntervalDay(40);

-- Histograms that come whole (native ones, OTLP's). Counts are of each bucket, not cumulative;
-- `buckets` are indexes by the conventions of Prometheus: at schema n bucket i ends at 2^(i / 2^n),
-- at schema -53 the bounds are listed. Classic histograms are series of `samples`.
CREATE TABLE IF NOT EXISTS popscope.histograms (
    series UInt64 CODEC(Delta, ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    count Float64 CODEC(Delta, ZSTD(1)),
    sum Float64 CODEC(ZSTD(1)),
    schema Int32 CODEC(ZSTD(1)),
    reset_hint UInt8 CODEC(ZSTD(1)),
    zero_threshold Float64 CODEC(ZSTD(1)),
    zero_count Float64 CODEC(ZSTD(1)),
    buckets Array(Int32) CODEC(ZSTD(1)),
    counts Array(Float64) CODEC(ZSTD(1)),
    negative_buckets Array(Int32) CODEC(ZSTD(1)),
    negative_counts Array(Float64) CODEC(ZSTD(1)),
    bounds Array(Float64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
ORDER BY (series, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.exemplars (
    series UInt64 CODEC(Delta, ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
ORDER BY (series, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;
