-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_half_open_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS originated_tcp_reset UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS revived_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drain_reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drain_left_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_half_open_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS originated_tcp_reset UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS revived_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drain_reset_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drain_left_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_half_open_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS originated_tcp_reset UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS revived_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drain_reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drain_left_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_half_open_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS originated_tcp_reset UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS revived_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drain_reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drain_left_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1s ADD COLUMN IF NOT EXISTS half_open_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1s ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1s ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_abs ADD COLUMN IF NOT EXISTS half_open_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.vip_abs ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.vip_abs ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.vip_1m ADD COLUMN IF NOT EXISTS half_open_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1m ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1m ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1h ADD COLUMN IF NOT EXISTS half_open_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1h ADD COLUMN IF NOT EXISTS finished_connections UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1h ADD COLUMN IF NOT EXISTS reset_connections UInt64 CODEC(T64, ZSTD(1));
