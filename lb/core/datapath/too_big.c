// SPDX-License-Identifier: Apache-2.0
// Path MTU discovery: senders of packets that do not fit are told what would (RFC 1191, RFC 8201).
#include "datapath/icmp6.h"
#include "datapath/icmp_error.h"
#include "datapath/link.h"

#define TTL 64
#define NETWORK_CONTROL 0xc0 // precedence of ICMP errors (RFC 1812 section 4.3.2.5)
#define DEST_UNREACHABLE 3
#define FRAGMENTATION_NEEDED 4
#define PACKET_TOO_BIG6 2
#define LARGEST_ERROR 576 // RFC 1812 section 4.3.2.3
#define LEAST_MTU 68u
#define LEAST_MTU6 1280u // and the largest error of ICMPv6 (RFC 4443 section 2.4)

// Of one worker.
#define ERRORS_A_SECOND 1000
#define ERRORS_AT_ONCE 50

// A bucket of ERRORS_AT_ONCE tokens, as the time up to which they are spent.
static bool take_token(struct ps_worker *w)
{
	uint64_t price = w->shared->tsc_hz / ERRORS_A_SECOND;
	uint64_t full = price * ERRORS_AT_ONCE;

	if (w->icmp_paid + full < w->now)
		w->icmp_paid = w->now - full;
	if (w->icmp_paid + price > w->now)
		return false;
	w->icmp_paid += price;
	return true;
}

struct error4 {
	struct rte_ipv4_hdr ip;
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t unused;
	uint16_t mtu;
} __attribute__((packed));

struct error6 {
	struct rte_ipv6_hdr ip;
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint32_t mtu;
} __attribute__((packed));

static_assert(sizeof(struct error4) == 28 && sizeof(struct error6) == 48, "as on the wire");

// The quoted packet follows *error already.
static void fill4(
	struct error4 *error, const struct ps_packet *packet, uint32_t quoted, uint32_t mtu)
{
	uint32_t length = (uint32_t)sizeof *error + quoted;

	*error = (struct error4){
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.type_of_service = NETWORK_CONTROL,
				.total_length = rte_cpu_to_be_16((uint16_t)length),
				.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
				.time_to_live = TTL,
				.next_proto_id = IPPROTO_ICMP,
				.src_addr = packet->destination,
				.dst_addr = packet->source,
			},
		.type = DEST_UNREACHABLE,
		.code = FRAGMENTATION_NEEDED,
		.mtu = rte_cpu_to_be_16((uint16_t)mtu),
	};
	error->ip.hdr_checksum = rte_ipv4_cksum(&error->ip);
	error->checksum = (uint16_t)~rte_raw_cksum(&error->type, length - sizeof error->ip);
}

static void fill6(
	struct error6 *error, const struct ps_packet *packet, uint32_t quoted, uint32_t mtu)
{
	*error = (struct error6){
		.ip =
			{
				.vtc_flow = rte_cpu_to_be_32(6u << 28),
				.payload_len = rte_cpu_to_be_16(
					(uint16_t)(sizeof *error - sizeof error->ip + quoted)),
				.proto = IPPROTO_ICMPV6,
				.hop_limits = TTL,
			},
		.type = PACKET_TOO_BIG6,
		.mtu = rte_cpu_to_be_32(mtu),
	};
	memcpy(error->ip.src_addr, packet->addresses6->destination, sizeof error->ip.src_addr);
	memcpy(error->ip.dst_addr, packet->addresses6->source, sizeof error->ip.dst_addr);
	error->checksum = ps_icmp6_checksum(&error->ip, &error->type);
}

// To the sender of `flow`, in the name of its destination, a VIP, by the port and the MAC address
// that `packet` came from. False: no buffer.
static bool send_error(struct ps_worker *w, struct ps_port *in, const struct ps_packet *packet,
	const struct ps_packet *flow, const struct ps_quote *quote)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(w->shared->pool);
	const uint8_t *from = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);
	uint32_t head = flow->ipv6 ? sizeof(struct error6) : sizeof(struct error4);
	uint32_t most = (flow->ipv6 ? LEAST_MTU6 : LARGEST_ERROR) - head;
	uint32_t quoted = RTE_MIN(quote->length, most);
	uint64_t peer = 0;

	if (mbuf == NULL)
		return false;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(
		mbuf, (uint16_t)(packet->ether_length + head + quoted));
	memcpy(frame, from, packet->ether_length);
	((struct rte_ether_hdr *)(frame + packet->ether_length - RTE_ETHER_HDR_LEN))->ether_type =
		flow->ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	memcpy(&peer, from + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	ps_rewrite_macs(frame, peer, in->mac);
	uint8_t *error = frame + packet->ether_length;
	memcpy(error + head, quote->bytes, quoted);
	if (flow->ipv6)
		fill6((void *)error, flow, quoted, quote->mtu);
	else
		fill4((void *)error, flow, quoted, quote->mtu);
	ps_count(w,
		flow->ipv6 ? PS_LCORE_ORIGINATED_ICMPV6_TOO_BIG : PS_LCORE_ORIGINATED_ICMP_TOO_BIG,
		1);
	ps_set_owner(mbuf, PS_NO_ROW, PS_NO_ROW);
	ps_transmit_packet(w, in, mbuf, mbuf->pkt_len);
	return true;
}

// No sender makes its packets smaller than that.
static uint32_t at_least(uint32_t mtu, bool ipv6)
{
	return RTE_MAX(mtu, ipv6 ? LEAST_MTU6 : LEAST_MTU);
}

static void end(struct ps_worker *w, const struct ps_packet *packet, enum ps_drop reason)
{
	if (packet->listener != NULL)
		ps_drop_owned(w, packet->mbuf, packet->listener->row, packet->backend, reason);
	else
		ps_drop(w, packet->mbuf, reason);
}

void ps_too_big(
	struct ps_worker *w, struct ps_port *in, const struct ps_packet *packet, uint32_t mtu)
{
	enum ps_drop reason = PS_DROP_EXCEEDS_MTU;
	const struct ps_quote quote = {
		.bytes = rte_pktmbuf_mtod_offset(
			packet->mbuf, const uint8_t *, packet->ether_length),
		.length = packet->l3_length,
		.mtu = at_least(mtu, packet->ipv6),
	};

	// Errors about errors are never sent.
	if (packet->kind != PS_PACKET_OTHER && packet->l3_length > quote.mtu) {
		if (!take_token(w))
			reason = PS_DROP_ICMP_RATE_LIMITED;
		else if (send_error(w, in, packet, packet, &quote))
			reason = PS_DROP_TOO_BIG_TOLD;
	}
	end(w, packet, reason);
}

void ps_pass_too_big_on(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_packet *flow, const struct ps_quote *quote)
{
	struct ps_quote told = *quote;

	told.mtu = at_least(told.mtu, flow->ipv6);
	if (!take_token(w))
		ps_drop(w, packet->mbuf, PS_DROP_ICMP_RATE_LIMITED);
	else if (send_error(w, in, packet, flow, &told))
		ps_consume(w, packet->mbuf, PS_CONSUMED_TUNNEL_TOO_BIG);
	else
		ps_drop(w, packet->mbuf, PS_DROP_NO_HEADROOM);
}
