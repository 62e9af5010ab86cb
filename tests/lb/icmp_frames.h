// SPDX-License-Identifier: Apache-2.0
// ICMP for tests: errors about packets that a VIP's backend sent.
#pragma once

#include "tunnel_rig.h"

#define QUOTED 28            // of TCP over IPv4: the header and 8 bytes, as every router quotes
#define ROUTER "203.0.113.7" // somewhere on the path
#define ROUTER6 "2001:db8:f::7"

static inline void sum_icmp(struct frame *f)
{
	uint8_t *icmp = f->bytes + L4_AT;

	put_16(icmp + 2, 0);
	put_16(icmp + 2, (uint16_t)~ones_sum(icmp, f->length - L4_AT, 0));
}

// An error of a router to the VIP, about what the VIP's backend sent to the client's port.
static inline struct frame error4(uint8_t type, uint8_t code, uint16_t port)
{
	struct frame sent = frame_tcp(VIP4, 80, CLIENT4, port, RTE_TCP_ACK_FLAG), f;

	frame_ipv4(&f, ROUTER, VIP4, IPPROTO_ICMP, 8 + QUOTED);
	f.bytes[L4_AT] = type;
	f.bytes[L4_AT + 1] = code;
	put_16(f.bytes + L4_AT + 6, 1400);
	memcpy(f.bytes + L4_AT + 8, sent.bytes + IP_AT, QUOTED);
	sum_icmp(&f);
	return f;
}

static inline struct frame error6(uint8_t type, uint16_t port)
{
	struct frame sent = frame_tcp6(VIP6, 80, CLIENT6, port, RTE_TCP_ACK_FLAG), f;

	frame_ipv6(&f, ROUTER6, VIP6, IPPROTO_ICMPV6, 8 + 60);
	f.bytes[L4_AT6] = type;
	put_16(f.bytes + L4_AT6 + 6, 1400);
	memcpy(f.bytes + L4_AT6 + 8, sent.bytes + IP_AT, 60);
	frame_checksum6(&f);
	return f;
}

// The frame with one byte of its ICMP message changed, and then the right checksum if need be.
static inline void change(struct frame f, uint32_t at, uint8_t value, bool right)
{
	bool v6 = f.bytes[12] == 0x86;

	f.bytes[(v6 ? L4_AT6 : L4_AT) + at] = value;
	if (right && v6)
		frame_checksum6(&f);
	else if (right)
		sum_icmp(&f);
	rig_receive(f);
}
