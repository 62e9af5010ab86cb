-- What came in: one row a frame, written last of all that belongs to the frame. The ingest learns
-- from it after a restart which frames are stored. `first` < `seq`: frames first..seq in one.
CREATE TABLE IF NOT EXISTS popscope.frames (
    stream UInt64 CODEC(ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    first UInt64 CODEC(DoubleDelta, ZSTD(1)),
    exporter LowCardinality(String),
    pop LowCardinality(String),
    node LowCardinality(String),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    keyframe UInt8,
    rows UInt32 CODEC(T64, ZSTD(1)),
    tables Array(LowCardinality(String)),
    table_rows Array(UInt32),
    bytes UInt32 CODEC(T64, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    stored_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (stream, seq)
TTL toDateTime(ts) + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

-- The state of each instance in each frame.
CREATE TABLE IF NOT EXISTS popscope.instances (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    state LowCardinality(String),
    age_ms UInt64 CODEC(T64, ZSTD(1)),
    start DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    tsc_hz UInt64 CODEC(ZSTD(1)),
    final UInt8,
    torn_rows UInt32,
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, ts)
TTL toDateTime(ts) + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

-- Rows of a group that a crash cut off before its rows in `frames`. They are in place already, and
-- are skipped when their frame comes again.
CREATE TABLE IF NOT EXISTS popscope.orphans (
    table LowCardinality(String),
    day Date,
    stream UInt64,
    seq UInt64,
    commit UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (table, day, stream, seq)
TTL day + toIntervalDay(90);
