// SPDX-License-Identifier: Apache-2.0
// ICMP errors about packets that were translated: they quote what was sent, and their receiver
// must read what it sent itself.
#include "datapath/client_address.h"
#include "datapath/drop.h"
#include "datapath/flow.h"
#include "datapath/icmp_error.h"
#include "datapath/life.h"
#include "datapath/link.h"
#include "datapath/nat.h"
#include "datapath/quote.h"
#include "datapath/session.h"
#include "datapath/stages.h"

#include <rte_icmp.h>

#define MTU_AT4 6 // in the message, 2 bytes
#define MTU_AT6 4 // 4 bytes
#define TOA_SIZE4 8u
#define TOA_SIZE6 20u

static struct ps_wire quote_of(const struct ps_packet *packet, const struct ps_packet *flow)
{
	uint32_t before = packet->header_length + (uint32_t)sizeof(struct rte_icmp_hdr);

	return (struct ps_wire){
		.ip = rte_pktmbuf_mtod_offset(
			packet->mbuf, uint8_t *, packet->ether_length + before),
		.header_length = flow->header_length,
		.l4_length = packet->l3_length - before - flow->header_length,
		.protocol = flow->protocol,
		.ipv6 = packet->ipv6,
	};
}

// The message was intact when it came; what changed in it since is ours.
static void finish(struct ps_packet *packet, const struct ps_address *source,
	const struct ps_address *destination)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(packet->mbuf, uint8_t *, packet->ether_length);
	struct rte_icmp_hdr *icmp = (void *)(ip + packet->header_length);
	uint32_t length = packet->l3_length - packet->header_length;
	struct rte_ipv4_hdr *v4 = (void *)ip;
	struct rte_ipv6_hdr *v6 = (void *)ip, pseudo;

	icmp->icmp_cksum = 0;
	if (!packet->ipv6) {
		v4->src_addr = source != NULL ? source->words[3] : v4->src_addr;
		v4->dst_addr = destination->words[3];
		v4->hdr_checksum = 0;
		v4->hdr_checksum = (uint16_t)~rte_raw_cksum(v4, packet->header_length);
		icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, length);
		return;
	}
	if (source != NULL)
		memcpy(v6->src_addr, source->bytes, sizeof v6->src_addr);
	memcpy(v6->dst_addr, destination->bytes, sizeof v6->dst_addr);
	pseudo = *v6; // extension headers are not in it
	pseudo.payload_len = rte_cpu_to_be_16((uint16_t)length);
	pseudo.proto = IPPROTO_ICMPV6;
	uint32_t sum = rte_raw_cksum(icmp, length) + rte_ipv6_phdr_cksum(&pseudo, 0);
	icmp->icmp_cksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static void trim(struct ps_packet *packet)
{
	uint16_t length = (uint16_t)(packet->ether_length + packet->l3_length);

	rte_pktmbuf_trim(packet->mbuf, (uint16_t)(packet->frame_length - length));
	packet->frame_length = length;
}

static enum ps_drop pass(struct ps_worker *w, struct ps_packet *packet, uint8_t port)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(packet->mbuf, uint8_t *, packet->ether_length);

	if (packet->l3_length > w->ports[port].mtu)
		return PS_DROP_EXCEEDS_MTU;
	if (!ps_decrement_ttl(ip, packet->ipv6))
		return PS_DROP_TTL_EXPIRED;
	trim(packet);
	return PS_NO_DROP;
}

void ps_nat_error_forward(struct ps_worker *w, const struct ps_port *in, struct ps_packet *packet,
	const struct ps_packet *flow)
{
	const struct ps_conn *conn = ps_live_connection(w, flow->key);
	const struct ps_session *session = conn != NULL ? ps_session_of(w, conn) : NULL;
	enum ps_drop drop = PS_DROP_NO_CONNECTION;

	if (session == NULL && ps_hand_on(w, in, packet->mbuf))
		return;
	packet->backend = session != NULL ? conn->backend : PS_NO_ROW;
	ps_count_taken(w, packet->listener->row, PS_TALLY_PACKET + packet->frame_length);
	if (session != NULL)
		drop = pass(w, packet, w->runtime->backends[packet->backend].port);
	if (drop != PS_NO_DROP) {
		ps_drop_owned(w, packet->mbuf, packet->listener->row, packet->backend, drop);
		return;
	}
	// The quoted packet was the backend's to the local address.
	const struct ps_ends ends = {
		&session->backend, &session->local, session->backend_port, session->local_port};
	const struct ps_wire quote = quote_of(packet, flow);
	ps_count(w, PS_LCORE_RELAYED_ERROR_PACKETS, 1);
	ps_rewrite(&quote, &ends);
	finish(packet, NULL, &session->backend);
	ps_send_forward(w, packet);
}

