// SPDX-License-Identifier: Apache-2.0
// A configuration in which every feature of the packet path is used.
#pragma once

// clang-format off
#define FUZZ_WORKER_CONFIG "{ \
  \"generation\": 1, \
  \"addresses\": [{\"port\": 0, \"address\": \"10.77.1.11/24\"}, \
    {\"port\": 0, \"address\": \"2001:db8:77::11/64\"}, \
    {\"port\": 0, \"address\": \"10.77.1.12/24\"}, \
    {\"port\": 0, \"address\": \"2001:db8:77::12/64\"}, \
    {\"port\": 1, \"vlan\": 7, \"address\": \"10.78.1.11/24\"}], \
  \"routes\": [{\"prefix\": \"10.99.0.0/16\", \"via\": \"10.77.1.1\"}, \
    {\"prefix\": \"::/0\", \"via\": \"2001:db8:77::1\"}], \
  \"maglev\": {\"size\": 251}, \
  \"timeouts\": {\"tcp_syn\": 3, \"tcp_established\": 20, \"tcp_fin\": 2, \"udp\": 5}, \
  \"lists\": [{\"name\": \"bad\", \"deny\": [\"192.0.2.128/25\", \"2001:db8:bad::/48\"]}, \
    {\"name\": \"few\", \"default\": \"deny\", \"allow\": [\"192.0.2.0/24\", \"2001:db8::/32\"]}], \
  \"list\": \"bad\", \
  \"pools\": [ \
    {\"name\": \"direct\", \"backends\": [ \
      {\"name\": \"a\", \"address\": \"10.77.1.21\"}, \
      {\"name\": \"b\", \"address\": \"2001:db8:77::22\", \"limits\": {\"connections\": 2}}, \
      {\"name\": \"c\", \"address\": \"10.78.1.23\"}]}, \
    {\"name\": \"turns\", \"scheduler\": \"weighted_round_robin\", \"mode\": \"ipip\", \"backends\": [ \
      {\"name\": \"a\", \"address\": \"10.99.0.21\"}, \
      {\"name\": \"b\", \"address\": \"2001:db8:99::22\", \"weight\": 50}]}, \
    {\"name\": \"least\", \"scheduler\": \"weighted_least_connections\", \"mode\": \"gue\", \
     \"backends\": [ \
      {\"name\": \"a\", \"address\": \"10.99.0.31\"}, \
      {\"name\": \"b\", \"address\": \"2001:db8:99::32\"}]}, \
    {\"name\": \"toa\", \"mode\": \"nat\", \"client_address\": \"toa\", \
     \"local_addresses\": [\"10.77.1.12\"], \"backends\": [ \
      {\"name\": \"a\", \"address\": \"10.77.1.51\", \"port\": 8080}]}, \
    {\"name\": \"toa6\", \"mode\": \"nat\", \"client_address\": \"toa\", \
     \"local_addresses\": [\"2001:db8:77::12\"], \"backends\": [ \
      {\"name\": \"a\", \"address\": \"2001:db8:77::52\"}]}, \
    {\"name\": \"proxy\", \"mode\": \"nat\", \"client_address\": \"proxy_v2\", \
     \"local_addresses\": [\"10.77.1.12\"], \"backends\": [ \
      {\"name\": \"a\", \"address\": \"10.99.0.61\"}]}, \
    {\"name\": \"quic\", \"scheduler\": \"maglev_source\", \"backends\": [ \
      {\"name\": \"a\", \"address\": \"10.77.1.41\", \"server_id\": \"0001\"}, \
      {\"name\": \"b\", \"address\": \"10.77.1.42\", \"server_id\": \"0002\"}]}], \
  \"listeners\": [ \
    {\"name\": \"web\", \"address\": \"198.51.100.1\", \"port\": 80, \"protocol\": \"tcp\", \
     \"pool\": \"direct\", \"icmp_echo\": true, \"max_half_open\": 4}, \
    {\"name\": \"strict\", \"address\": \"198.51.100.1\", \"port\": 81, \"protocol\": \"tcp\", \
     \"pool\": \"turns\", \"tcp_sloppy\": false, \"list\": \"few\"}, \
    {\"name\": \"flood\", \"address\": \"198.51.100.1\", \"port\": 82, \"protocol\": \"tcp\", \
     \"pool\": \"least\", \"max_half_open\": 1, \"half_open_excess\": \"untracked\"}, \
    {\"name\": \"toa\", \"address\": \"198.51.100.1\", \"port\": 83, \"protocol\": \"tcp\", \
     \"pool\": \"toa\"}, \
    {\"name\": \"proxy\", \"address\": \"198.51.100.1\", \"port\": 84, \"protocol\": \"tcp\", \
     \"pool\": \"proxy\"}, \
    {\"name\": \"natdns\", \"address\": \"198.51.100.1\", \"port\": 85, \"protocol\": \"udp\", \
     \"pool\": \"toa\"}, \
    {\"name\": \"nat6\", \"address\": \"2001:db8:5::1\", \"port\": 83, \"protocol\": \"tcp\", \
     \"pool\": \"toa6\"}, \
    {\"name\": \"dns\", \"address\": \"198.51.100.1\", \"port\": 53, \"protocol\": \"udp\", \
     \"pool\": \"turns\", \"limits\": {\"connections\": 3, \"packets_per_s\": 100000}}, \
    {\"name\": \"quic\", \"address\": \"198.51.100.1\", \"port\": 443, \"protocol\": \"udp\", \
     \"pool\": \"quic\", \"quic\": {\"server_id_length\": 2}}, \
    {\"name\": \"web6\", \"address\": \"2001:db8:5::1\", \"port\": 80, \"protocol\": \"tcp\", \
     \"pool\": \"direct\"}, \
    {\"name\": \"far6\", \"address\": \"2001:db8:5::1\", \"port\": 81, \"protocol\": \"tcp\", \
     \"pool\": \"least\"}, \
    {\"name\": \"quic6\", \"address\": \"2001:db8:5::1\", \"port\": 443, \"protocol\": \"udp\", \
     \"pool\": \"quic\", \"quic\": {\"server_id_length\": 2}}]}"
// clang-format on
