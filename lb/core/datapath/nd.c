// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery (RFC 4861): answers for our own addresses (never for a VIP), learns the
// backends' MAC addresses.
#include "datapath/icmp6.h"
#include "datapath/link.h"
#include "datapath/parse6.h"

#define SOURCE_LINK_ADDRESS 1 // options
#define TARGET_LINK_ADDRESS 2
#define HOP_LIMIT 255
#define FLAG_SOLICITED 0x40
#define FLAG_OVERRIDE 0x20

// Solicitation and advertisement have one layout.
struct nd_message {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint8_t flags; // of an advertisement
	uint8_t reserved[3];
	uint8_t target[16];
};

struct nd_option { // a link-layer address on Ethernet
	uint8_t type;
	uint8_t length; // in units of 8 bytes
	uint8_t mac[6];
};

struct nd_packet { // as we send it
	struct rte_ipv6_hdr ip;
	struct nd_message message;
	struct nd_option option;
} __attribute__((packed));

static_assert(sizeof(struct nd_packet) == 72, "as on the wire");

// The link-layer address in an option of `type`, or 0. False: the options are malformed.
static bool read_options(const uint8_t *at, uint32_t length, uint8_t type, uint64_t *mac)
{
	*mac = 0;
	while (length > 0) {
		if (length < 8 || at[1] == 0 || at[1] * 8u > length)
			return false;
		if (at[0] == type && at[1] == 1)
			memcpy(mac, at + offsetof(struct nd_option, mac), 6);
		length -= at[1] * 8u;
		at += at[1] * 8u;
	}
	return true;
}

// RFC 4861 sections 7.1.1 and 7.1.2. `*mac` is the address that the message tells, or 0.
static bool is_valid(
	const struct ps_packet *packet, const struct nd_message *message, uint64_t *mac)
{
	const struct rte_ipv6_hdr *ip = ps_header6(packet);
	uint32_t length = packet->l3_length - packet->header_length;
	bool solicitation = message->type == PS_ND_SOLICITATION;
	bool probe = ps_is_unspecified6(ip->src_addr); // duplicate address detection

	if (packet->header_length != sizeof *ip || ip->hop_limits != HOP_LIMIT ||
		length < sizeof *message || message->code != 0 || message->target[0] == 0xff ||
		!ps_icmp6_checksum_ok(ip, message))
		return false;
	if (!read_options((const uint8_t *)(message + 1), length - (uint32_t)sizeof *message,
		    solicitation ? SOURCE_LINK_ADDRESS : TARGET_LINK_ADDRESS, mac))
		return false;
	if (!solicitation)
		return !probe && !(ip->dst_addr[0] == 0xff && message->flags & FLAG_SOLICITED);
	return !probe || (*mac == 0 && ip->dst_addr[0] == 0xff);
}

static void learn(struct ps_worker *w, uint16_t interface, const uint8_t *address, uint64_t mac,
	bool override)
{
	struct ps_address who = ps_address_v6(address);
	const struct ps_runtime_entry *entry =
		ps_runtime_find6(w->runtime, &who, interface, PS_KEY_NEIGHBOUR);
	struct rte_ether_addr bytes;

	memcpy(&bytes, &mac, sizeof bytes);
	if (entry->target != PS_TARGET_NEIGHBOUR || !rte_is_valid_assigned_ether_addr(&bytes))
		return;
	uint64_t known = ps_neighbour_mac(&w->shared->neighbours->entries[entry->index]);
	if (override || known == 0 || known == mac) // section 7.2.5
		ps_neighbour_learn(w->shared->neighbours, entry->index, mac, w->now);
}

static bool is_own(const struct ps_worker *w, uint16_t interface, const uint8_t *address)
{
	struct ps_address target = ps_address_v6(address);
	const struct ps_runtime_entry *entry =
		ps_runtime_find6(w->runtime, &target, 0, PS_KEY_ADDRESS);

	return entry->target == PS_TARGET_OWN &&
	       w->runtime->own[entry->index].interface == interface;
}

