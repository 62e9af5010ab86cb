// SPDX-License-Identifier: Apache-2.0
#include "datapath/quote.h"

#include "datapath/parse6.h"

#include <rte_udp.h>

#define PORTS 8 // bytes behind the IP headers that every error quotes
#define GUE_SIZE 4

// Of the first fragment, or the only one; 0: malformed.
static uint32_t header4(const uint8_t *quote, uint32_t length)
{
	const struct rte_ipv4_hdr *ip = (const void *)quote;
	uint32_t header;

	if (length < sizeof *ip || ip->version_ihl >> 4 != 4)
		return 0;
	header = (ip->version_ihl & 15) * 4u;
	return header < sizeof *ip || header > length ||
			       ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)
		       ? 0
		       : header;
}

// With extension headers; 0: malformed.
static uint32_t header6(const uint8_t *quote, uint32_t length, uint8_t *protocol)
{
	const struct rte_ipv6_hdr *ip = (const void *)quote;
	uint32_t header = sizeof *ip;

	if (length < sizeof *ip || quote[0] >> 4 != 6)
		return 0;
	*protocol = ip->proto;
	return ps_walk_extensions(quote, length, &header, protocol) == PS_NO_DROP ? header : 0;
}

// Any checksum of the quoted packet is not looked at: routers change headers as they like.
bool ps_read_quote(const uint8_t *quote, uint32_t length, bool ipv6, struct ps_packet *flow,
	struct ps_addresses6 *addresses)
{
	const struct rte_ipv4_hdr *v4 = (const void *)quote;
	const struct rte_ipv6_hdr *v6 = (const void *)quote;
	uint8_t protocol = 0;
	uint32_t header = ipv6 ? header6(quote, length, &protocol) : header4(quote, length);

	if (header == 0 || length < header + PORTS)
		return false;
	flow->ipv6 = ipv6;
	if (ipv6) {
		memcpy(addresses->source, v6->dst_addr, sizeof addresses->source);
		memcpy(addresses->destination, v6->src_addr, sizeof addresses->destination);
		flow->addresses6 = addresses;
	} else {
		flow->source = v4->dst_addr;
		flow->destination = v4->src_addr;
		protocol = v4->next_proto_id;
	}
	flow->header_length = (uint8_t)header;
	flow->protocol = protocol;
	flow->kind = protocol == IPPROTO_TCP ? PS_PACKET_TCP : PS_PACKET_UDP;
	memcpy(&flow->destination_port, quote + header, sizeof flow->destination_port);
	memcpy(&flow->source_port, quote + header + 2, sizeof flow->source_port);
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

uint32_t ps_unwrap_quote(const uint8_t *quote, uint32_t length, bool ipv6, bool *inner_ipv6)
{
	uint8_t protocol = 0;
	uint32_t header = ipv6 ? header6(quote, length, &protocol) : header4(quote, length);

	if (header == 0)
		return 0;
	if (!ipv6)
		protocol = ((const struct rte_ipv4_hdr *)quote)->next_proto_id;
	if (protocol == IPPROTO_UDP) {
		const uint8_t *gue = quote + header + sizeof(struct rte_udp_hdr);

		header += (uint32_t)sizeof(struct rte_udp_hdr) + GUE_SIZE;
		if (length < header || (gue[0] | gue[2] | gue[3]) != 0)
			return 0;
		protocol = gue[1];
	}
	*inner_ipv6 = protocol == IPPROTO_IPV6;
	return *inner_ipv6 || protocol == IPPROTO_IPIP ? header : 0;
}
