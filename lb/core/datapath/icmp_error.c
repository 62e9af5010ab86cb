// SPDX-License-Identifier: Apache-2.0
// ICMP errors for a VIP. They quote the beginning of a packet that a backend sent to a client; who
// that was is what the connection of the client's packets tells, or else Maglev.
#include "datapath/icmp_error.h"

#include "datapath/icmp6.h"
#include "datapath/link.h"
#include "datapath/parse6.h"
#include "datapath/target.h"

#include <rte_icmp.h>

#define UNREACHABLE 3 // ICMP, with "fragmentation needed"
#define TIME_EXCEEDED 11
#define PARAMETER_PROBLEM 12
#define LAST_ERROR6 4 // of ICMPv6: unreachable, packet too big, time exceeded, parameter problem
#define PORTS 8       // bytes behind the IP headers that every error quotes

static const uint8_t *message_of(const struct ps_packet *packet)
{
	return rte_pktmbuf_mtod_offset(
		packet->mbuf, const uint8_t *, packet->ether_length + packet->header_length);
}

bool ps_is_icmp_error(const struct ps_packet *packet)
{
	uint8_t type = packet->l3_length > packet->header_length ? message_of(packet)[0] : 0;

	if (packet->ipv6)
		return type > 0 && type <= LAST_ERROR6;
	return type == UNREACHABLE || type == TIME_EXCEEDED || type == PARAMETER_PROBLEM;
}

static bool is_intact(const struct ps_packet *packet, const uint8_t *message, uint32_t length)
{
	if (length < sizeof(struct rte_icmp_hdr))
		return false;
	if (!packet->ipv6)
		return rte_raw_cksum(message, length) == 0xffff;
	uint32_t sum = rte_raw_cksum(message, length);
	struct rte_ipv6_hdr pseudo = *ps_header6(packet); // extension headers are not in it
	pseudo.payload_len = rte_cpu_to_be_16((uint16_t)length);
	pseudo.proto = IPPROTO_ICMPV6;
	sum += rte_ipv6_phdr_cksum(&pseudo, 0);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

// What the client's packets of the quoted packet's flow have: the other direction.
static bool set_ports(struct ps_packet *flow, uint8_t protocol, const uint8_t *ports)
{
	flow->protocol = protocol;
	flow->kind = protocol == IPPROTO_TCP ? PS_PACKET_TCP : PS_PACKET_UDP;
	memcpy(&flow->destination_port, ports, sizeof flow->destination_port);
	memcpy(&flow->source_port, ports + 2, sizeof flow->source_port);
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

// The checksum of a quoted header is not looked at: routers change it as they like.
static bool read_inner4(const struct ps_packet *packet, const uint8_t *quote, uint32_t length,
	struct ps_packet *flow)
{
	const struct rte_ipv4_hdr *ip = (const void *)quote;

	if (length < sizeof *ip || ip->version_ihl >> 4 != 4)
		return false;
	uint32_t header = (ip->version_ihl & 15) * 4u;
	if (header < sizeof *ip || length < header + PORTS || ip->src_addr != packet->destination ||
		ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return false;
	flow->source = ip->dst_addr;
	flow->destination = ip->src_addr;
	return set_ports(flow, ip->next_proto_id, quote + header);
}

static bool read_inner6(const struct ps_packet *packet, const uint8_t *quote, uint32_t length,
	struct ps_packet *flow, struct ps_addresses6 *addresses)
{
	const struct rte_ipv6_hdr *ip = (const void *)quote;
	uint32_t offset = sizeof *ip;
	uint8_t protocol;

	if (length < sizeof *ip || quote[0] >> 4 != 6 ||
		memcmp(ip->src_addr, packet->addresses6->destination, sizeof ip->src_addr) != 0)
		return false;
	protocol = ip->proto;
	if (ps_walk_extensions(quote, length, &offset, &protocol) != PS_NO_DROP ||
		length < offset + PORTS)
		return false;
	memcpy(addresses->source, ip->dst_addr, sizeof addresses->source);
	memcpy(addresses->destination, ip->src_addr, sizeof addresses->destination);
	flow->addresses6 = addresses;
	return set_ports(flow, protocol, quote + offset);
}

static void relay(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_packet *flow)
{
	uint16_t vip = flow->listener->row;

	packet->listener = flow->listener;
	packet->backend = ps_track_peek(w, flow);
	ps_count_taken(w, vip, PS_TALLY_PACKET + packet->frame_length);
	if (packet->backend == PS_NO_ROW) {
		ps_drop_owned(w, packet->mbuf, vip, PS_NO_ROW, PS_DROP_NO_BACKEND);
		return;
	}
	ps_count(w, PS_LCORE_RELAYED_ERROR_PACKETS, 1);
	ps_forward(w, in, packet);
}

void ps_icmp_error_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet)
{
	const uint8_t *message = message_of(packet);
	uint32_t length = packet->l3_length - packet->header_length;
	struct ps_packet flow = {.ipv6 = packet->ipv6};
	struct ps_addresses6 addresses;

	if (!is_intact(packet, message, length)) {
		ps_drop(w, packet->mbuf,
			packet->ipv6 ? PS_DROP_ICMPV6_MALFORMED : PS_DROP_ICMP_MALFORMED);
		return;
	}
	const uint8_t *quote = message + sizeof(struct rte_icmp_hdr);
	length -= (uint32_t)sizeof(struct rte_icmp_hdr);
	if (!(packet->ipv6 ? read_inner6(packet, quote, length, &flow, &addresses)
			   : read_inner4(packet, quote, length, &flow))) {
		ps_drop(w, packet->mbuf,
			packet->ipv6 ? PS_DROP_ICMPV6_BAD_INNER : PS_DROP_ICMP_BAD_INNER);
		return;
	}
	const struct ps_listener *listener = ps_find_listener(w->runtime, &flow);
	if (listener == NULL) {
		ps_drop(w, packet->mbuf, PS_DROP_NO_LISTENER);
		return;
	}
	ps_set_listener(w, &flow, listener);
	relay(w, in, packet, &flow);
}
