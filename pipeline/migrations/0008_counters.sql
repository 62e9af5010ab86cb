-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_too_big_told UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_icmp_rate_limited UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_icmp_bad_inner UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_icmpv6_bad_inner UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS originated_icmp_too_big UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS originated_icmpv6_too_big UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS relayed_error_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_too_big_told UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_icmp_rate_limited UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_icmp_bad_inner UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_icmpv6_bad_inner UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS originated_icmp_too_big UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS originated_icmpv6_too_big UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS relayed_error_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_too_big_told UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_icmp_rate_limited UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_icmp_bad_inner UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_icmpv6_bad_inner UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS originated_icmp_too_big UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS originated_icmpv6_too_big UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS relayed_error_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_too_big_told UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_icmp_rate_limited UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_icmp_bad_inner UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_icmpv6_bad_inner UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS originated_icmp_too_big UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS originated_icmpv6_too_big UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS relayed_error_packets UInt64 CODEC(T64, ZSTD(1));
