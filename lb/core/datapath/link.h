// SPDX-License-Identifier: Apache-2.0
// The link layer of a frame: MAC addresses and VLAN tag.
#pragma once

#include "datapath/count.h"
#include "datapath/drop.h"
#include "datapath/packet.h"
#include "datapath/stages.h"

#include <rte_ether.h>
#include <string.h>

// Where a tagged packet came in, or PS_NO_INTERFACE; packets without a tag are at home on the port.
static inline uint16_t ps_interface_of(
	const struct ps_worker *w, const struct ps_port *port, const struct ps_packet *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);
	uint16_t tci;

	if (likely(packet->ether_length == RTE_ETHER_HDR_LEN))
		return port->id;
	memcpy(&tci, frame + RTE_ETHER_HDR_LEN, sizeof tci);
	tci &= RTE_BE16(RTE_VLAN_ID_MASK);
	if (tci == 0)
		return port->id; // a priority tag
	const struct ps_runtime_entry *entry =
		ps_runtime_find(w->runtime, ps_target_key(port->id + 1u, tci, PS_KEY_INTERFACE));
	return entry->target == PS_TARGET_INTERFACE ? (uint16_t)entry->index : PS_NO_INTERFACE;
}

// Each MAC address is the low 48 bits of its number. The frame has 14 bytes at least.
static inline void ps_rewrite_macs(uint8_t *frame, uint64_t destination, uint64_t source)
{
	uint64_t low = destination | source << 48;
	uint32_t high = (uint32_t)(source >> 16);

	memcpy(frame, &low, sizeof low);
	memcpy(frame + sizeof low, &high, sizeof high);
}

static inline bool ps_is_tagged(const uint8_t *frame)
{
	return ((const struct rte_ether_hdr *)frame)->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN);
}

// Gives the frame the tag of `vlan` (network byte order), or none for 0. The MAC addresses are to
// be written after it. False: no room in front of it.
static inline bool ps_retag(struct rte_mbuf *mbuf, uint16_t vlan)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	bool tagged = ps_is_tagged(frame);

	if (likely(!tagged && vlan == 0))
		return true;
	if (tagged && vlan == 0) {
		rte_pktmbuf_adj(mbuf, RTE_VLAN_HLEN); // the inner EtherType is in its place now
		return true;
	}
	if (!tagged) {
		frame = (uint8_t *)rte_pktmbuf_prepend(mbuf, RTE_VLAN_HLEN);
		if (frame == NULL)
			return false;
		((struct rte_ether_hdr *)frame)->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	}
	memcpy(frame + RTE_ETHER_HDR_LEN, &vlan, sizeof vlan);
	return true;
}

// Sends a packet of a listener (see ps_set_owner()) to its backend.
static inline void ps_send_owned(
	struct ps_worker *w, struct rte_mbuf *mbuf, uint16_t row, uint64_t mac)
{
	const struct ps_backend *backend = &w->runtime->backends[row];
	struct ps_port *port = &w->ports[backend->port];

	if (unlikely(!ps_retag(mbuf, backend->vlan))) {
		ps_drop_owned(w, mbuf, ps_owner_vip(mbuf), row, PS_DROP_NO_HEADROOM);
		return;
	}
	ps_rewrite_macs(rte_pktmbuf_mtod(mbuf, uint8_t *), mac, port->mac);
	ps_count_sent(w, row, mbuf->pkt_len);
	ps_transmit_packet(w, port, mbuf, mbuf->pkt_len);
}
