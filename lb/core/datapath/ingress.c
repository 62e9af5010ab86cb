// SPDX-License-Identifier: Apache-2.0
// Stage 1: from buffers to packets. What is malformed ends here, and so do ARP and ND.
#include "datapath/drop.h"
#include "datapath/link.h"
#include "datapath/parse.h"
#include "datapath/stages.h"

#define AHEAD 4

static inline enum ps_drop ingress_one(struct ps_worker *w, const struct ps_port *port,
	struct rte_mbuf *mbuf, struct ps_packet *packet)
{
	if (unlikely(mbuf->nb_segs != 1))
		return PS_DROP_MULTI_SEGMENT;
	if (unlikely(mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) && rte_vlan_insert(&mbuf) != 0)
		return PS_DROP_VLAN_TAGGED;
	packet->mbuf = mbuf;
	enum ps_drop drop = ps_parse(
		rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len, port->mac, packet);
	if (unlikely(packet->ether_length != RTE_ETHER_HDR_LEN) && drop == PS_NO_DROP &&
		ps_interface_of(w, port, packet) == PS_NO_INTERFACE)
		return PS_DROP_VLAN_UNKNOWN;
	return drop;
}

// Packets that have served their purpose when they were read.
static void hand_over(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	if (packet->kind == PS_PACKET_ARP)
		ps_arp_input(w, port, packet);
	else
		ps_nd_input(w, port, packet);
}

uint16_t ps_stage_ingress(struct ps_worker *w, struct ps_port *port, struct rte_mbuf **mbufs,
	uint16_t count, struct ps_packet *packets)
{
	uint16_t kept = 0;
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < AHEAD && i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		struct ps_packet *packet = &packets[kept];

		if (i + AHEAD < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + AHEAD], void *));
		bytes += mbufs[i]->pkt_len;
		enum ps_drop drop = ingress_one(w, port, mbufs[i], packet);
		if (unlikely(drop != PS_NO_DROP))
			ps_drop(w, mbufs[i], drop);
		else if (unlikely(packet->kind >= PS_PACKET_ARP))
			hand_over(w, port, packet);
		else
			kept++;
	}
	ps_count(w, PS_LCORE_RX_PACKETS, count);
	ps_count(w, PS_LCORE_RX_BYTES, bytes);
	ps_count_queue(port, PS_PORT_QUEUE_RX_PACKETS, count);
	ps_count_queue(port, PS_PORT_QUEUE_RX_BYTES, bytes);
	return kept;
}
