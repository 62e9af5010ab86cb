// SPDX-License-Identifier: Apache-2.0
#include "datapath/rewrite.h"

#include "datapath/checksum.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <stddef.h>

static uint32_t load32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

// NULL: it is not there.
static uint16_t *l4_checksum(const struct ps_wire *wire)
{
	uint32_t at = wire->protocol == IPPROTO_TCP ? offsetof(struct rte_tcp_hdr, cksum)
						    : offsetof(struct rte_udp_hdr, dgram_cksum);

	return wire->l4_length >= at + sizeof(uint16_t)
		       ? (uint16_t *)(wire->ip + wire->header_length + at)
		       : NULL;
}

// A UDP checksum of 0 means that there is none, so one that comes to 0 is sent as its other zero.
static void change_l4(const struct ps_wire *wire, uint32_t change)
{
	uint16_t *checksum = l4_checksum(wire);
	bool udp = wire->protocol == IPPROTO_UDP;

	if (checksum == NULL || (udp && *checksum == 0))
		return;
	*checksum = ps_checksum_after(*checksum, change);
	if (udp && *checksum == 0)
		*checksum = 0xffff;
}

// Returns what the addresses change checksums by.
static uint32_t rewrite_ipv4(struct rte_ipv4_hdr *ip, const struct ps_ends *to)
{
	uint32_t change = ps_sum_change((uint64_t)ip->src_addr + ip->dst_addr,
		(uint64_t)to->source->words[3] + to->destination->words[3]);

	ip->src_addr = to->source->words[3];
	ip->dst_addr = to->destination->words[3];
	ip->hdr_checksum = ps_checksum_after(ip->hdr_checksum, change);
	return change;
}

static uint32_t rewrite_ipv6(struct rte_ipv6_hdr *ip, const struct ps_ends *to)
{
	uint64_t old = ps_sum_words(ip->src_addr, 8);

	memcpy(ip->src_addr, to->source->bytes, sizeof ip->src_addr);
	memcpy(ip->dst_addr, to->destination->bytes, sizeof ip->dst_addr);
	return ps_sum_change(old, ps_sum_words(ip->src_addr, 8));
}

void ps_rewrite(const struct ps_wire *wire, const struct ps_ends *to)
{
	uint8_t *ports = wire->ip + wire->header_length;
	uint32_t old = load32(ports), change;

	change = wire->ipv6 ? rewrite_ipv6((void *)wire->ip, to)
			    : rewrite_ipv4((void *)wire->ip, to);
	memcpy(ports, &to->source_port, sizeof to->source_port);
	memcpy(ports + 2, &to->destination_port, sizeof to->destination_port);
	change_l4(wire, change + ps_sum_change(old, load32(ports)));
}

bool ps_decrement_ttl(uint8_t *ip, bool ipv6)
{
	struct rte_ipv4_hdr *v4 = (void *)ip;
	struct rte_ipv6_hdr *v6 = (void *)ip;
	uint8_t *ttl = ipv6 ? &v6->hop_limits : &v4->time_to_live;

	if (*ttl <= 1)
		return false;
	(*ttl)--;
	if (!ipv6) // the first byte of its word
		v4->hdr_checksum =
			ps_checksum_after(v4->hdr_checksum, ps_sum_change(RTE_BE16(0x100), 0));
	return true;
}

void ps_change_length(const struct ps_wire *wire, int32_t by)
{
	struct rte_ipv4_hdr *v4 = (void *)wire->ip;
	struct rte_ipv6_hdr *v6 = (void *)wire->ip;
	uint16_t old = wire->ipv6 ? v6->payload_len : v4->total_length;
	uint16_t new = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(old) + by));
	uint32_t l4 = wire->l4_length;

	if (wire->ipv6) {
		v6->payload_len = new;
	} else {
		v4->total_length = new;
		v4->hdr_checksum = ps_checksum_after(v4->hdr_checksum, ps_sum_change(old, new));
	}
	change_l4(wire, ps_sum_change(rte_cpu_to_be_16((uint16_t)l4),
				rte_cpu_to_be_16((uint16_t)((int32_t)l4 + by))));
}

void ps_change_tcp_word(const struct ps_wire *wire, uint32_t at, uint32_t to)
{
	uint8_t *word = wire->ip + wire->header_length + at;
	uint32_t change = ps_sum_change(load32(word), to);

	if (at % 2 != 0) // the checksum's words lie the other way
		change = rte_bswap16(ps_sum_fold(change));
	memcpy(word, &to, sizeof to);
	change_l4(wire, change);
}
