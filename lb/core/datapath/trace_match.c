// SPDX-License-Identifier: Apache-2.0
// A lenient look at a frame: a trace is wanted of the packets that the parser refuses, too.
#include "datapath/trace.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>

#define EXTENSIONS_MAX 8

struct look {
	uint16_t ethertype;
	int protocol; // -1: none
	bool has_addresses;
	bool has_ports;
	struct ps_address addresses[2]; // source, destination
	uint16_t ports[2];
};

static uint16_t load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void look_at_ports(struct look *look, const uint8_t *at, uint32_t length)
{
	if ((look->protocol != IPPROTO_TCP && look->protocol != IPPROTO_UDP) || length < 4)
		return;
	look->has_ports = true;
	look->ports[0] = load16(at);
	look->ports[1] = load16(at + 2);
}

static void look_at_ipv4(struct look *look, const uint8_t *at, uint32_t length)
{
	const struct rte_ipv4_hdr *ip = (const void *)at;

	if (length < sizeof *ip)
		return;
	uint32_t header = (ip->version_ihl & 15) * 4u;
	look->has_addresses = true;
	look->addresses[0] = ps_address_v4(ip->src_addr);
	look->addresses[1] = ps_address_v4(ip->dst_addr);
	look->protocol = ip->next_proto_id;
	if (header <= length && (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) == 0)
		look_at_ports(look, at + header, length - header);
}

static bool is_extension(int protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS;
}

static void look_at_ipv6(struct look *look, const uint8_t *at, uint32_t length)
{
	const struct rte_ipv6_hdr *ip = (const void *)at;
	uint32_t skip = sizeof *ip;

	if (length < sizeof *ip)
		return;
	look->has_addresses = true;
	look->addresses[0] = ps_address_v6(ip->src_addr);
	look->addresses[1] = ps_address_v6(ip->dst_addr);
	look->protocol = ip->proto;
	for (uint32_t n = 0; n < EXTENSIONS_MAX && is_extension(look->protocol); n++) {
		if (length < skip + 8)
			return;
		look->protocol = at[skip];
		skip += 8 + 8u * at[skip + 1];
	}
	if (skip <= length)
		look_at_ports(look, at + skip, length - skip);
}

static struct look look_at(const uint8_t *frame, uint32_t length)
{
	struct look look = {.protocol = -1};
	uint32_t skip = RTE_ETHER_HDR_LEN;

	if (length < skip)
		return look;
	look.ethertype = load16(frame + 12);
	while ((look.ethertype == RTE_ETHER_TYPE_VLAN || look.ethertype == RTE_ETHER_TYPE_QINQ) &&
		length >= skip + RTE_VLAN_HLEN) {
		look.ethertype = load16(frame + skip + 2);
		skip += RTE_VLAN_HLEN;
	}
	if (look.ethertype == RTE_ETHER_TYPE_IPV4)
		look_at_ipv4(&look, frame + skip, length - skip);
	else if (look.ethertype == RTE_ETHER_TYPE_IPV6)
		look_at_ipv6(&look, frame + skip, length - skip);
	return look;
}

static bool holds_of(const struct ps_trace_term *term, const struct look *look, uint32_t end)
{
	if (term->kind == PS_TRACE_PORT)
		return look->has_ports && look->ports[end] == term->number;
	return look->has_addresses && ps_prefix_holds(&term->network, &look->addresses[end]);
}

static bool holds(const struct ps_trace_term *term, const struct look *look)
{
	if (term->kind == PS_TRACE_ETHERTYPE)
		return look->ethertype == term->number;
	if (term->kind == PS_TRACE_PROTOCOL)
		return look->protocol == term->number;
	return (term->side != PS_TRACE_DESTINATION && holds_of(term, look, 0)) ||
	       (term->side != PS_TRACE_SOURCE && holds_of(term, look, 1));
}

bool ps_trace_matches(const struct ps_trace *trace, const uint8_t *frame, uint32_t length)
{
	struct look look = look_at(frame, length);

	for (uint32_t i = 0; i < trace->term_count; i++)
		if (!holds(&trace->terms[i], &look))
			return false;
	return true;
}
