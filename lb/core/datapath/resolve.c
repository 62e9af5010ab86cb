// SPDX-License-Identifier: Apache-2.0
// Asks for MAC addresses, on behalf of the main lcore, which has no queue to send with.
#include "datapath/link.h"

#define ORDERS_A_CALL 32

static bool send_request(struct ps_worker *w, uint32_t index)
{
	const struct ps_neighbour *n = &w->shared->neighbours->entries[index];
	struct ps_port *port = &w->ports[n->port];
	bool v4 = ps_address_is_v4(&n->address);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(w->shared->pool);

	if (mbuf == NULL)
		return false; // main asks again
	uint64_t to = v4 ? ps_arp_request(mbuf, port->mac, n) : ps_nd_solicit(mbuf, port->mac, n);
	ps_count(w, v4 ? PS_LCORE_ORIGINATED_ARP_REQUEST : PS_LCORE_ORIGINATED_ND_SOLICITATION, 1);
	if (!ps_retag(mbuf, n->vlan)) {
		ps_drop(w, mbuf, PS_DROP_NO_HEADROOM);
		return true;
	}
	ps_rewrite_macs(rte_pktmbuf_mtod(mbuf, uint8_t *), to, port->mac);
	ps_set_owner(mbuf, PS_NO_ROW, PS_NO_ROW);
	ps_transmit_packet(w, port, mbuf, mbuf->pkt_len);
	return true;
}

uint32_t ps_resolve_orders(struct ps_worker *w)
{
	void *orders[ORDERS_A_CALL];
	uint32_t sent = 0;

	if (w->index != 0 || likely(rte_ring_empty(w->shared->resolve_orders)))
		return 0;
	unsigned count =
		rte_ring_sc_dequeue_burst(w->shared->resolve_orders, orders, ORDERS_A_CALL, NULL);
	for (unsigned i = 0; i < count; i++)
		sent += send_request(w, (uint32_t)(uintptr_t)orders[i]);
	return sent;
}
