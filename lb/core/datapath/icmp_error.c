// SPDX-License-Identifier: Apache-2.0
// ICMP errors for a VIP. They quote the beginning of a packet that a backend sent to a client; who
// that was is what the connection of the client's packets tells, or else Maglev.
#include "datapath/icmp_error.h"

#include "datapath/icmp6.h"
#include "datapath/link.h"
#include "datapath/nat.h"
#include "datapath/quote.h"
#include "datapath/target.h"

#include <rte_icmp.h>

#define UNREACHABLE 3 // ICMP, with "fragmentation needed"
#define TIME_EXCEEDED 11
#define PARAMETER_PROBLEM 12
#define FRAGMENTATION_NEEDED 4 // its code
#define PACKET_TOO_BIG6 2
#define LAST_ERROR6 4 // of ICMPv6: unreachable, packet too big, time exceeded, parameter problem

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

// Its length and checksum are right.
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

// The VIP that the error is for sent the quoted packet: it is the destination of the other
// direction.
static bool is_ours(const struct ps_packet *packet, const struct ps_packet *flow)
{
	if (!packet->ipv6)
		return flow->destination == packet->destination;
	return memcmp(flow->addresses6->destination, packet->addresses6->destination,
		       sizeof flow->addresses6->destination) == 0;
}

bool ps_read_error(
	const struct ps_packet *packet, struct ps_packet *flow, struct ps_addresses6 *addresses)
{
	const uint8_t *message = message_of(packet);
	uint32_t length = packet->l3_length - packet->header_length;

	return is_intact(packet, message, length) &&
	       ps_read_quote(message + sizeof(struct rte_icmp_hdr),
		       length - (uint32_t)sizeof(struct rte_icmp_hdr), packet->ipv6, flow,
		       addresses);
}

static void relay(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_packet *flow)
{
	uint16_t vip = flow->listener->row;

	packet->listener = flow->listener;
	if (flow->listener->features & PS_FEATURE_NAT) {
		ps_nat_error_forward(w, in, packet, flow);
		return;
	}
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
	struct ps_packet flow = {};
	struct ps_addresses6 addresses;

	if (!is_intact(packet, message, length)) {
		ps_drop(w, packet->mbuf,
			packet->ipv6 ? PS_DROP_ICMPV6_MALFORMED : PS_DROP_ICMP_MALFORMED);
		return;
	}
	const uint8_t *quote = message + sizeof(struct rte_icmp_hdr);
	length -= (uint32_t)sizeof(struct rte_icmp_hdr);
	if (!ps_read_quote(quote, length, packet->ipv6, &flow, &addresses) ||
		!is_ours(packet, &flow)) {
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

bool ps_is_too_big(const struct ps_packet *packet)
{
	const uint8_t *message = message_of(packet);

	if (packet->l3_length < packet->header_length + 2)
		return false;
	return packet->ipv6 ? message[0] == PACKET_TOO_BIG6
			    : message[0] == UNREACHABLE && message[1] == FRAGMENTATION_NEEDED;
}

// The client's packet in the quoted one; false: there is none.
static bool find_inner(const struct ps_worker *w, const struct ps_packet *packet,
	struct ps_quote *inner, struct ps_packet *flow, struct ps_addresses6 *addresses)
{
	bool ipv6;
	uint32_t outer = ps_unwrap_quote(inner->bytes, inner->length, packet->ipv6, &ipv6);

	if (outer == 0)
		return false;
	inner->bytes += outer;
	inner->length -= outer;
	inner->mtu = inner->mtu > outer ? inner->mtu - outer : 0;
	if (!ps_read_quote(inner->bytes, inner->length, ipv6, flow, addresses))
		return false;
	ps_turn(flow, addresses);
	return ps_find_listener(w->runtime, flow) != NULL;
}

void ps_tunnel_error_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet)
{
	const uint8_t *message = message_of(packet);
	uint32_t length = packet->l3_length - packet->header_length;
	struct ps_packet flow = {};
	struct ps_addresses6 addresses;

	if (!is_intact(packet, message, length)) {
		ps_drop(w, packet->mbuf,
			packet->ipv6 ? PS_DROP_ICMPV6_MALFORMED : PS_DROP_ICMP_MALFORMED);
		return;
	}
	// The MTU is the last 16 bits of the header, in ICMPv6 after 16 that are 0 for any that
	// counts.
	struct ps_quote inner = {
		.bytes = message + sizeof(struct rte_icmp_hdr),
		.length = length - (uint32_t)sizeof(struct rte_icmp_hdr),
		.mtu = (uint32_t)message[6] << 8 | message[7],
	};
	if (!find_inner(w, packet, &inner, &flow, &addresses)) {
		ps_drop(w, packet->mbuf,
			packet->ipv6 ? PS_DROP_ICMPV6_BAD_INNER : PS_DROP_ICMP_BAD_INNER);
		return;
	}
	ps_pass_too_big_on(w, in, packet, &flow, &inner);
}
