// SPDX-License-Identifier: Apache-2.0
// What the stages of the packet path know of one packet of a burst.
#pragma once

#include "counters.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_BURST 64
#define PS_NO_DROP ((enum ps_drop)0)

struct rte_mbuf;
struct ps_listener;
struct ps_conn;
struct ps_session;

enum ps_packet_kind {
	PS_PACKET_TCP,
	PS_PACKET_UDP,
	PS_PACKET_OTHER, // ICMP and every other protocol
	PS_PACKET_ARP,
	PS_PACKET_ND, // neighbour solicitation or advertisement (ICMPv6)
};

// As they lie in an IPv6 header, from its ninth byte on.
struct ps_addresses6 {
	uint8_t source[16];
	uint8_t destination[16];
};

// Addresses and ports are in network byte order, as in the packet.
struct ps_packet {
	struct rte_mbuf *mbuf;
	union {
		struct { // IPv4
			uint32_t source;
			uint32_t destination;
		};
		const struct ps_addresses6 *addresses6; // IPv6: in the packet itself
	};
	uint16_t source_port; // 0 unless TCP or UDP
	uint16_t destination_port;
	uint16_t frame_length;
	uint16_t l3_length;    // of the IP packet
	uint8_t ether_length;  // 14, or 18 with a VLAN tag
	uint8_t header_length; // of IP, extension headers included
	uint8_t protocol;      // behind it
	uint8_t tcp_flags;     // 0 unless TCP
	uint16_t backend;      // row of the backend, once chosen
	uint8_t kind;          // enum ps_packet_kind
	bool ipv6;
	const struct ps_listener *listener;
	uint64_t key;  // of its connection
	uint64_t hash; // of the key: its place in the connection table
	union {
		struct ps_conn *conn;       // up to stage 3
		struct ps_session *session; // then, of what is translated
	};
};

static_assert(sizeof(struct ps_packet) == 64, "one cache line");
