// SPDX-License-Identifier: Apache-2.0
// Stage 4: to the backend. In direct server return the frame goes to the backend's MAC address, and
// the packet in it stays as the client sent it; through a tunnel it becomes another's payload, and
// address translation rewrites it.
#include "datapath/drop.h"
#include "datapath/fragment.h"
#include "datapath/icmp_error.h"
#include "datapath/link.h"
#include "datapath/nat.h"
#include "datapath/stages.h"
#include "datapath/tunnel.h"

static void drop(struct ps_worker *w, const struct ps_packet *packet, enum ps_drop reason)
{
	ps_drop_owned(w, packet->mbuf, packet->listener->row, packet->backend, reason);
}

// Cuts what follows the packet in its frame.
static void trim(struct ps_packet *packet)
{
	uint16_t length = packet->ether_length + packet->l3_length;

	rte_pktmbuf_trim(packet->mbuf, packet->frame_length - length);
	packet->frame_length = length;
}

// Its way out leaves the packet `mtu` bytes, and that is too few.
static void too_big(
	struct ps_worker *w, struct ps_port *in, const struct ps_packet *packet, uint32_t mtu)
{
	struct ps_packet pieces[PS_PIECES_MAX];

	if (!ps_may_fragment(packet)) {
		ps_too_big(w, in, packet, mtu);
		return;
	}
	uint32_t count = ps_cut(w, packet, mtu, pieces);
	for (uint32_t i = 0; i < count; i++)
		ps_forward(w, in, &pieces[i]);
}

// Makes the frame ready for all but its MAC addresses; false: it came to its end.
static bool wrap(struct ps_worker *w, struct ps_port *in, const struct ps_packet *packet,
	const struct ps_port *out)
{
	const struct ps_tunnel *tunnel = &w->runtime->tunnels[packet->backend];

	if (packet->l3_length + (uint32_t)tunnel->length > out->mtu) {
		too_big(w, in, packet,
			out->mtu > tunnel->length ? out->mtu - (uint32_t)tunnel->length : 0);
		return false;
	}
	if (!ps_encapsulate(w, tunnel, packet)) {
		drop(w, packet, PS_DROP_NO_HEADROOM);
		return false;
	}
	return true;
}

// The packet fits, without what follows it if need be; false: it came to its end.
static bool fit(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_port *out)
{
	if (packet->l3_length > out->mtu) {
		too_big(w, in, packet, out->mtu);
		return false;
	}
	trim(packet);
	return true;
}

// What is to be cut is translated as a whole: its pieces have no ports.
static bool translate(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_port *out)
{
	struct ps_packet pieces[PS_PIECES_MAX];
	bool cut = packet->l3_length > out->mtu && ps_may_fragment(packet);

	if (!cut && !fit(w, in, packet, out))
		return false;
	trim(packet);
	if (!ps_nat_forward(w, in, packet))
		return false;
	if (likely(!cut))
		return true;
	uint32_t count = ps_cut(w, packet, out->mtu, pieces);
	for (uint32_t i = 0; i < count; i++)
		ps_send_forward(w, &pieces[i]);
	return false;
}

// As tunnels and address translation need it; false: it came to its end.
static bool prepare(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_port *out, uint8_t way)
{
	if (way == PS_WAY_TUNNEL)
		return wrap(w, in, packet, out);
	return translate(w, in, packet, out);
}

static inline void send_one(struct ps_worker *w, struct ps_packet *packet, uint64_t mac)
{
	ps_set_owner(packet->mbuf, packet->listener->row, packet->backend);
	if (unlikely(mac == 0)) {
		ps_hold_packet(w, packet);
		return;
	}
	ps_send_owned(w, packet->mbuf, packet->backend, mac);
}

static inline void forward_one(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet)
{
	const struct ps_backend *backend = &w->runtime->backends[packet->backend];
	const struct ps_port *out = &w->ports[backend->port];
	uint64_t mac = ps_neighbour_mac(&w->shared->neighbours->entries[backend->neighbour]);

	if (unlikely(backend->way != PS_WAY_MAC)) {
		if (!prepare(w, in, packet, out, backend->way))
			return;
	} else if (unlikely(packet->frame_length > packet->ether_length + (uint32_t)out->mtu) &&
		   !fit(w, in, packet, out)) {
		return;
	}
	send_one(w, packet, mac);
}

void ps_send_forward(struct ps_worker *w, struct ps_packet *packet)
{
	const struct ps_backend *backend = &w->runtime->backends[packet->backend];

	send_one(w, packet, ps_neighbour_mac(&w->shared->neighbours->entries[backend->neighbour]));
}

void ps_forward(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet)
{
	forward_one(w, in, packet);
}

void ps_stage_forward(
	struct ps_worker *w, struct ps_port *in, struct ps_packet *packets, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		forward_one(w, in, &packets[i]);
}
