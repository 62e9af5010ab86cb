-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS burst_latency_nanoseconds Array(UInt64) CODEC(ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS max_held_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS burst_latency_nanoseconds Array(UInt64) CODEC(ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS max_held_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS burst_latency_nanoseconds Array(UInt64) CODEC(ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS max_held_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS burst_latency_nanoseconds Array(UInt64) CODEC(ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS max_held_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS max_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS stale_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS aged_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS listener_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS max_listener_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS backend_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1s ADD COLUMN IF NOT EXISTS max_backend_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS max_neighbours UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS stale_neighbours UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS aged_neighbours UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS listener_rows UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS max_listener_rows UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS backend_rows UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_abs ADD COLUMN IF NOT EXISTS max_backend_rows UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS max_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS stale_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS aged_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS listener_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS max_listener_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS backend_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1m ADD COLUMN IF NOT EXISTS max_backend_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS max_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS stale_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS aged_neighbours UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS listener_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS max_listener_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS backend_rows UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.node_1h ADD COLUMN IF NOT EXISTS max_backend_rows UInt64 CODEC(T64, ZSTD(1));
