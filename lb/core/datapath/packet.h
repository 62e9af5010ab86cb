// SPDX-License-Identifier: Apache-2.0
// What the stages of the packet path know of one packet of a burst.
#pragma once

#include "counters.h"

#include <assert.h>
#include <stdint.h>

#define PS_BURST 64
#define PS_NO_DROP ((enum ps_drop)0)

struct rte_mbuf;
struct ps_listener;
struct ps_conn;

enum ps_packet_kind {
	PS_PACKET_ARP,
	PS_PACKET_TCP,
	PS_PACKET_UDP,
	PS_PACKET_OTHER_IPV4, // ICMP and every other protocol
};

// Addresses and ports are in network byte order, as in the packet.
struct ps_packet {
	struct rte_mbuf *mbuf;
	uint32_t source;
	uint32_t destination;
	uint16_t source_port; // 0 unless TCP or UDP
	uint16_t destination_port;
	uint16_t l3_length; // IPv4 total length
	uint8_t header_length;
	uint8_t protocol;
	uint8_t tcp_flags; // 0 unless TCP
	uint8_t kind;      // enum ps_packet_kind
	uint16_t backend;  // row of the backend, once chosen
	uint32_t frame_length;
	const struct ps_listener *listener;
	uint64_t key;  // of its connection
	uint64_t hash; // of the key: its place in the connection table
	struct ps_conn *conn;
};

static_assert(sizeof(struct ps_packet) == 64, "one cache line");
