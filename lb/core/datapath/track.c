// SPDX-License-Identifier: Apache-2.0
// Stage 3: connections. Direct server return shows us the client's half of a connection only, so
// the states are those that the client's packets tell.
#include "datapath/drop.h"
#include "datapath/flow.h"
#include "datapath/guard.h"
#include "datapath/life.h"
#include "datapath/peer.h"
#include "datapath/schedule.h"
#include "datapath/session.h"
#include "datapath/stages.h"

#include <rte_tcp.h>
#include <string.h>

static inline void touch(
	const struct ps_worker *w, const struct ps_listener *listener, struct ps_conn *conn)
{
	uint32_t deadline = w->tick + listener->timeouts[conn->state];

	if (conn->deadline != deadline) // at 4 ticks a second, most packets need not write
		conn->deadline = deadline;
}

static inline enum ps_conn_state first_state(const struct ps_packet *packet)
{
	if (packet->kind == PS_PACKET_UDP)
		return PS_CONN_UDP;
	if (packet->tcp_flags & RTE_TCP_SYN_FLAG)
		return PS_CONN_SYN;
	return packet->tcp_flags & RTE_TCP_FIN_FLAG ? PS_CONN_FIN : PS_CONN_ESTABLISHED;
}

static struct ps_conn *place(struct ps_worker *w, const struct ps_packet *packet)
{
	struct ps_conn *conn = ps_conn_place(&w->table, packet->key, packet->hash, w->tick);

	if (unlikely(conn != NULL && conn->key != packet->key)) {
		ps_end_connection(w, conn, ps_expiry_of(conn));
		conn = ps_conn_place(&w->table, packet->key, packet->hash, w->tick);
	}
	if (packet->ipv6 && conn != NULL)
		ps_set_peer(w, packet, conn);
	return conn;
}

static void count_new(
	struct ps_worker *w, const struct ps_packet *packet, bool half_open, bool picked_up)
{
	struct ps_vip_load *load = ps_vip_load_of(w, packet->listener->row);

	load->connections++;
	load->half_open += half_open;
	ps_load_of(w, packet->backend)->connections++;
	if (!PS_COUNTERS)
		return;
	uint64_t *vip = ps_vip_cells(w, packet->listener->row);
	uint64_t *backend = ps_backend_cells(w, packet->backend);

	vip[PS_VIP_HALF_OPEN_CONNECTIONS] += half_open;
	vip[PS_VIP_ACTIVE_CONNECTIONS]++;
	backend[PS_BACKEND_ACTIVE_CONNECTIONS]++;
	if (picked_up) {
		ps_count(w, PS_LCORE_PICKED_UP_CONNECTIONS, 1);
		vip[PS_VIP_PICKED_UP_CONNECTIONS]++;
		backend[PS_BACKEND_PICKED_UP_CONNECTIONS]++;
	} else {
		ps_count(w, PS_LCORE_CREATED_CONNECTIONS, 1);
		vip[PS_VIP_CREATED_CONNECTIONS]++;
		backend[PS_BACKEND_CREATED_CONNECTIONS]++;
	}
}

// A packet without a connection: makes one, unless it is one that must not.
static enum ps_drop track_new(struct ps_worker *w, struct ps_packet *packet, bool moved)
{
	const struct ps_listener *listener = packet->listener;
	bool mid_flow = packet->kind == PS_PACKET_TCP && !(packet->tcp_flags & RTE_TCP_SYN_FLAG);

	bool nat = listener->features & PS_FEATURE_NAT;

	if (mid_flow && !listener->tcp_sloppy && (!moved || nat))
		return PS_DROP_NO_CONNECTION;
	// No connection is made by a RST: nothing will follow it.
	bool reset = packet->tcp_flags & RTE_TCP_RST_FLAG;
	bool untracked = reset;
	if (unlikely(listener->max_half_open != 0) && (packet->tcp_flags & RTE_TCP_SYN_FLAG) &&
		ps_vip_load_of(w, listener->row)->half_open >= listener->max_half_open) {
		if (!listener->half_open_untracked)
			return PS_DROP_HALF_OPEN_LIMIT;
		untracked = true;
	}
	// Limits are on what is opened here: what is picked up was open already.
	bool opens = unlikely(listener->features & PS_FEATURE_GUARD) && !mid_flow && !moved;
	enum ps_drop drop = opens ? ps_guard_connection(w, packet) : PS_NO_DROP;
	if (unlikely(drop != PS_NO_DROP))
		return drop;
	struct ps_conn *conn = untracked ? NULL : place(w, packet);
	packet->backend = ps_choose_backend(w, packet, conn != NULL && !mid_flow);
	if (unlikely(packet->backend == PS_NO_ROW))
		drop = PS_DROP_NO_BACKEND;
	else if (opens)
		drop = ps_guard_backend_connection(w, packet);
	if (unlikely(drop != PS_NO_DROP)) {
		if (conn != NULL)
			ps_conn_remove(&w->table, conn);
		return drop;
	}
	if (unlikely(conn == NULL)) {
		if (nat)
			return PS_DROP_CONNECTION_TABLE_FULL;
		ps_count(w, PS_LCORE_UNTRACKED_PACKETS, !reset);
		return PS_NO_DROP;
	}
	if (unlikely(nat) && !ps_session_open(w, packet, conn)) {
		ps_conn_remove(&w->table, conn);
		return PS_DROP_NAT_PORTS_EXHAUSTED;
	}
	enum ps_conn_state state = first_state(packet);

