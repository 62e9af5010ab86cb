// SPDX-License-Identifier: Apache-2.0
#include "datapath/nat.h"

#include "datapath/client_address.h"
#include "datapath/drop.h"
#include "datapath/flow.h"
#include "datapath/fragment.h"
#include "datapath/icmp_error.h"
#include "datapath/life.h"
#include "datapath/link.h"
#include "datapath/session.h"
#include "datapath/target.h"

#include <rte_tcp.h>

// Answers leave by the way that the client's last packet came: it may come by another router.
static void learn_way(
	struct ps_session *session, const struct ps_port *in, const struct ps_packet *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);

	memcpy(&session->client_mac, frame + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	session->client_port_id = (uint8_t)in->id;
	session->client_vlan = 0;
	if (packet->ether_length != RTE_ETHER_HDR_LEN)
		memcpy(&session->client_vlan, frame + RTE_ETHER_HDR_LEN,
			sizeof session->client_vlan);
}

bool ps_nat_forward(struct ps_worker *w, const struct ps_port *in, struct ps_packet *packet)
{
	const struct ps_ends ends = ps_ends_to_backend(packet->session);
	struct ps_wire wire = ps_wire_of(packet);
	enum ps_drop drop = PS_NO_DROP;

	learn_way(packet->session, in, packet);
	if (!ps_decrement_ttl(wire.ip, wire.ipv6))
		drop = PS_DROP_TTL_EXPIRED;
	else if (packet->kind == PS_PACKET_TCP)
		drop = ps_client_tell(w, packet);
	if (drop != PS_NO_DROP) {
		ps_drop_owned(w, packet->mbuf, packet->listener->row, packet->backend, drop);
		return false;
	}
	wire = ps_wire_of(packet);
	ps_rewrite(&wire, &ends);
	return true;
}

struct ps_nat_place ps_nat_place_of(const struct ps_own *own, uint8_t protocol, uint16_t port)
{
	const struct ps_local *local = NULL;

	if (protocol == IPPROTO_TCP)
		local = own->tcp;
	else if (protocol == IPPROTO_UDP)
		local = own->udp;
	return (struct ps_nat_place){
		local, local != NULL ? ps_local_owner(local, port) : UINT32_MAX};
}

struct ps_session *ps_nat_find(
	struct ps_worker *w, const struct ps_local *local, uint16_t port, struct ps_conn **conn)
{
	struct ps_session *session = ps_local_session(local, w->index, port);

	*conn = session->key != 0 ? ps_live_connection(w, session->key) : NULL;
	return *conn != NULL && ps_session_of(w, *conn) == session ? session : NULL;
}

static bool is_of_backend(const struct ps_session *session, const struct ps_packet *packet)
{
	if (packet->source_port != session->backend_port)
		return false;
	if (!packet->ipv6)
		return packet->source == session->backend.words[3];
	return memcmp(packet->addresses6->source, session->backend.bytes,
		       sizeof session->backend.bytes) == 0;
}

void ps_nat_send(struct ps_worker *w, const struct ps_session *session, struct rte_mbuf *mbuf)
{
	struct ps_port *out = &w->ports[session->client_port_id];

	ps_set_owner(mbuf, PS_NO_ROW, PS_NO_ROW);
	if (unlikely(!ps_retag(mbuf, session->client_vlan))) {
		ps_drop(w, mbuf, PS_DROP_NO_HEADROOM);
		return;
	}
	ps_rewrite_macs(rte_pktmbuf_mtod(mbuf, uint8_t *), session->client_mac, out->mac);
	ps_transmit_packet(w, out, mbuf, mbuf->pkt_len);
}

// As that of a client: whoever goes on has not sent it, and was not meant by it.
static void take_reset(struct ps_worker *w, const struct ps_session *session, struct ps_conn *conn)
{
	ps_leave_syn(w, conn);
	if (conn->state != PS_CONN_RESET) {
		ps_count(w, PS_LCORE_RESET_CONNECTIONS, 1);
		ps_count_vip(w, conn->key & 0xffff, PS_VIP_RESET_CONNECTIONS, 1);
	}
	conn->state = PS_CONN_RESET;
	conn->deadline = w->tick + session->timeouts[PS_CONN_RESET];
}

static void track(struct ps_worker *w, const struct ps_packet *packet,
	const struct ps_session *session, struct ps_conn *conn)
{
	ps_count_vip(w, conn->key & 0xffff, PS_VIP_REPLY_BYTES, packet->frame_length);
	ps_count_backend(w, conn->backend, PS_BACKEND_REPLY_PACKETS, 1);
	if (unlikely(packet->tcp_flags & RTE_TCP_RST_FLAG))
		take_reset(w, session, conn);
	else if (likely(conn->state != PS_CONN_RESET))
		conn->deadline = w->tick + session->timeouts[conn->state];
}

static void send_pieces(struct ps_worker *w, struct ps_packet *packet,
	const struct ps_session *session, uint32_t mtu)
{
	struct ps_packet pieces[PS_PIECES_MAX];

	packet->frame_length = (uint16_t)(packet->ether_length + packet->l3_length);
	uint32_t count = ps_cut(w, packet, mtu, pieces);
	for (uint32_t i = 0; i < count; i++)
		ps_nat_send(w, session, pieces[i].mbuf);
}

static void answer(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	struct ps_session *session, struct ps_conn *conn)
{
	const struct ps_port *out = &w->ports[session->client_port_id];
	const struct ps_ends ends = ps_ends_to_client(session);
	struct ps_wire wire = ps_wire_of(packet);

	packet->listener = NULL; // it is none of its packets
	track(w, packet, session, conn);
	if (unlikely(packet->l3_length > out->mtu) && !ps_may_fragment(packet)) {
		ps_too_big(w, in, packet, out->mtu);
		return;
	}
	if (unlikely(!ps_decrement_ttl(wire.ip, wire.ipv6))) {
		ps_drop(w, packet->mbuf, PS_DROP_TTL_EXPIRED);
		return;
	}
	rte_pktmbuf_trim(packet->mbuf,
		(uint16_t)(packet->frame_length - packet->ether_length - packet->l3_length));
	if (session->client_address != PS_CLIENT_NONE)
		ps_client_answer(session, &wire);
	ps_rewrite(&wire, &ends);
	if (unlikely(packet->l3_length > out->mtu))
		send_pieces(w, packet, session, out->mtu);
	else
		ps_nat_send(w, session, packet->mbuf);
}

bool ps_nat_input(
	struct ps_worker *w, struct ps_port *in, struct ps_packet *packet, const struct ps_own *own)
{
	const struct ps_nat_place place =
		ps_nat_place_of(own, packet->protocol, packet->destination_port);
	struct ps_session *session;
	struct ps_conn *conn;

	if (place.local == NULL)
		return false;
	if (place.owner != w->index && place.owner != UINT32_MAX) {
		ps_hand_over(w, place.owner, in, packet->mbuf);
		return true;
	}
	session = place.owner != UINT32_MAX
			  ? ps_nat_find(w, place.local, packet->destination_port, &conn)
			  : NULL;
	if (likely(session != NULL && is_of_backend(session, packet)))
		answer(w, in, packet, session, conn);
	else
		ps_drop(w, packet->mbuf, PS_DROP_NAT_NO_SESSION);
	return true;
}
