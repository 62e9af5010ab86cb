-- Generated from lb/counters.toml by `make gen`; never edited after it was applied.

CREATE TABLE IF NOT EXISTS popscope.lcore_1s (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    lcore LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bursts UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    idle_cycles UInt64 CODEC(T64, ZSTD(1)),
    loop_iterations UInt64 CODEC(T64, ZSTD(1)),
    burst_packets Array(UInt64) CODEC(ZSTD(1)),
    burst_cycles Array(UInt64) CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1)),
    closed_connections UInt64 CODEC(T64, ZSTD(1)),
    expired_connections UInt64 CODEC(T64, ZSTD(1)),
    untracked_packets UInt64 CODEC(T64, ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1)),
    drop_frame_too_short UInt64 CODEC(T64, ZSTD(1)),
    drop_multi_segment UInt64 CODEC(T64, ZSTD(1)),
    drop_foreign_mac UInt64 CODEC(T64, ZSTD(1)),
    drop_own_source_mac UInt64 CODEC(T64, ZSTD(1)),
    drop_vlan_tagged UInt64 CODEC(T64, ZSTD(1)),
    drop_unsupported_ethertype UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_version UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_header_length UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_total_length UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_checksum UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_source UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_fragment UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_ttl_zero UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_bad_data_offset UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_bad_flags UInt64 CODEC(T64, ZSTD(1)),
    drop_udp_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_udp_bad_length UInt64 CODEC(T64, ZSTD(1)),
    drop_icmp_malformed UInt64 CODEC(T64, ZSTD(1)),
    drop_icmp_unsupported UInt64 CODEC(T64, ZSTD(1)),
    drop_arp_malformed UInt64 CODEC(T64, ZSTD(1)),
    drop_arp_not_for_us UInt64 CODEC(T64, ZSTD(1)),
    drop_not_configured UInt64 CODEC(T64, ZSTD(1)),
    drop_unknown_destination UInt64 CODEC(T64, ZSTD(1)),
    drop_own_address UInt64 CODEC(T64, ZSTD(1)),
    drop_no_listener UInt64 CODEC(T64, ZSTD(1)),
    drop_no_backend UInt64 CODEC(T64, ZSTD(1)),
    drop_no_connection UInt64 CODEC(T64, ZSTD(1)),
    drop_neighbour_unresolved UInt64 CODEC(T64, ZSTD(1)),
    drop_neighbour_queue_full UInt64 CODEC(T64, ZSTD(1)),
    drop_exceeds_mtu UInt64 CODEC(T64, ZSTD(1)),
    drop_tx_full UInt64 CODEC(T64, ZSTD(1)),
    drop_stopping UInt64 CODEC(T64, ZSTD(1)),
    consumed_arp_request UInt64 CODEC(T64, ZSTD(1)),
    consumed_arp_reply UInt64 CODEC(T64, ZSTD(1)),
    consumed_icmp_echo_request UInt64 CODEC(T64, ZSTD(1)),
    originated_arp_request UInt64 CODEC(T64, ZSTD(1)),
    originated_arp_reply UInt64 CODEC(T64, ZSTD(1)),
    originated_icmp_echo_reply UInt64 CODEC(T64, ZSTD(1)),
    held_neighbour_queue UInt64 CODEC(T64, ZSTD(1)),
    orphaned_connections UInt64 CODEC(T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, lcore, ts)
