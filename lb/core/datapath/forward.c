// SPDX-License-Identifier: Apache-2.0
// Stage 4: direct server return. The frame goes to the backend's MAC address; the packet in it
// stays as the client sent it.
#include "datapath/drop.h"
#include "datapath/link.h"
#include "datapath/stages.h"

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

static inline void forward_one(struct ps_worker *w, struct ps_packet *packet)
{
	const struct ps_backend *backend = &w->runtime->backends[packet->backend];
	const struct ps_port *port = &w->ports[backend->port];
	uint16_t vip = packet->listener->row;
	uint64_t mac = ps_neighbour_mac(&w->shared->neighbours->entries[backend->neighbour]);

	if (unlikely(packet->frame_length > packet->ether_length + (uint32_t)port->mtu) &&
		!trim(packet, port)) {
		ps_drop_owned(w, packet->mbuf, vip, packet->backend, PS_DROP_EXCEEDS_MTU);
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
