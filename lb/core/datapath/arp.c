// SPDX-License-Identifier: Apache-2.0
// ARP: answers for our own addresses (never for a VIP), learns the backends' MAC addresses.
#include "datapath/link.h"
#include "datapath/parse.h"
#include "datapath/stages.h"

#include <rte_arp.h>
#include <string.h>

#define ARP_FRAME (RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN) // padded

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

static bool arp_parse(const struct ps_packet *packet, struct arp_view *view)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(
		packet->mbuf, const struct rte_arp_hdr *, packet->ether_length);

	if (packet->frame_length < packet->ether_length + sizeof *arp)
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
static void learn(struct ps_worker *w, uint16_t interface, const struct arp_view *view)
{
	const struct ps_runtime_entry *entry = ps_runtime_find(
		w->runtime, ps_target_key(view->sender, interface, PS_KEY_NEIGHBOUR));

	if (entry->target == PS_TARGET_NEIGHBOUR)
		ps_neighbour_learn(w->shared->neighbours, entry->index, view->sender_mac, w->now);
}

static bool is_own(const struct ps_worker *w, uint16_t interface, uint32_t address)
{
	const struct ps_runtime_entry *entry =
		ps_runtime_find(w->runtime, ps_target_key(address, 0, PS_KEY_ADDRESS));

	return entry->target == PS_TARGET_OWN &&
	       w->runtime->own[entry->index].interface == interface;
}

// Behind the Ethernet header, whose MAC addresses the caller writes.
static void fill(struct rte_arp_hdr *arp, uint16_t opcode, uint64_t own_mac, uint32_t own_address,
	uint64_t peer_mac, uint32_t peer_address)
{
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof arp->arp_data.arp_tip;
	arp->arp_opcode = rte_cpu_to_be_16(opcode);
	memcpy(&arp->arp_data.arp_sha, &own_mac, sizeof arp->arp_data.arp_sha);
	arp->arp_data.arp_sip = own_address;
	memcpy(&arp->arp_data.arp_tha, &peer_mac, sizeof arp->arp_data.arp_tha);
	arp->arp_data.arp_tip = peer_address;
}

static void reply(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet,
	const struct arp_view *view)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, uint8_t *);

	ps_answer(w, PS_CONSUMED_ARP_REQUEST, PS_ORIGINATED_ARP_REPLY);
	ps_rewrite_macs(frame, view->sender_mac, port->mac);
	fill((void *)(frame + packet->ether_length), RTE_ARP_OP_REPLY, port->mac, view->target,
		view->sender_mac, view->sender);
	ps_set_owner(packet->mbuf, PS_NO_ROW, PS_NO_ROW);
	ps_transmit_packet(w, port, packet->mbuf, packet->frame_length);
}

void ps_arp_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	uint16_t interface = ps_interface_of(w, port, packet);
	struct arp_view view;

	if (!arp_parse(packet, &view)) {
		ps_drop(w, packet->mbuf, PS_DROP_ARP_MALFORMED);
		return;
	}
	learn(w, interface, &view);
	if (!is_own(w, interface, view.target))
		ps_drop(w, packet->mbuf, PS_DROP_ARP_NOT_FOR_US);
	else if (view.request)
		reply(w, port, packet, &view);
	else
		ps_consume(w, packet->mbuf, PS_CONSUMED_ARP_REPLY);
}

uint64_t ps_arp_request(struct rte_mbuf *mbuf, uint64_t mac, const struct ps_neighbour *n)
{
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(mbuf, ARP_FRAME);
	struct rte_ether_hdr *ether = (void *)frame;

	memset(frame, 0, ARP_FRAME);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	fill((void *)(ether + 1), RTE_ARP_OP_REQUEST, mac, n->sender.words[3], 0,
		n->address.words[3]);
	return PS_MAC_MASK;
}
