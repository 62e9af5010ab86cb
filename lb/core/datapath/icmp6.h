// SPDX-License-Identifier: Apache-2.0
// What ICMPv6 messages have in common.
#pragma once

#include "base/address.h"
#include "datapath/packet.h"

#include <rte_ip.h>
#include <string.h>

static inline struct rte_ipv6_hdr *ps_header6(const struct ps_packet *packet)
{
	return (void *)((uintptr_t)packet->addresses6 - offsetof(struct rte_ipv6_hdr, src_addr));
}

static inline bool ps_is_unspecified6(const uint8_t *address)
{
	uint64_t halves[2];

	memcpy(halves, address, sizeof halves);
	return halves[0] == 0 && halves[1] == 0;
}

// The header is not followed by extension headers; its payload is all there.
static inline uint16_t ps_icmp6_sum(const struct rte_ipv6_hdr *ip, const void *message)
{
	uint32_t sum = rte_raw_cksum(message, rte_be_to_cpu_16(ip->payload_len));

	sum += rte_ipv6_phdr_cksum(ip, 0);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline bool ps_icmp6_checksum_ok(const struct rte_ipv6_hdr *ip, const void *message)
{
	return ps_icmp6_sum(ip, message) == 0xffff;
}

// The checksum field of the message is 0.
static inline uint16_t ps_icmp6_checksum(const struct rte_ipv6_hdr *ip, const void *message)
{
	return (uint16_t)~ps_icmp6_sum(ip, message);
}

// RFC 4291 section 2.7.1: the group that the owner of an address is asked in.
static inline void ps_solicited_node(const struct ps_address *address, uint8_t group[16])
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};

	memcpy(group, prefix, sizeof prefix);
	memcpy(group + 13, address->bytes + 13, 3);
}

// RFC 2464 section 7.
static inline uint64_t ps_multicast_mac(const uint8_t group[16])
{
	uint32_t low;

	memcpy(&low, group + 12, sizeof low);
	return 0x3333 | (uint64_t)low << 16;
}
