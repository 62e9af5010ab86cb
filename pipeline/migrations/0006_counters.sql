-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_vlan_stacked UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_vlan_unknown UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_header_truncated UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_bad_version UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_truncated UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_bad_source UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_hop_limit_zero UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_bad_extension UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_routing_header UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_ipv6_fragment UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_icmpv6_malformed UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_icmpv6_unsupported UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_nd_malformed UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_nd_not_for_us UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS drop_no_headroom UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS consumed_nd_solicitation UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS consumed_nd_advertisement UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS consumed_icmpv6_echo_request UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS originated_nd_solicitation UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS originated_nd_advertisement UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1s ADD COLUMN IF NOT EXISTS originated_icmpv6_echo_reply UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_vlan_stacked UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_vlan_unknown UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_header_truncated UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_bad_version UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_truncated UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_bad_source UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_hop_limit_zero UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_bad_extension UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_routing_header UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_ipv6_fragment UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_icmpv6_malformed UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_icmpv6_unsupported UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_nd_malformed UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_nd_not_for_us UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS drop_no_headroom UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS consumed_nd_solicitation UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS consumed_nd_advertisement UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS consumed_icmpv6_echo_request UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS originated_nd_solicitation UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS originated_nd_advertisement UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_abs ADD COLUMN IF NOT EXISTS originated_icmpv6_echo_reply UInt64 CODEC(Delta, T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_vlan_stacked UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_vlan_unknown UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_header_truncated UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_bad_version UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_truncated UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_bad_source UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_hop_limit_zero UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_bad_extension UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_routing_header UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_ipv6_fragment UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_icmpv6_malformed UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_icmpv6_unsupported UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_nd_malformed UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_nd_not_for_us UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS drop_no_headroom UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS consumed_nd_solicitation UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS consumed_nd_advertisement UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS consumed_icmpv6_echo_request UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS originated_nd_solicitation UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS originated_nd_advertisement UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1m ADD COLUMN IF NOT EXISTS originated_icmpv6_echo_reply UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_vlan_stacked UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_vlan_unknown UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_header_truncated UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_bad_version UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_truncated UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_bad_source UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_hop_limit_zero UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_bad_extension UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_routing_header UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_ipv6_fragment UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_icmpv6_malformed UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_icmpv6_unsupported UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_nd_malformed UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_nd_not_for_us UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS drop_no_headroom UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS consumed_nd_solicitation UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS consumed_nd_advertisement UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS consumed_icmpv6_echo_request UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS originated_nd_solicitation UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS originated_nd_advertisement UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE popscope.lcore_1h ADD COLUMN IF NOT EXISTS originated_icmpv6_echo_reply UInt64 CODEC(T64, ZSTD(1));
