// SPDX-License-Identifier: Apache-2.0
// Stage 1: from buffers to packets. What is malformed ends here, and so does ARP.
#include "datapath/drop.h"
#include "datapath/parse.h"
#include "datapath/stages.h"

#define AHEAD 4

static inline enum ps_drop ingress_one(
	const struct ps_port *port, struct rte_mbuf *mbuf, struct ps_packet *packet)
{
	packet->mbuf = mbuf;
	if (unlikely(mbuf->nb_segs != 1))
		return PS_DROP_MULTI_SEGMENT;
	if (unlikely(mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		return PS_DROP_VLAN_TAGGED;
	return ps_parse(rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len, port->mac, packet);
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
		enum ps_drop drop = ingress_one(port, mbufs[i], packet);
		if (unlikely(drop != PS_NO_DROP))
			ps_drop(w, mbufs[i], drop);
		else if (unlikely(packet->kind == PS_PACKET_ARP))
			ps_arp_input(w, port, mbufs[i]);
		else
			kept++;
	}
	ps_count(w, PS_LCORE_RX_PACKETS, count);
	ps_count(w, PS_LCORE_RX_BYTES, bytes);
	ps_count_queue(port, PS_PORT_QUEUE_RX_PACKETS, count);
	ps_count_queue(port, PS_PORT_QUEUE_RX_BYTES, bytes);
	return kept;
}
