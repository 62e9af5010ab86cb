-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS stage_ingress_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS stage_classify_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS stage_track_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS stage_forward_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS stage_transmit_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS stage_ingress_cycles UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS stage_classify_cycles UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS stage_track_cycles UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS stage_forward_cycles UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS stage_transmit_cycles UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS stage_ingress_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS stage_classify_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS stage_track_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS stage_forward_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS stage_transmit_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS stage_ingress_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS stage_classify_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS stage_track_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS stage_forward_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS stage_transmit_cycles UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.port_queue_1s ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.port_queue_abs ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.port_queue_1m ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.port_queue_1h ADD COLUMN IF NOT EXISTS microburst_packets UInt64 CODEC(T64, ZSTD(1));