	conn->backend = packet->backend;
	conn->deadline = w->tick + listener->timeouts[state];
	ps_conn_set_bits(conn, state, listener->epoch, w->runtime->backends[packet->backend].epoch);
	count_new(w, packet, state == PS_CONN_SYN, mid_flow || moved);
	return PS_NO_DROP;
}

static void count_end(struct ps_worker *w, const struct ps_packet *packet, enum ps_lcore_cell lcore,
	enum ps_vip_cell vip)
{
	ps_count(w, lcore, 1);
	ps_count_vip(w, packet->listener->row, vip, 1);
}

// A RST that is not the client's must not end its connection: nobody here knows the sequence number
// that it would need. So a RST only shortens the wait, and who goes on has not sent it.
static void advance(
	struct ps_worker *w, const struct ps_packet *packet, struct ps_conn *conn, uint8_t flags)
{
	if (flags & RTE_TCP_FIN_FLAG) {
		ps_leave_syn(w, conn);
		if (conn->state != PS_CONN_FIN)
			count_end(w, packet, PS_LCORE_FINISHED_CONNECTIONS,
				PS_VIP_FINISHED_CONNECTIONS);
		conn->state = PS_CONN_FIN;
	} else if (!(flags & RTE_TCP_SYN_FLAG)) {
		if (conn->state == PS_CONN_RESET)
			ps_count(w, PS_LCORE_REVIVED_CONNECTIONS, 1);
		if (conn->state == PS_CONN_FIN)
			return;
		ps_leave_syn(w, conn);
		conn->state = PS_CONN_ESTABLISHED;
	}
}

static inline void track_flags(
	struct ps_worker *w, const struct ps_packet *packet, struct ps_conn *conn, uint8_t flags)
{
	bool settled = conn->state == PS_CONN_ESTABLISHED || conn->state == PS_CONN_UDP;

	if (unlikely(!settled || (flags & RTE_TCP_FIN_FLAG)))
		advance(w, packet, conn, flags);
}

static void take_reset(struct ps_worker *w, const struct ps_packet *packet, struct ps_conn *conn)
{
	if (conn->state == PS_CONN_RESET)
		return;
	ps_leave_syn(w, conn);
	count_end(w, packet, PS_LCORE_RESET_CONNECTIONS, PS_VIP_RESET_CONNECTIONS);
	conn->state = PS_CONN_RESET;
	touch(w, packet->listener, conn);
}

// The connection id goes before what was seen of the flow: a client may have two connections in it.
static void follow_id(struct ps_worker *w, struct ps_packet *packet)
{
	uint16_t row = ps_quic_backend(w, packet);

	if (row != PS_NO_ROW)
		packet->backend = row;
}

// What some listeners ask beside the entry. False: address translation does not know it.
static bool join(struct ps_worker *w, struct ps_packet *packet, const struct ps_conn *conn)
{
	if (packet->listener->features & PS_FEATURE_NAT)
		return ps_session_join(w, packet, conn);
	if (!w->runtime->backends[conn->backend].drained) // or it is chosen anew anyway
		follow_id(w, packet);
	return true;
}

// Its backend's time to drain is over.
static enum ps_drop track_drained(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packet, struct ps_conn *conn)
{
	bool leave = w->runtime->backends[conn->backend].drained == PS_DRAINED_LEAVE;

	if (leave || packet->kind == PS_PACKET_UDP) {
		ps_count(w, PS_LCORE_DRAIN_LEFT_CONNECTIONS, 1);
		ps_end_connection(w, conn, PS_LCORE_ORPHANED_CONNECTIONS);
		return track_new(w, packet, true);
	}
	if (packet->tcp_flags & RTE_TCP_RST_FLAG) {
		take_reset(w, packet, conn);
		return PS_NO_DROP;
	}
	ps_leave_syn(w, conn);
	if (conn->state != PS_CONN_RESET)
		ps_count(w, PS_LCORE_DRAIN_RESET_CONNECTIONS, 1);
	conn->state = PS_CONN_RESET; // the entry stays a while: the client may ask again
	touch(w, packet->listener, conn);
	ps_reset_both(w, port, packet);
	return PS_NO_DROP;
}

