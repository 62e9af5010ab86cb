// SPDX-License-Identifier: Apache-2.0
// The packets that ICMP errors quote. Pure, as parse.c is, and fuzzed with it.
#pragma once

#include "datapath/packet.h"

#include <string.h>

// Reads the beginning of a TCP or UDP packet: `length` bytes, which its headers and 8 more must
// have. *flow gets the other direction: the packets that are answered by the quoted one, and the
// length of the quoted IP header. Of IPv6, it points to *addresses then. False: it is malformed, or
// no such packet.
bool ps_read_quote(const uint8_t *quote, uint32_t length, bool ipv6, struct ps_packet *flow,
	struct ps_addresses6 *addresses);
// The other direction of a flow, in place.
static inline void ps_turn(struct ps_packet *flow, struct ps_addresses6 *addresses)
{
	struct ps_addresses6 turned;
	uint16_t port = flow->source_port;

	flow->source_port = flow->destination_port;
	flow->destination_port = port;
	if (flow->ipv6) {
		memcpy(turned.source, addresses->destination, sizeof turned.source);
		memcpy(turned.destination, addresses->source, sizeof turned.destination);
		*addresses = turned;
	} else {
		uint32_t source = flow->source;
		flow->source = flow->destination;
		flow->destination = source;
	}
}

// The same of a packet that we sent through a tunnel: finds the packet in it. Returns how many
// bytes are in front of that one, or 0; *inner_ipv6 says its family.
uint32_t ps_unwrap_quote(const uint8_t *quote, uint32_t length, bool ipv6, bool *inner_ipv6);
