-- A row a window and node, in the order of time: what a whole fleet did in the last hour is read
-- without the rows of its other hours, and without those of its lcores. Computed from the rollups of
-- lcores. Shares are from 0 to 1: the busiest lcore's cycles, the fullest lcore's connection table.
CREATE TABLE IF NOT EXISTS popscope.fleet_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    lcores UInt32 CODEC(T64, ZSTD(1)),
    instances UInt32 CODEC(T64, ZSTD(1)),
    boots Array(UInt64) CODEC(ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    originated_packets UInt64 CODEC(T64, ZSTD(1)),
    consumed_packets UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    drops Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    idle_cycles UInt64 CODEC(T64, ZSTD(1)),
    busiest_lcore Float32 CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    fullest_table Float32 CODEC(ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (ts, pop, node)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.fleet_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    lcores UInt32 CODEC(T64, ZSTD(1)),
    instances UInt32 CODEC(T64, ZSTD(1)),
    boots Array(UInt64) CODEC(ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    originated_packets UInt64 CODEC(T64, ZSTD(1)),
    consumed_packets UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    drops Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    idle_cycles UInt64 CODEC(T64, ZSTD(1)),
    busiest_lcore Float32 CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    fullest_table Float32 CODEC(ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, pop, node)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;
