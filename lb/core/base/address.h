// SPDX-License-Identifier: Apache-2.0
// An address of either family in 16 bytes, network byte order. IPv4 is kept as RFC 4291 section
// 2.5.5.2 maps it (::ffff:a.b.c.d), so that lists, prefixes and comparisons know one kind only.
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ps_address {
	union {
		uint8_t bytes[16];
		uint32_t words[4];
		uint64_t halves[2];
	};
};

// A prefix; the length counts from the first of the 128 bits, so an IPv4 /24 has 120.
struct ps_prefix {
	struct ps_address network;
	uint8_t length;
};

#define PS_V4_PREFIX 96 // bits in front of an IPv4 address

static inline struct ps_address ps_address_v4(uint32_t address)
{
	return (struct ps_address){.words = {0, 0, htonl(0xffff), address}};
}

static inline struct ps_address ps_address_v6(const void *bytes)
{
	struct ps_address address;

	memcpy(&address, bytes, sizeof address);
	return address;
}

static inline bool ps_address_is_v4(const struct ps_address *address)
{
	return address->halves[0] == 0 && address->words[2] == htonl(0xffff);
}

static inline bool ps_address_equal(const struct ps_address *a, const struct ps_address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

// By the number that it is; IPv4 before IPv6 addresses that are in use.
static inline int ps_address_compare(const struct ps_address *a, const struct ps_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static inline struct ps_address ps_address_masked(const struct ps_address *address, uint8_t length)
{
	struct ps_address out = *address;

	for (uint32_t i = 0; i < 4; i++) {
		int bits = length - (int)(32 * i);
		if (bits <= 0)
			out.words[i] = 0;
		else if (bits < 32)
			out.words[i] &= htonl(UINT32_MAX << (32 - bits));
	}
	return out;
}

static inline bool ps_prefix_holds(const struct ps_prefix *prefix, const struct ps_address *address)
{
	struct ps_address masked = ps_address_masked(address, prefix->length);

	// A short prefix of IPv6 addresses does not hold those that IPv4 is mapped to.
	if (prefix->length < PS_V4_PREFIX && ps_address_is_v4(address))
		return false;
	return ps_address_equal(&masked, &prefix->network);
}

struct ps_address_text {
	char text[INET6_ADDRSTRLEN];
};

static inline struct ps_address_text ps_address_text(const struct ps_address *address)
{
	struct ps_address_text out;
	bool v4 = ps_address_is_v4(address);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &address->words[3] : address->words, out.text,
		sizeof out.text);
	return out;
}
