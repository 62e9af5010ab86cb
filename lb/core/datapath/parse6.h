// SPDX-License-Identifier: Apache-2.0
// The IPv6 header and its extension headers; a part of parse.c.
#pragma once

#include "datapath/packet.h"

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <string.h>

#define PS_EXTENSIONS_MAX 8 // headers walked
#define PS_ND_SOLICITATION 135
#define PS_ND_ADVERTISEMENT 136

static inline bool ps_is_nd(uint8_t protocol, const uint8_t *payload, uint32_t length)
{
	return protocol == IPPROTO_ICMPV6 && length > 0 &&
	       (payload[0] == PS_ND_SOLICITATION || payload[0] == PS_ND_ADVERTISEMENT);
}

// Multicast, loopback and IPv4-mapped addresses never send; :: does in ICMPv6 alone (RFC 4861).
static inline bool ps_bad_source6(const uint8_t *address, uint8_t protocol)
{
	uint64_t halves[2];

	memcpy(halves, address, sizeof halves);
	if (address[0] == 0xff)
		return true;
	if (likely(halves[0] != 0))
		return false;
	if (halves[1] == 0)
		return protocol != IPPROTO_ICMPV6;
	return halves[1] == rte_cpu_to_be_64(1) ||
	       (uint32_t)(rte_be_to_cpu_64(halves[1]) >> 32) == 0xffff;
}

// One extension header at *offset, of type *next; false: it is no extension header that is walked.
static inline enum ps_drop ps_skip_extension(
	const uint8_t *header, uint32_t length, uint32_t *offset, uint8_t *next, bool first)
{
	const uint8_t *extension = header + *offset;
	uint32_t size = 8;

	if (length - *offset < size)
		return PS_DROP_IPV6_BAD_EXTENSION;
	switch (*next) {
	case IPPROTO_FRAGMENT:
		// An atomic fragment (RFC 6946) is a whole packet.
		if ((extension[2] | (extension[3] & 0xf9)) != 0)
			return PS_DROP_IPV6_FRAGMENT;
		break;
	case IPPROTO_AH:
		size = (extension[1] + 2u) * 4;
		break;
	case IPPROTO_ROUTING:
		if (extension[3] != 0) // segments are left: we are not where it goes
			return PS_DROP_IPV6_ROUTING_HEADER;
		size = (extension[1] + 1u) * 8;
		break;
	case IPPROTO_HOPOPTS:
		if (!first)
			return PS_DROP_IPV6_BAD_EXTENSION;
		size = (extension[1] + 1u) * 8;
		break;
	default:
		size = (extension[1] + 1u) * 8;
	}
	if (length - *offset < size)
		return PS_DROP_IPV6_BAD_EXTENSION;
	*next = extension[0];
	*offset += size;
	return PS_NO_DROP;
}

static inline bool ps_is_extension(uint8_t type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_FRAGMENT ||
	       type == IPPROTO_DSTOPTS || type == IPPROTO_AH;
}

static inline enum ps_drop ps_walk_extensions(
	const uint8_t *header, uint32_t length, uint32_t *offset, uint8_t *next)
{
	for (uint32_t walked = 0; ps_is_extension(*next); walked++) {
		enum ps_drop drop;

		if (walked == PS_EXTENSIONS_MAX)
			return PS_DROP_IPV6_BAD_EXTENSION;
		drop = ps_skip_extension(header, length, offset, next, walked == 0);
		if (drop != PS_NO_DROP)
			return drop;
	}
	// The packet knows the length of its headers in a byte.
	return *offset <= UINT8_MAX ? PS_NO_DROP : PS_DROP_IPV6_BAD_EXTENSION;
}

// `length` bytes from *header on are there.
static inline enum ps_drop ps_parse_ipv6(
	const uint8_t *header, uint32_t length, struct ps_packet *out)
{
	const struct rte_ipv6_hdr *ip = (const void *)header;
	uint32_t offset = sizeof *ip;

	if (length < sizeof *ip)
		return PS_DROP_IPV6_HEADER_TRUNCATED;
	if (header[0] >> 4 != 6)
		return PS_DROP_IPV6_BAD_VERSION;
	uint32_t total = sizeof *ip + rte_be_to_cpu_16(ip->payload_len);
	if (total > length)
		return PS_DROP_IPV6_TRUNCATED;
	if (ip->hop_limits == 0)
		return PS_DROP_IPV6_HOP_LIMIT_ZERO;
	out->protocol = ip->proto;
	if (unlikely(ps_is_extension(ip->proto))) {
		enum ps_drop drop = ps_walk_extensions(header, total, &offset, &out->protocol);
		if (drop != PS_NO_DROP)
			return drop;
	}
	if (unlikely(ps_bad_source6(ip->src_addr, out->protocol)))
		return PS_DROP_IPV6_BAD_SOURCE;
	out->addresses6 = (const void *)ip->src_addr;
	out->l3_length = (uint16_t)total;
	out->header_length = (uint8_t)offset;
	out->ipv6 = true;
	return PS_NO_DROP;
}
