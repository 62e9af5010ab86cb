-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.vip_1s ADD COLUMN IF NOT EXISTS quic_routed_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1s ADD COLUMN IF NOT EXISTS quic_fallback_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1s ADD COLUMN IF NOT EXISTS quic_malformed_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_abs ADD COLUMN IF NOT EXISTS quic_routed_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.vip_abs ADD COLUMN IF NOT EXISTS quic_fallback_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.vip_abs ADD COLUMN IF NOT EXISTS quic_malformed_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.vip_1m ADD COLUMN IF NOT EXISTS quic_routed_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1m ADD COLUMN IF NOT EXISTS quic_fallback_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1m ADD COLUMN IF NOT EXISTS quic_malformed_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1h ADD COLUMN IF NOT EXISTS quic_routed_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1h ADD COLUMN IF NOT EXISTS quic_fallback_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.vip_1h ADD COLUMN IF NOT EXISTS quic_malformed_packets UInt64 CODEC(T64, ZSTD(1));
