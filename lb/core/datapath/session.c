// SPDX-License-Identifier: Apache-2.0
#include "datapath/session.h"

#include <string.h>

// The addresses are used in turn, those that have no port left are passed over.
static struct ps_session *take(
	struct ps_worker *w, const struct ps_packet *packet, struct ps_conn_peer *peer)
{
	const struct ps_nat *nat = packet->listener->pool->nat;
	struct ps_local *const *locals = packet->kind == PS_PACKET_TCP ? nat->tcp : nat->udp;
	uint32_t at = w->next_local++ % nat->count;

	for (uint32_t i = 0; i < nat->count; i++, at = at + 1 < nat->count ? at + 1 : 0) {
		struct ps_local *local = locals[at];
		struct ps_session *session;

		if (ps_address_is_v4(&local->address) == packet->ipv6)
			continue;
		session = ps_local_take(local, w->index);
		if (session == NULL)
			continue;
		peer->local = (uint16_t)(local->slot + 1);
		peer->local_serial = local->serial;
		peer->local_port = session->local_port;
		return session;
	}
	return NULL;
}

static void set_addresses(struct ps_session *session, const struct ps_packet *packet)
{
	if (packet->ipv6) {
		session->client = ps_address_v6(packet->addresses6->source);
		session->vip = ps_address_v6(packet->addresses6->destination);
	} else {
		session->client = ps_address_v4(packet->source);
		session->vip = ps_address_v4(packet->destination);
	}
	session->client_port = packet->source_port;
	session->vip_port = packet->destination_port;
}

bool ps_session_open(struct ps_worker *w, struct ps_packet *packet, struct ps_conn *conn)
{
	const struct ps_nat_backend *backend = &w->runtime->nat_backends[packet->backend];
	struct ps_session *session = take(w, packet, ps_conn_peer(&w->table, conn));

	if (session == NULL)
		return false;
	session->key = packet->key;
	set_addresses(session, packet);
	session->backend = backend->address;
	session->backend_port = backend->port != 0 ? backend->port : packet->destination_port;
	if (packet->kind == PS_PACKET_TCP)
		session->client_address = packet->listener->pool->nat->client_address;
	memcpy(session->timeouts, packet->listener->timeouts, sizeof session->timeouts);
	packet->session = session;
	w->vip_loads[packet->listener->row].translated = true;
	w->sessions++;
	return true;
}

bool ps_session_join(struct ps_worker *w, struct ps_packet *packet, const struct ps_conn *conn)
{
	struct ps_session *session = ps_session_of(w, conn);

	if (session == NULL)
		return false;
	packet->session = session;
	return true;
}

void ps_session_close(struct ps_worker *w, const struct ps_conn *conn)
{
	struct ps_conn_peer *peer = ps_conn_peer(&w->table, conn);
	struct ps_session *session = ps_session_of(w, conn);

	if (peer->local == 0)
		return;
	if (session != NULL)
		ps_local_give(w->runtime->locals[peer->local - 1], w->index, session);
	peer->local = 0;
	w->sessions--;
}