// A packet of a connection that is in the table.
static inline enum ps_drop track_known(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packet, struct ps_conn *conn)
{
	uint8_t flags = packet->tcp_flags;

	if (unlikely(ps_conn_expired(conn, w->tick))) {
		ps_end_connection(w, conn, ps_expiry_of(conn));
		return track_new(w, packet, false);
	}
	if (unlikely(!ps_is_current_listener(conn, packet->listener->epoch))) {
		ps_end_connection(w, conn, PS_LCORE_ORPHANED_CONNECTIONS);
		return track_new(w, packet, false);
	}
	if (unlikely(!ps_is_current_backend(conn, w->runtime->backends[conn->backend].epoch))) {
		ps_end_connection(w, conn, PS_LCORE_ORPHANED_CONNECTIONS);
		return track_new(w, packet, true);
	}
	if (unlikely((flags & RTE_TCP_SYN_FLAG) &&
		     (conn->state == PS_CONN_FIN || conn->state == PS_CONN_RESET))) {
		ps_end_connection(w, conn, PS_LCORE_CLOSED_CONNECTIONS); // the port is used again
		return track_new(w, packet, false);
	}
	packet->backend = conn->backend;
	if (unlikely(packet->listener->features & (PS_FEATURE_QUIC | PS_FEATURE_NAT)) &&
		!join(w, packet, conn)) {
		ps_end_connection(w, conn, PS_LCORE_ORPHANED_CONNECTIONS);
		return track_new(w, packet, true);
	}
	if (unlikely(w->runtime->backends[conn->backend].drained))
		return track_drained(w, port, packet, conn);
	if (unlikely(flags & RTE_TCP_RST_FLAG)) {
		take_reset(w, packet, conn);
		return PS_NO_DROP;
	}
	track_flags(w, packet, conn, flags);
	touch(w, packet->listener, conn);
	return PS_NO_DROP;
}

// The key is that of another IPv6 client's connection: Maglev alone decides.
static enum ps_drop track_twin(struct ps_worker *w, struct ps_packet *packet)
{
	if (packet->listener->features & PS_FEATURE_NAT)
		return PS_DROP_CONNECTION_TABLE_FULL;
	packet->backend = ps_choose_backend(w, packet, false);
	if (packet->backend == PS_NO_ROW)
		return PS_DROP_NO_BACKEND;
	ps_count(w, PS_LCORE_UNTRACKED_PACKETS, 1);
	return PS_NO_DROP;
}

static inline enum ps_drop track_one(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	struct ps_conn *conn = packet->conn;

	// An earlier packet of the burst may have made the connection, or ended it.
	if (unlikely(conn == NULL || conn->key != packet->key))
		conn = ps_conn_find(&w->table, packet->key, packet->hash);
	packet->backend = PS_NO_ROW;
	if (unlikely(packet->listener->features & PS_FEATURE_GUARD)) {
		enum ps_drop drop = ps_guard_packet(w, packet);
		if (drop != PS_NO_DROP)
			return drop;
	}
	if (packet->ipv6 && conn != NULL && unlikely(!ps_is_peer(w, packet, conn)))
		return track_twin(w, packet);
	return likely(conn != NULL) ? track_known(w, port, packet, conn)
				    : track_new(w, packet, false);
}

uint16_t ps_stage_track(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packets, uint16_t count)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < count; i++) {
		packets[i].conn = ps_conn_find(&w->table, packets[i].key, packets[i].hash);
		if (unlikely(packets[i].conn == NULL))
			ps_choice_prefetch(&packets[i]);
		else if (packets[i].ipv6)
			rte_prefetch0(ps_conn_peer(&w->table, packets[i].conn));
	}
	for (uint16_t i = 0; i < count; i++) {
		struct ps_packet *packet = &packets[i];
		enum ps_drop drop = track_one(w, port, packet);

		if (unlikely(packet->listener->features & PS_FEATURE_GUARD) && drop == PS_NO_DROP)
			drop = ps_guard_backend(w, packet);
		if (unlikely(drop != PS_NO_DROP)) {
			ps_drop_owned(
				w, packet->mbuf, packet->listener->row, packet->backend, drop);
			continue;
		}
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	return kept;
}

uint16_t ps_track_peek(struct ps_worker *w, const struct ps_packet *flow)
{
	const struct ps_conn *conn = ps_live_connection(w, flow->key);

	if (conn != NULL && (!flow->ipv6 || ps_is_peer(w, flow, conn)))
		return conn->backend;
	return ps_choose_by_hash(flow);
}
