// SPDX-License-Identifier: Apache-2.0
// Address translation. The backend sees a local address of ours as the client, and so its answers
// come back here; they leave by the way that the client's last packet came.
#pragma once

#include "datapath/icmp6.h"
#include "datapath/rewrite.h"
#include "datapath/worker.h"

static inline struct ps_wire ps_wire_of(const struct ps_packet *packet)
{
	return (struct ps_wire){
		.ip = rte_pktmbuf_mtod_offset(packet->mbuf, uint8_t *, packet->ether_length),
		.header_length = packet->header_length,
		.l4_length = (uint32_t)(packet->l3_length - packet->header_length),
		.protocol = packet->protocol,
		.ipv6 = packet->ipv6,
	};
}

// The beginning of its frame has moved.
static inline void ps_packet_moved(struct ps_packet *packet, int32_t by)
{
	if (packet->ipv6)
		packet->addresses6 = (const void *)((uintptr_t)packet->addresses6 + by);
}

static inline struct ps_ends ps_ends_to_backend(const struct ps_session *session)
{
	return (struct ps_ends){
		&session->local, &session->backend, session->local_port, session->backend_port};
}

static inline struct ps_ends ps_ends_to_client(const struct ps_session *session)
{
	return (struct ps_ends){
		&session->vip, &session->client, session->vip_port, session->client_port};
}

// A packet of a client, with a session, that fits its way out and has nothing behind it in its
// frame: it becomes one to the backend. False: it came to its end.
bool ps_nat_forward(struct ps_worker *w, const struct ps_port *in, struct ps_packet *packet);
// A packet to an own address. False: it is none of a backend's.
bool ps_nat_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_own *own);
// An ICMP error about a packet that a client was sent: the backend gets one about what it sent.
// `flow`: the client's packets.
void ps_nat_error_forward(struct ps_worker *w, const struct ps_port *in, struct ps_packet *packet,
	const struct ps_packet *flow);
// One to a local address, about a packet that a backend was sent, goes to the client.
bool ps_nat_error_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_own *own);

// The session that a packet of `protocol` to a port of an own address belongs to.
struct ps_nat_place {
	const struct ps_local *local; // NULL: nothing is sent from there by this protocol
	uint32_t owner;               // worker; UINT32_MAX: none
};

struct ps_nat_place ps_nat_place_of(const struct ps_own *own, uint8_t protocol, uint16_t port);
// The session of a port of this worker, with its connection; NULL: there is none.
struct ps_session *ps_nat_find(
	struct ps_worker *w, const struct ps_local *local, uint16_t port, struct ps_conn **conn);
// The packet, which is for the client now, leaves. It fits.
void ps_nat_send(struct ps_worker *w, const struct ps_session *session, struct rte_mbuf *mbuf);

// --- handover.c: packets that belong to another worker ---

#define PS_HANDOVER_RING 1024

void ps_hand_over(
	struct ps_worker *w, uint32_t owner, const struct ps_port *in, struct rte_mbuf *mbuf);
// A packet whose connection this worker does not have goes to the next one. False: all have looked.
bool ps_hand_on(struct ps_worker *w, const struct ps_port *in, struct rte_mbuf *mbuf);
// Handles what others have handed over. Returns how many packets.
uint32_t ps_take_over(struct ps_worker *w);
// Drops it. Nobody hands over any more.
void ps_handover_purge(struct ps_worker *w);