TTL toDateTime(ts) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.lcore_abs (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    lcore LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_bursts UInt64 CODEC(Delta, T64, ZSTD(1)),
    busy_cycles UInt64 CODEC(Delta, T64, ZSTD(1)),
    idle_cycles UInt64 CODEC(Delta, T64, ZSTD(1)),
    loop_iterations UInt64 CODEC(Delta, T64, ZSTD(1)),
    burst_packets Array(UInt64) CODEC(ZSTD(1)),
    burst_cycles Array(UInt64) CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    max_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    created_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    closed_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    expired_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    untracked_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    config_generation UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_frame_too_short UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_multi_segment UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_foreign_mac UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_own_source_mac UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_vlan_tagged UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_unsupported_ethertype UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_header_truncated UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_bad_version UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_bad_header_length UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_bad_total_length UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_truncated UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_bad_checksum UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_bad_source UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_fragment UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_ipv4_ttl_zero UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_tcp_header_truncated UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_tcp_bad_data_offset UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_tcp_bad_flags UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_udp_header_truncated UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_udp_bad_length UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_icmp_malformed UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_icmp_unsupported UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_arp_malformed UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_arp_not_for_us UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_not_configured UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_unknown_destination UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_own_address UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_no_listener UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_no_backend UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_no_connection UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_neighbour_unresolved UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_neighbour_queue_full UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_exceeds_mtu UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_tx_full UInt64 CODEC(Delta, T64, ZSTD(1)),
    drop_stopping UInt64 CODEC(Delta, T64, ZSTD(1)),
    consumed_arp_request UInt64 CODEC(Delta, T64, ZSTD(1)),
    consumed_arp_reply UInt64 CODEC(Delta, T64, ZSTD(1)),
    consumed_icmp_echo_request UInt64 CODEC(Delta, T64, ZSTD(1)),
    originated_arp_request UInt64 CODEC(Delta, T64, ZSTD(1)),
    originated_arp_reply UInt64 CODEC(Delta, T64, ZSTD(1)),
    originated_icmp_echo_reply UInt64 CODEC(Delta, T64, ZSTD(1)),
    held_neighbour_queue UInt64 CODEC(Delta, T64, ZSTD(1)),
    orphaned_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, lcore, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.lcore_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    lcore LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bursts UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles_peak UInt64 CODEC(T64, ZSTD(1)),
    idle_cycles UInt64 CODEC(T64, ZSTD(1)),
    loop_iterations UInt64 CODEC(T64, ZSTD(1)),
    burst_packets Array(UInt64) CODEC(ZSTD(1)),
    burst_cycles Array(UInt64) CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections_peak UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1)),
    closed_connections UInt64 CODEC(T64, ZSTD(1)),
    expired_connections UInt64 CODEC(T64, ZSTD(1)),
    untracked_packets UInt64 CODEC(T64, ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1)),
    drop_frame_too_short UInt64 CODEC(T64, ZSTD(1)),
    drop_multi_segment UInt64 CODEC(T64, ZSTD(1)),
    drop_foreign_mac UInt64 CODEC(T64, ZSTD(1)),
    drop_own_source_mac UInt64 CODEC(T64, ZSTD(1)),
    drop_vlan_tagged UInt64 CODEC(T64, ZSTD(1)),
    drop_unsupported_ethertype UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_version UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_header_length UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_total_length UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_checksum UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_source UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_fragment UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_ttl_zero UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_bad_data_offset UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_bad_flags UInt64 CODEC(T64, ZSTD(1)),
    drop_udp_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_udp_bad_length UInt64 CODEC(T64, ZSTD(1)),
    drop_icmp_malformed UInt64 CODEC(T64, ZSTD(1)),
    drop_icmp_unsupported UInt64 CODEC(T64, ZSTD(1)),
    drop_arp_malformed UInt64 CODEC(T64, ZSTD(1)),
    drop_arp_not_for_us UInt64 CODEC(T64, ZSTD(1)),
    drop_not_configured UInt64 CODEC(T64, ZSTD(1)),
    drop_unknown_destination UInt64 CODEC(T64, ZSTD(1)),
    drop_own_address UInt64 CODEC(T64, ZSTD(1)),
    drop_no_listener UInt64 CODEC(T64, ZSTD(1)),
    drop_no_backend UInt64 CODEC(T64, ZSTD(1)),
    drop_no_connection UInt64 CODEC(T64, ZSTD(1)),
    drop_neighbour_unresolved UInt64 CODEC(T64, ZSTD(1)),
    drop_neighbour_queue_full UInt64 CODEC(T64, ZSTD(1)),
    drop_exceeds_mtu UInt64 CODEC(T64, ZSTD(1)),
    drop_tx_full UInt64 CODEC(T64, ZSTD(1)),
    drop_stopping UInt64 CODEC(T64, ZSTD(1)),
    consumed_arp_request UInt64 CODEC(T64, ZSTD(1)),
    consumed_arp_reply UInt64 CODEC(T64, ZSTD(1)),
    consumed_icmp_echo_request UInt64 CODEC(T64, ZSTD(1)),
    originated_arp_request UInt64 CODEC(T64, ZSTD(1)),
    originated_arp_reply UInt64 CODEC(T64, ZSTD(1)),
    originated_icmp_echo_reply UInt64 CODEC(T64, ZSTD(1)),
    held_neighbour_queue UInt64 CODEC(T64, ZSTD(1)),
    orphaned_connections UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (pop, node, instance, lcore, ts, boot)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.lcore_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    lcore LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bursts UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles UInt64 CODEC(T64, ZSTD(1)),
    busy_cycles_peak UInt64 CODEC(T64, ZSTD(1)),
    idle_cycles UInt64 CODEC(T64, ZSTD(1)),
    loop_iterations UInt64 CODEC(T64, ZSTD(1)),
    burst_packets Array(UInt64) CODEC(ZSTD(1)),
    burst_cycles Array(UInt64) CODEC(ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    max_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections_peak UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1)),
    closed_connections UInt64 CODEC(T64, ZSTD(1)),
    expired_connections UInt64 CODEC(T64, ZSTD(1)),
    untracked_packets UInt64 CODEC(T64, ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1)),
    drop_frame_too_short UInt64 CODEC(T64, ZSTD(1)),
    drop_multi_segment UInt64 CODEC(T64, ZSTD(1)),
    drop_foreign_mac UInt64 CODEC(T64, ZSTD(1)),
    drop_own_source_mac UInt64 CODEC(T64, ZSTD(1)),
    drop_vlan_tagged UInt64 CODEC(T64, ZSTD(1)),
    drop_unsupported_ethertype UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_version UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_header_length UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_total_length UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_checksum UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_bad_source UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_fragment UInt64 CODEC(T64, ZSTD(1)),
    drop_ipv4_ttl_zero UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_bad_data_offset UInt64 CODEC(T64, ZSTD(1)),
    drop_tcp_bad_flags UInt64 CODEC(T64, ZSTD(1)),
    drop_udp_header_truncated UInt64 CODEC(T64, ZSTD(1)),
    drop_udp_bad_length UInt64 CODEC(T64, ZSTD(1)),
    drop_icmp_malformed UInt64 CODEC(T64, ZSTD(1)),
    drop_icmp_unsupported UInt64 CODEC(T64, ZSTD(1)),
    drop_arp_malformed UInt64 CODEC(T64, ZSTD(1)),
    drop_arp_not_for_us UInt64 CODEC(T64, ZSTD(1)),
    drop_not_configured UInt64 CODEC(T64, ZSTD(1)),
    drop_unknown_destination UInt64 CODEC(T64, ZSTD(1)),
    drop_own_address UInt64 CODEC(T64, ZSTD(1)),
    drop_no_listener UInt64 CODEC(T64, ZSTD(1)),
    drop_no_backend UInt64 CODEC(T64, ZSTD(1)),
    drop_no_connection UInt64 CODEC(T64, ZSTD(1)),
    drop_neighbour_unresolved UInt64 CODEC(T64, ZSTD(1)),
    drop_neighbour_queue_full UInt64 CODEC(T64, ZSTD(1)),
    drop_exceeds_mtu UInt64 CODEC(T64, ZSTD(1)),
    drop_tx_full UInt64 CODEC(T64, ZSTD(1)),
    drop_stopping UInt64 CODEC(T64, ZSTD(1)),
    consumed_arp_request UInt64 CODEC(T64, ZSTD(1)),
    consumed_arp_reply UInt64 CODEC(T64, ZSTD(1)),
    consumed_icmp_echo_request UInt64 CODEC(T64, ZSTD(1)),
    originated_arp_request UInt64 CODEC(T64, ZSTD(1)),
    originated_arp_reply UInt64 CODEC(T64, ZSTD(1)),
    originated_icmp_echo_reply UInt64 CODEC(T64, ZSTD(1)),
    held_neighbour_queue UInt64 CODEC(T64, ZSTD(1)),
    orphaned_connections UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, instance, lcore, ts, boot)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_1s (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_missed_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_error_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_no_mbuf_failures UInt64 CODEC(T64, ZSTD(1)),
    tx_error_packets UInt64 CODEC(T64, ZSTD(1)),
    link_up UInt64 CODEC(T64, ZSTD(1)),
    mtu_bytes UInt64 CODEC(T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, port, ts)
TTL toDateTime(ts) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_abs (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_missed_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_error_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_no_mbuf_failures UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_error_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    link_up UInt64 CODEC(Delta, T64, ZSTD(1)),
    mtu_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, port, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_missed_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_error_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_no_mbuf_failures UInt64 CODEC(T64, ZSTD(1)),
    tx_error_packets UInt64 CODEC(T64, ZSTD(1)),
    link_up UInt64 CODEC(T64, ZSTD(1)),
    mtu_bytes UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (pop, node, instance, port, ts, boot)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_missed_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_error_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_no_mbuf_failures UInt64 CODEC(T64, ZSTD(1)),
    tx_error_packets UInt64 CODEC(T64, ZSTD(1)),
    link_up UInt64 CODEC(T64, ZSTD(1)),
    mtu_bytes UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, instance, port, ts, boot)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_queue_1s (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    queue LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_refused_packets UInt64 CODEC(T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, port, queue, ts)
TTL toDateTime(ts) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_queue_abs (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    queue LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_refused_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, port, queue, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_queue_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    queue LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_refused_packets UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (pop, node, instance, port, queue, ts, boot)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.port_queue_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    port LowCardinality(String),
    queue LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_refused_packets UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, instance, port, queue, ts, boot)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.vip_1s (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    vip LowCardinality(String),
    address LowCardinality(String),
    port LowCardinality(String),
    protocol LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    held_packets UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, vip, address, port, protocol, ts)
TTL toDateTime(ts) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.vip_abs (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    vip LowCardinality(String),
    address LowCardinality(String),
    port LowCardinality(String),
    protocol LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    held_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    created_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    active_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, vip, address, port, protocol, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.vip_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    vip LowCardinality(String),
    address LowCardinality(String),
    port LowCardinality(String),
    protocol LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    held_packets UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections_peak UInt64 CODEC(T64, ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (pop, node, instance, vip, address, port, protocol, ts, boot)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.vip_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    vip LowCardinality(String),
    address LowCardinality(String),
    port LowCardinality(String),
    protocol LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    rx_packets UInt64 CODEC(T64, ZSTD(1)),
    rx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes UInt64 CODEC(T64, ZSTD(1)),
    rx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    held_packets UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections_peak UInt64 CODEC(T64, ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, instance, vip, address, port, protocol, ts, boot)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.backend_1s (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    pool LowCardinality(String),
    backend LowCardinality(String),
    address LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, pool, backend, address, ts)
TTL toDateTime(ts) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.backend_abs (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    pool LowCardinality(String),
    backend LowCardinality(String),
    address LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    tx_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(Delta, T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(Delta, T64, ZSTD(1)),
    created_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    active_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(Delta, T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, pool, backend, address, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.backend_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    pool LowCardinality(String),
    backend LowCardinality(String),
    address LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections_peak UInt64 CODEC(T64, ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (pop, node, instance, pool, backend, address, ts, boot)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.backend_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    pool LowCardinality(String),
    backend LowCardinality(String),
    address LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    tx_packets UInt64 CODEC(T64, ZSTD(1)),
    tx_packets_peak UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes UInt64 CODEC(T64, ZSTD(1)),
    tx_bytes_peak UInt64 CODEC(T64, ZSTD(1)),
    dropped_packets UInt64 CODEC(T64, ZSTD(1)),
    created_connections UInt64 CODEC(T64, ZSTD(1)),
    created_connections_peak UInt64 CODEC(T64, ZSTD(1)),
    active_connections UInt64 CODEC(T64, ZSTD(1)),
    picked_up_connections UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, instance, pool, backend, address, ts, boot)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.node_1s (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1)),
    applied_configs UInt64 CODEC(T64, ZSTD(1)),
    rejected_configs UInt64 CODEC(T64, ZSTD(1)),
    listeners UInt64 CODEC(T64, ZSTD(1)),
    backends UInt64 CODEC(T64, ZSTD(1)),
    neighbours UInt64 CODEC(T64, ZSTD(1)),
    resolved_neighbours UInt64 CODEC(T64, ZSTD(1)),
    max_mbufs UInt64 CODEC(T64, ZSTD(1)),
    used_mbufs UInt64 CODEC(T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, ts)
TTL toDateTime(ts) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.node_abs (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    interval_ms UInt32 CODEC(T64, ZSTD(1)),
    stream UInt64 CODEC(DoubleDelta, ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    commit UInt64 CODEC(DoubleDelta, ZSTD(1)),
    config_generation UInt64 CODEC(Delta, T64, ZSTD(1)),
    applied_configs UInt64 CODEC(Delta, T64, ZSTD(1)),
    rejected_configs UInt64 CODEC(Delta, T64, ZSTD(1)),
    listeners UInt64 CODEC(Delta, T64, ZSTD(1)),
    backends UInt64 CODEC(Delta, T64, ZSTD(1)),
    neighbours UInt64 CODEC(Delta, T64, ZSTD(1)),
    resolved_neighbours UInt64 CODEC(Delta, T64, ZSTD(1)),
    max_mbufs UInt64 CODEC(Delta, T64, ZSTD(1)),
    used_mbufs UInt64 CODEC(Delta, T64, ZSTD(1)),
    INDEX late_commit commit TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (pop, node, instance, ts)
TTL toDateTime(ts) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.node_1m (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1)),
    applied_configs UInt64 CODEC(T64, ZSTD(1)),
    rejected_configs UInt64 CODEC(T64, ZSTD(1)),
    listeners UInt64 CODEC(T64, ZSTD(1)),
    backends UInt64 CODEC(T64, ZSTD(1)),
    neighbours UInt64 CODEC(T64, ZSTD(1)),
    resolved_neighbours UInt64 CODEC(T64, ZSTD(1)),
    max_mbufs UInt64 CODEC(T64, ZSTD(1)),
    used_mbufs UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(ts)
ORDER BY (pop, node, instance, ts, boot)
TTL ts + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS popscope.node_1h (
    ts DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    instance LowCardinality(String),
    boot UInt64 CODEC(ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    version UInt64 CODEC(DoubleDelta, ZSTD(1)),
    config_generation UInt64 CODEC(T64, ZSTD(1)),
    applied_configs UInt64 CODEC(T64, ZSTD(1)),
    rejected_configs UInt64 CODEC(T64, ZSTD(1)),
    listeners UInt64 CODEC(T64, ZSTD(1)),
    backends UInt64 CODEC(T64, ZSTD(1)),
    neighbours UInt64 CODEC(T64, ZSTD(1)),
    resolved_neighbours UInt64 CODEC(T64, ZSTD(1)),
    max_mbufs UInt64 CODEC(T64, ZSTD(1)),
    used_mbufs UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(ts)
ORDER BY (pop, node, instance, ts, boot)
TTL ts + toIntervalYear(3)
SETTINGS ttl_only_drop_parts = 1;
