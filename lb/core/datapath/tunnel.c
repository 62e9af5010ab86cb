// SPDX-License-Identifier: Apache-2.0
#include "datapath/tunnel.h"

#include "datapath/flow.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#define FIRST_SOURCE_PORT 49152u
#define SOURCE_PORT_BITS 0x3fffu
#define FLOW_LABEL 0xfffffu

// What the outer headers take from the packet.
struct inner {
	uint32_t length;
	uint32_t hash; // of its flow
	uint8_t protocol;
	uint8_t traffic_class;
	bool may_fragment;
};

static struct inner look(const struct ps_packet *packet, const uint8_t *header)
{
	const struct rte_ipv4_hdr *v4 = (const void *)header;
	struct inner inner = {.length = packet->l3_length, .hash = ps_maglev_hash(packet)};

	if (packet->ipv6) {
		inner.protocol = IPPROTO_IPV6;
		inner.traffic_class = (uint8_t)(header[0] << 4 | header[1] >> 4);
	} else {
		inner.protocol = IPPROTO_IPIP;
		inner.traffic_class = v4->type_of_service;
		inner.may_fragment = !(v4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG));
	}
	return inner;
}

// Bits for the outer source, independent of those that ports and labels get.
static uint64_t source_bits(const struct ps_tunnel *tunnel, const struct inner *inner)
{
	return ps_fold(inner->hash | 1ULL << 32, 0x9e3779b97f4a7c15ULL) & tunnel->flow_bits;
}

// RFC 6864: an identification matters where a packet may be fragmented, and only there. A worker
// begins its own at another place than the others.
static uint16_t next_id(struct ps_worker *w)
{
	return rte_cpu_to_be_16(
		(uint16_t)(w->next_ip_id++ + w->index * (UINT16_MAX / PS_MAX_WORKERS)));
}

static void finish_ipv4(struct ps_worker *w, const struct ps_tunnel *tunnel,
	const struct inner *inner, struct rte_ipv4_hdr *ip)
{
	uint32_t bits = (uint32_t)(source_bits(tunnel, inner) >> 32); // the last 4 bytes

	ip->type_of_service = inner->traffic_class;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(tunnel->length + inner->length));
	if (inner->may_fragment)
		ip->packet_id = next_id(w);
	else
		ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->src_addr |= bits;
	if (!tunnel->gue)
		ip->next_proto_id = inner->protocol;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void finish_ipv6(
	const struct ps_tunnel *tunnel, const struct inner *inner, struct rte_ipv6_hdr *ip)
{
	uint64_t bits = source_bits(tunnel, inner), low;

	// RFC 6438: the flow label spreads tunnels over equal paths.
	ip->vtc_flow = rte_cpu_to_be_32(
		6u << 28 | (uint32_t)inner->traffic_class << 20 | (inner->hash & FLOW_LABEL));
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(tunnel->length - sizeof *ip + inner->length));
	memcpy(&low, ip->src_addr + 8, sizeof low);
	low |= bits;
	memcpy(ip->src_addr + 8, &low, sizeof low);
	if (!tunnel->gue)
		ip->proto = inner->protocol;
}

// UDP and, behind it, GUE; the IP header in front of them is complete.
static void finish_gue(const struct ps_tunnel *tunnel, const struct inner *inner, uint8_t *outer)
{
	uint32_t at = tunnel->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	struct rte_udp_hdr *udp = (void *)(outer + at);
	uint8_t *gue = (uint8_t *)(udp + 1);

	udp->src_port =
		rte_cpu_to_be_16((uint16_t)(FIRST_SOURCE_PORT | (inner->hash & SOURCE_PORT_BITS)));
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(tunnel->length - at + inner->length));
	gue[1] = inner->protocol;
	if (tunnel->checksum)
		udp->dgram_cksum = rte_ipv6_udptcp_cksum((const void *)outer, udp);
}

bool ps_encapsulate(
	struct ps_worker *w, const struct ps_tunnel *tunnel, const struct ps_packet *packet)
{
	struct rte_mbuf *mbuf = packet->mbuf;
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct inner inner = look(packet, frame + packet->ether_length);

	rte_pktmbuf_trim(
		mbuf, (uint16_t)(packet->frame_length - packet->ether_length - packet->l3_length));
	frame = (uint8_t *)rte_pktmbuf_prepend(
		mbuf, (uint16_t)(tunnel->length + RTE_ETHER_HDR_LEN - packet->ether_length));
	if (frame == NULL)
		return false;
	uint8_t *outer = frame + RTE_ETHER_HDR_LEN;
	((struct rte_ether_hdr *)frame)->ether_type =
		tunnel->ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	memcpy(outer, tunnel->headers, tunnel->length);
	if (tunnel->ipv6)
		finish_ipv6(tunnel, &inner, (void *)outer);
	else
		finish_ipv4(w, tunnel, &inner, (void *)outer);
	if (tunnel->gue)
		finish_gue(tunnel, &inner, outer);
	return true;
}