// What fits leaves no room for an option that is put in on the way.
static void lower_mtu(const struct ps_session *session, struct ps_packet *packet)
{
	uint8_t *message = rte_pktmbuf_mtod_offset(
		packet->mbuf, uint8_t *, packet->ether_length + packet->header_length);
	uint32_t size = packet->ipv6 ? TOA_SIZE6 : TOA_SIZE4, wide;
	uint16_t narrow;

	if (session->client_address != PS_CLIENT_TOA || !ps_is_too_big(packet))
		return;
	if (packet->ipv6) {
		memcpy(&wide, message + MTU_AT6, sizeof wide);
		wide = rte_cpu_to_be_32(rte_be_to_cpu_32(wide) - size);
		memcpy(message + MTU_AT6, &wide, sizeof wide);
		return;
	}
	memcpy(&narrow, message + MTU_AT4, sizeof narrow);
	if (rte_be_to_cpu_16(narrow) <= size)
		return; // an old router that does not say
	narrow = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(narrow) - size));
	memcpy(message + MTU_AT4, &narrow, sizeof narrow);
}

static void to_client(struct ps_worker *w, struct ps_packet *packet, const struct ps_packet *flow,
	const struct ps_session *session)
{
	const struct ps_ends ends = {
		&session->client, &session->vip, session->client_port, session->vip_port};
	const struct ps_wire quote = quote_of(packet, flow);
	enum ps_drop drop = pass(w, packet, session->client_port_id);

	if (drop != PS_NO_DROP) {
		ps_drop(w, packet->mbuf, drop);
		return;
	}
	ps_count(w, PS_LCORE_RELAYED_ERROR_PACKETS, 1);
	if (flow->protocol == IPPROTO_TCP)
		ps_client_quoted(session, &quote);
	lower_mtu(session, packet);
	ps_rewrite(&quote, &ends);
	finish(packet, &session->vip, &session->client); // who sent it is our own affair
	ps_nat_send(w, session, packet->mbuf);
}

// The backend is the destination of the quoted packet: *flow is the other direction.
static bool is_quoted(const struct ps_session *session, const struct ps_packet *flow)
{
	if (flow->source_port != session->backend_port)
		return false;
	return flow->ipv6 ? memcmp(flow->addresses6->source, session->backend.bytes, 16) == 0
			  : flow->source == session->backend.words[3];
}

static bool is_to(const struct ps_own *own, const struct ps_packet *flow)
{
	return flow->ipv6 ? memcmp(flow->addresses6->destination, own->address.bytes, 16) == 0
			  : flow->destination == own->address.words[3];
}

bool ps_nat_error_input(
	struct ps_worker *w, struct ps_port *in, struct ps_packet *packet, const struct ps_own *own)
{
	struct ps_packet flow = {};
	struct ps_addresses6 addresses;
	struct ps_session *session;
	struct ps_conn *conn;

	if ((own->tcp == NULL && own->udp == NULL) || !ps_is_icmp_error(packet) ||
		!ps_read_error(packet, &flow, &addresses) || !is_to(own, &flow))
		return false;
	const struct ps_nat_place place =
		ps_nat_place_of(own, flow.protocol, flow.destination_port);
	if (place.owner == UINT32_MAX)
		return false;
	if (place.owner != w->index) {
		ps_hand_over(w, place.owner, in, packet->mbuf);
		return true;
	}
	session = ps_nat_find(w, place.local, flow.destination_port, &conn);
	if (session == NULL || !is_quoted(session, &flow))
		return false;
	to_client(w, packet, &flow, session);
	return true;
}