// Everything but its addresses and the flags.
static void fill(struct nd_packet *nd, uint8_t type, const uint8_t *target, uint64_t mac)
{
	nd->ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.payload_len = RTE_BE16(sizeof nd->message + sizeof nd->option),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = HOP_LIMIT,
	};
	nd->message = (struct nd_message){.type = type};
	nd->option = (struct nd_option){
		.type = type == PS_ND_SOLICITATION ? SOURCE_LINK_ADDRESS : TARGET_LINK_ADDRESS,
		.length = 1};
	memcpy(nd->message.target, target, sizeof nd->message.target);
	memcpy(nd->option.mac, &mac, sizeof nd->option.mac);
}

// Whoever probes for a duplicate has no address yet: the answer goes to all nodes.
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

static void reply(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, uint8_t *);
	struct nd_packet *nd = (void *)(frame + packet->ether_length);
	uint32_t size = packet->ether_length + (uint32_t)sizeof *nd;
	bool probe = ps_is_unspecified6(nd->ip.src_addr);
	uint8_t target[16], to[16];
	uint64_t peer = 0;

	memcpy(target, nd->message.target, sizeof target);
	memcpy(to, probe ? all_nodes : nd->ip.src_addr, sizeof to);
	memcpy(&peer, frame + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	ps_answer(w, PS_CONSUMED_ND_SOLICITATION, PS_ORIGINATED_ND_ADVERTISEMENT);
	ps_set_owner(packet->mbuf, PS_NO_ROW, PS_NO_ROW);
	if (packet->mbuf->data_len > size)
		rte_pktmbuf_trim(packet->mbuf, (uint16_t)(packet->mbuf->data_len - size));
	else if (rte_pktmbuf_append(packet->mbuf, (uint16_t)(size - packet->mbuf->data_len)) ==
		 NULL) {
		ps_drop(w, packet->mbuf, PS_DROP_NO_HEADROOM);
		return;
	}
	fill(nd, PS_ND_ADVERTISEMENT, target, port->mac);
	memcpy(nd->ip.src_addr, target, sizeof target);
	memcpy(nd->ip.dst_addr, to, sizeof to);
	nd->message.flags = probe ? FLAG_OVERRIDE : FLAG_SOLICITED | FLAG_OVERRIDE;
	nd->message.checksum = ps_icmp6_checksum(&nd->ip, &nd->message);
	ps_rewrite_macs(frame, probe ? ps_multicast_mac(all_nodes) : peer, port->mac);
	ps_transmit_packet(w, port, packet->mbuf, size);
}

void ps_nd_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	const struct rte_ipv6_hdr *ip = ps_header6(packet);
	const struct nd_message *message =
		(const void *)((const uint8_t *)ip + packet->header_length);
	uint16_t interface = ps_interface_of(w, port, packet);
	uint64_t mac;

	if (!is_valid(packet, message, &mac)) {
		ps_drop(w, packet->mbuf, PS_DROP_ND_MALFORMED);
		return;
	}
	if (message->type == PS_ND_ADVERTISEMENT) {
		if (mac != 0)
			learn(w, interface, message->target, mac, message->flags & FLAG_OVERRIDE);
		ps_consume(w, packet->mbuf, PS_CONSUMED_ND_ADVERTISEMENT);
		return;
	}
	if (mac != 0)
		learn(w, interface, ip->src_addr, mac, true);
	if (is_own(w, interface, message->target))
		reply(w, port, packet);
	else
		ps_drop(w, packet->mbuf, PS_DROP_ND_NOT_FOR_US);
}

uint64_t ps_nd_solicit(struct rte_mbuf *mbuf, uint64_t mac, const struct ps_neighbour *n)
{
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(
		mbuf, sizeof(struct rte_ether_hdr) + sizeof(struct nd_packet));
	struct rte_ether_hdr *ether = (void *)frame;
	struct nd_packet *nd = (void *)(ether + 1);

	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	fill(nd, PS_ND_SOLICITATION, n->address.bytes, mac);
	memcpy(nd->ip.src_addr, n->sender.bytes, sizeof nd->ip.src_addr);
	ps_solicited_node(&n->address, nd->ip.dst_addr);
	nd->message.checksum = ps_icmp6_checksum(&nd->ip, &nd->message);
	return ps_multicast_mac(nd->ip.dst_addr);
}
