-- Hours of nodes, PoPs and streams: what planners ask for, one row each. Computed by `hours.py`.
CREATE TABLE IF NOT EXISTS popscope.node_hours (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    busiest_lcore_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    cycles UInt64 CODEC(T64, ZSTD(1)),
    busiest_lcore_share Float64 CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    transmitted UInt64 CODEC(T64, ZSTD(1)),
    originated UInt64 CODEC(T64, ZSTD(1)),
    consumed UInt64 CODEC(T64, ZSTD(1)),
    dropped UInt64 CODEC(T64, ZSTD(1)),
    missed UInt64 CODEC(T64, ZSTD(1)),
    keyframes UInt32 CODEC(T64, ZSTD(1)),
    unbalanced_keyframes UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, ts)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.pop_hours (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    nodes UInt32 CODEC(T64, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    cycles UInt64 CODEC(T64, ZSTD(1)),
    fullest_busy_share Float64 CODEC(ZSTD(1)),
    busiest_lcore_share Float64 CODEC(ZSTD(1)),
    fullest_connection_share Float64 CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, ts)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.stream_hours (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    stream UInt64 CODEC(ZSTD(1)),
    low UInt64 CODEC(T64, ZSTD(1)),
    high UInt64 CODEC(T64, ZSTD(1)),
    numbers UInt64 CODEC(T64, ZSTD(1)),
    takeovers UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, stream, ts)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

-- What operators say that a node can take ([capacity] file). The newest version is the one that
-- counts, as a whole; "" stands for every PoP, every node; 0 is not said.
CREATE TABLE IF NOT EXISTS popscope.capacity_limits (
    version UInt64,
    pop LowCardinality(String),
    node LowCardinality(String),
    packets_per_second UInt64,
    bits_per_second UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (version, pop, node);
