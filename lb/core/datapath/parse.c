// SPDX-License-Identifier: Apache-2.0
#include "datapath/parse.h"

#include "datapath/parse6.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#define TCP_FLAGS_KNOWN                                                                            \
	(RTE_TCP_FIN_FLAG | RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_PSH_FLAG |               \
		RTE_TCP_ACK_FLAG | RTE_TCP_URG_FLAG)

static inline uint64_t load64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof value);
	return value;
}

// The Internet checksum of a header of `length` bytes, a multiple of 4: 0 when it is right.
static inline uint16_t header_checksum(const uint8_t *header, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < length; i += 4) {
		uint32_t word;
		memcpy(&word, header + i, sizeof word);
		sum += word;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline bool bad_source(uint32_t source)
{
	uint8_t first = source & 0xff; // network byte order on a little-endian machine

	return first == 0 || first == 127 || (first >= 224 && first < 240) || source == 0xffffffff;
}

static inline enum ps_drop parse_tcp(const uint8_t *segment, uint32_t length, struct ps_packet *out)
{
	const struct rte_tcp_hdr *tcp = (const void *)segment;

	if (length < sizeof *tcp)
		return PS_DROP_TCP_HEADER_TRUNCATED;
	uint32_t offset = (tcp->data_off >> 4) * 4u;
	if (offset < sizeof *tcp || offset > length)
		return PS_DROP_TCP_BAD_DATA_OFFSET;
	uint8_t flags = tcp->tcp_flags & TCP_FLAGS_KNOWN;
	if (flags == 0 ||
		((flags & RTE_TCP_SYN_FLAG) && (flags & (RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG))))
		return PS_DROP_TCP_BAD_FLAGS;
	out->source_port = tcp->src_port;
	out->destination_port = tcp->dst_port;
	out->tcp_flags = flags;
	out->kind = PS_PACKET_TCP;
	return PS_NO_DROP;
}

static inline enum ps_drop parse_udp(
	const uint8_t *datagram, uint32_t length, struct ps_packet *out)
{
	const struct rte_udp_hdr *udp = (const void *)datagram;

	if (length < sizeof *udp)
		return PS_DROP_UDP_HEADER_TRUNCATED;
	uint32_t told = rte_be_to_cpu_16(udp->dgram_len);
	if (told < sizeof *udp || told > length)
		return PS_DROP_UDP_BAD_LENGTH;
	out->source_port = udp->src_port;
	out->destination_port = udp->dst_port;
	out->kind = PS_PACKET_UDP;
	return PS_NO_DROP;
}

// The checks of the IPv4 header alone; *ip and `length` bytes from it on are there.
static inline enum ps_drop check_ipv4(const uint8_t *header, uint32_t length)
{
	const struct rte_ipv4_hdr *ip = (const void *)header;

	if (length < sizeof *ip)
		return PS_DROP_IPV4_HEADER_TRUNCATED;
	if (ip->version_ihl >> 4 != 4)
		return PS_DROP_IPV4_BAD_VERSION;
	uint32_t header_length = (ip->version_ihl & 15) * 4u;
	if (header_length < sizeof *ip)
		return PS_DROP_IPV4_BAD_HEADER_LENGTH;
	if (header_length > length)
		return PS_DROP_IPV4_HEADER_TRUNCATED;
	uint32_t total_length = rte_be_to_cpu_16(ip->total_length);
	if (total_length < header_length)
		return PS_DROP_IPV4_BAD_TOTAL_LENGTH;
	if (total_length > length)
		return PS_DROP_IPV4_TRUNCATED;
	uint16_t checksum = likely(header_length == sizeof *ip)
				    ? header_checksum(header, sizeof *ip)
				    : header_checksum(header, header_length);
	if (checksum != 0)
		return PS_DROP_IPV4_BAD_CHECKSUM;
	if (bad_source(ip->src_addr))
		return PS_DROP_IPV4_BAD_SOURCE;
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return PS_DROP_IPV4_FRAGMENT;
	if (ip->time_to_live == 0)
		return PS_DROP_IPV4_TTL_ZERO;
	return PS_NO_DROP;
}

// What follows the IP headers: `length` bytes.
static inline enum ps_drop parse_payload(
	const uint8_t *payload, uint32_t length, struct ps_packet *out)
{
	if (likely(out->protocol == IPPROTO_TCP))
		return parse_tcp(payload, length, out);
	out->tcp_flags = 0;
	if (out->protocol == IPPROTO_UDP)
		return parse_udp(payload, length, out);
	out->source_port = 0;
	out->destination_port = 0;
	out->kind = out->ipv6 && ps_is_nd(out->protocol, payload, length) ? PS_PACKET_ND
									  : PS_PACKET_OTHER;
	return PS_NO_DROP;
}

static inline enum ps_drop parse_ipv4(const uint8_t *header, uint32_t length, struct ps_packet *out)
{
	const struct rte_ipv4_hdr *ip = (const void *)header;
	enum ps_drop drop = check_ipv4(header, length);

	if (unlikely(drop != PS_NO_DROP))
		return drop;
	out->source = ip->src_addr;
	out->destination = ip->dst_addr;
	out->l3_length = rte_be_to_cpu_16(ip->total_length);
	out->header_length = (ip->version_ihl & 15) * 4;
	out->protocol = ip->next_proto_id;
	out->ipv6 = false;
	return parse_payload(header + out->header_length, out->l3_length - out->header_length, out);
}

static inline enum ps_drop parse_ipv6(const uint8_t *header, uint32_t length, struct ps_packet *out)
{
	enum ps_drop drop = ps_parse_ipv6(header, length, out);

	if (unlikely(drop != PS_NO_DROP))
		return drop;
	return parse_payload(header + out->header_length, out->l3_length - out->header_length, out);
}

// Of multicast, a port takes the groups of neighbour discovery (RFC 2464 section 7).
static inline bool may_be_nd(uint64_t destination)
{
	return (destination & 0xffff) == 0x3333;
}

enum ps_drop ps_parse(const uint8_t *frame, uint32_t length, uint64_t mac, struct ps_packet *packet)
{
	const struct rte_ether_hdr *ether = (const void *)frame;
	enum ps_drop drop;

	if (length < sizeof *ether)
		return PS_DROP_FRAME_TOO_SHORT;
	uint64_t destination = load64(frame) & PS_MAC_MASK;
	if ((load64(frame + RTE_ETHER_ADDR_LEN) & PS_MAC_MASK) == mac)
		return PS_DROP_OWN_SOURCE_MAC;
	if (unlikely(destination != mac && destination != PS_MAC_MASK && !may_be_nd(destination)))
		return PS_DROP_FOREIGN_MAC;
	uint16_t type = ether->ether_type;
	uint32_t skip = sizeof *ether;
	if (unlikely(type == RTE_BE16(RTE_ETHER_TYPE_VLAN))) {
		skip += RTE_VLAN_HLEN;
		if (length < skip)
			return PS_DROP_FRAME_TOO_SHORT;
		type = ((const struct rte_vlan_hdr *)(ether + 1))->eth_proto;
	}
	packet->frame_length = (uint16_t)length;
	packet->ether_length = (uint8_t)skip;
	if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		drop = parse_ipv4(frame + skip, length - skip, packet);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		drop = parse_ipv6(frame + skip, length - skip, packet);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_ARP)) {
		packet->kind = PS_PACKET_ARP;
		drop = PS_NO_DROP;
	} else if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ))
		return PS_DROP_VLAN_STACKED;
	else
		return PS_DROP_UNSUPPORTED_ETHERTYPE;
	// Every director on the link has a broadcast frame, and each would forward it.
	if (unlikely(destination != mac && drop == PS_NO_DROP &&
		     packet->kind != (destination == PS_MAC_MASK ? PS_PACKET_ARP : PS_PACKET_ND)))
		return PS_DROP_FOREIGN_MAC;
	return drop;
}
