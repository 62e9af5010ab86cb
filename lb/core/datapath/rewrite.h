// SPDX-License-Identifier: Apache-2.0
// Addresses and ports of a packet, rewritten in place with their checksums. Pure.
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

struct ps_ends {
	const struct ps_address *source;
	const struct ps_address *destination;
	uint16_t source_port; // network byte order
	uint16_t destination_port;
};

// Where a packet's parts are. Of what an ICMP error quotes, its end may be missing.
struct ps_wire {
	uint8_t *ip;
	uint32_t header_length; // of IP, extension headers included
	uint32_t l4_length;     // bytes behind it: 4 at least
	uint8_t protocol;       // IPPROTO_TCP or IPPROTO_UDP
	bool ipv6;
};

void ps_rewrite(const struct ps_wire *wire, const struct ps_ends *to);
// False, and nothing changed: it would be 0.
bool ps_decrement_ttl(uint8_t *ip, bool ipv6);
// The packet's length becomes another, in its IP header and in the pseudo header of TCP.
void ps_change_length(const struct ps_wire *wire, int32_t by);
// A word of the TCP header, `at` bytes from its start, in network byte order.
void ps_change_tcp_word(const struct ps_wire *wire, uint32_t at, uint32_t to);
