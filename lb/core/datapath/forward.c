// SPDX-License-Identifier: Apache-2.0
// Stage 4: to the backend. In direct server return the frame goes to the backend's MAC address, and
// the packet in it stays as the client sent it; through a tunnel it becomes another's payload.
#include "datapath/drop.h"
#include "datapath/link.h"
#include "datapath/stages.h"
#include "datapath/tunnel.h"

// True when the packet fits the port, without what follows it in its frame if need be.
static bool trim(struct ps_packet *packet, const struct ps_port *port)
{
	uint16_t length = packet->ether_length + packet->l3_length;

	if (packet->l3_length > port->mtu)
		return false;
	rte_pktmbuf_trim(packet->mbuf, packet->frame_length - length);
	packet->frame_length = length;
	return true;
}

static void drop(struct ps_worker *w, const struct ps_packet *packet, enum ps_drop reason)
{
	ps_drop_owned(w, packet->mbuf, packet->listener->row, packet->backend, reason);
}

// Makes the frame ready for all but its MAC addresses; false: it was dropped.
static bool wrap(struct ps_worker *w, const struct ps_packet *packet, const struct ps_port *port)
{
	const struct ps_tunnel *tunnel = &w->runtime->tunnels[packet->backend];

	if (packet->l3_length + (uint32_t)tunnel->length > port->mtu) {
		drop(w, packet, PS_DROP_EXCEEDS_MTU);
		return false;
	}
	if (!ps_encapsulate(w, tunnel, packet)) {
		drop(w, packet, PS_DROP_NO_HEADROOM);
		return false;
	}
	return true;
}

static inline void forward_one(struct ps_worker *w, struct ps_packet *packet)
{
	const struct ps_backend *backend = &w->runtime->backends[packet->backend];
	const struct ps_port *port = &w->ports[backend->port];
	uint16_t vip = packet->listener->row;
	uint64_t mac = ps_neighbour_mac(&w->shared->neighbours->entries[backend->neighbour]);

	if (unlikely(backend->tunnel)) {
		if (!wrap(w, packet, port))
			return;
	} else if (unlikely(packet->frame_length > packet->ether_length + (uint32_t)port->mtu) &&
		   !trim(packet, port)) {
		drop(w, packet, PS_DROP_EXCEEDS_MTU);
		return;
	}
	ps_set_owner(packet->mbuf, vip, packet->backend);
	if (unlikely(mac == 0)) {
		ps_hold_packet(w, packet);
		return;
	}
	ps_send_owned(w, packet->mbuf, packet->backend, mac);
}

void ps_stage_forward(struct ps_worker *w, struct ps_packet *packets, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		forward_one(w, &packets[i]);
}
