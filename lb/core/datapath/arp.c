// SPDX-License-Identifier: Apache-2.0
// ARP: answers for our own addresses (never for a VIP), learns the backends' MAC addresses.
#include "datapath/drop.h"
#include "datapath/parse.h"
#include "datapath/rewrite.h"
#include "datapath/stages.h"

#include <rte_arp.h>
#include <string.h>

#define ARP_FRAME (sizeof(struct rte_ether_hdr) + sizeof(struct rte_arp_hdr))
#define ORDERS_A_CALL 32

struct arp_view { // of a packet that is well-formed
	uint64_t sender_mac;
	uint32_t sender;
	uint32_t target;
	bool request;
};

static uint64_t mac_number(const struct rte_ether_addr *address)
{
	uint64_t number = 0;

	memcpy(&number, address, sizeof *address);
	return number;
}

static bool arp_parse(const struct rte_mbuf *mbuf, struct arp_view *view)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(
		mbuf, const struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));

	if (mbuf->data_len < ARP_FRAME)
		return false;
	if (arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
		arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		arp->arp_hlen != RTE_ETHER_ADDR_LEN ||
		arp->arp_plen != sizeof arp->arp_data.arp_tip)
		return false;
	view->request = arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST);
	if (!view->request && arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REPLY))
		return false;
	view->sender_mac = mac_number(&arp->arp_data.arp_sha);
	view->sender = arp->arp_data.arp_sip;
	view->target = arp->arp_data.arp_tip;
	return rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha);
}

// RFC 826: whoever is in the table is updated, whatever the packet is about.
static void learn(struct ps_worker *w, const struct ps_port *port, const struct arp_view *view)
{
	const struct ps_runtime_entry *entry = ps_runtime_find(
		w->runtime, ps_target_key(view->sender, port->id, PS_KEY_NEIGHBOUR));

	if (entry->target == PS_TARGET_NEIGHBOUR)
		ps_neighbour_learn(w->shared->neighbours, entry->index, view->sender_mac, w->now);
}

static bool is_own(const struct ps_worker *w, const struct ps_port *port, uint32_t address)
{
	const struct ps_runtime_entry *entry =
		ps_runtime_find(w->runtime, ps_target_key(address, 0, PS_KEY_ADDRESS));

	return entry->target == PS_TARGET_OWN && entry->index == port->id;
}

static void fill(struct rte_mbuf *mbuf, uint64_t own_mac, uint32_t own_address, uint16_t opcode,
	uint64_t peer_mac, uint32_t peer_address)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct rte_ether_hdr *ether = (void *)frame;
	struct rte_arp_hdr *arp = (void *)(ether + 1);
	uint64_t unknown = 0;

	ps_rewrite_macs(frame, peer_mac, own_mac);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof arp->arp_data.arp_tip;
	arp->arp_opcode = rte_cpu_to_be_16(opcode);
	memcpy(&arp->arp_data.arp_sha, &own_mac, sizeof arp->arp_data.arp_sha);
	arp->arp_data.arp_sip = own_address;
	memcpy(&arp->arp_data.arp_tha, opcode == RTE_ARP_OP_REPLY ? &peer_mac : &unknown,
		sizeof arp->arp_data.arp_tha);
	arp->arp_data.arp_tip = peer_address;
	ps_set_owner(mbuf, PS_NO_ROW, PS_NO_ROW);
}

void ps_arp_input(struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf)
{
	struct arp_view view;

	if (!arp_parse(mbuf, &view)) {
		ps_drop(w, mbuf, PS_DROP_ARP_MALFORMED);
		return;
	}
	learn(w, port, &view);
	if (!is_own(w, port, view.target)) {
		ps_drop(w, mbuf, PS_DROP_ARP_NOT_FOR_US);
	} else if (view.request) {
		ps_answer(w, PS_CONSUMED_ARP_REQUEST, PS_ORIGINATED_ARP_REPLY);
		fill(mbuf, port->mac, view.target, RTE_ARP_OP_REPLY, view.sender_mac, view.sender);
		ps_transmit_packet(w, port, mbuf, mbuf->pkt_len);
	} else {
		ps_consume(w, mbuf, PS_CONSUMED_ARP_REPLY);
	}
}

static bool send_request(struct ps_worker *w, uint32_t index)
{
	const struct ps_neighbour *n = &w->shared->neighbours->entries[index];
	struct ps_port *port = &w->ports[n->port];
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(w->shared->pool);

	if (mbuf == NULL)
		return false; // main asks again
	rte_pktmbuf_append(mbuf, RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN);
	memset(rte_pktmbuf_mtod(mbuf, void *), 0, mbuf->data_len);
	fill(mbuf, port->mac, atomic_load_explicit(&n->sender, memory_order_relaxed),
		RTE_ARP_OP_REQUEST, PS_MAC_MASK, n->address);
	ps_count(w, PS_LCORE_ORIGINATED_ARP_REQUEST, 1);
	ps_transmit_packet(w, port, mbuf, mbuf->pkt_len);
	return true;
}

uint32_t ps_arp_send_orders(struct ps_worker *w)
{
	void *orders[ORDERS_A_CALL];
	uint32_t sent = 0;

	if (w->index != 0 || likely(rte_ring_empty(w->shared->arp_orders)))
		return 0;
	unsigned count =
		rte_ring_sc_dequeue_burst(w->shared->arp_orders, orders, ORDERS_A_CALL, NULL);
	for (unsigned i = 0; i < count; i++)
		sent += send_request(w, (uint32_t)(uintptr_t)orders[i]);
	return sent;
}
