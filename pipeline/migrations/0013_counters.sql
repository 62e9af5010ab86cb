-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_denied_by_global_list UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_denied_by_list UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_listener_new_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_listener_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_listener_packet_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_listener_bit_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_backend_new_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_backend_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_backend_packet_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_backend_bit_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_denied_by_global_list UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_denied_by_list UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_listener_new_connection_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_listener_connection_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_listener_packet_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_listener_bit_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_backend_new_connection_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_backend_connection_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_backend_packet_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_backend_bit_limit UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_denied_by_global_list UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_denied_by_list UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_listener_new_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_listener_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_listener_packet_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_listener_bit_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_backend_new_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_backend_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_backend_packet_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_backend_bit_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_denied_by_global_list UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_denied_by_list UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_listener_new_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_listener_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_listener_packet_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_listener_bit_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_backend_new_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_backend_connection_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_backend_packet_limit UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_backend_bit_limit UInt64 CODEC(T64, ZSTD(1));
