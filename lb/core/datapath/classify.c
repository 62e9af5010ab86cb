// SPDX-License-Identifier: Apache-2.0
// Stage 2: whose packet is it? Computes the key of the connection and fetches its bucket ahead.
#include "datapath/drop.h"
#include "datapath/icmp_error.h"
#include "datapath/nat.h"
#include "datapath/stages.h"
#include "datapath/target.h"

// Packets of one listener often follow each other: they are counted together.
struct run {
	uint16_t row;
	uint64_t sum; // in the form of a tally
};

static inline void count_run(struct ps_worker *w, struct run *run, uint16_t row, uint32_t bytes)
{
	if (!PS_COUNTERS)
		return;
	if (row != run->row && run->sum != 0) {
		ps_count_taken(w, run->row, run->sum);
		run->sum = 0;
	}
	run->row = row;
	run->sum += PS_TALLY_PACKET + bytes;
}

// ICMP of the packet's family.
static inline bool is_icmp(const struct ps_packet *packet)
{
	return packet->protocol == (packet->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static void answer_echo(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	if (packet->ipv6)
		ps_icmp6_input(w, port, packet);
	else
		ps_icmp_input(w, port, packet);
}

// For a VIP, but for none of its listeners.
static void for_vip(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet, bool echo)
{
	if (is_icmp(packet) && ps_is_icmp_error(packet))
		ps_icmp_error_input(w, port, packet);
	else if (echo && is_icmp(packet))
		answer_echo(w, port, packet);
	else
		ps_drop(w, packet->mbuf, PS_DROP_NO_LISTENER);
}

// What a backend behind address translation sends, or an error about what it was sent, is taken.
static bool is_answer(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet,
	const struct ps_own *own)
{
	return is_icmp(packet) ? ps_nat_error_input(w, port, packet, own)
			       : ps_nat_input(w, port, packet, own);
}

// A packet that no listener wants.
static void not_for_listener(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	const struct ps_runtime_entry *address =
		ps_find_target(w->runtime, packet, 0, PS_KEY_ADDRESS);

	if (address->target == PS_TARGET_VIP)
		for_vip(w, port, packet, address->index == PS_VIP_ANSWERS_ECHO);
	else if (address->target != PS_TARGET_OWN)
		ps_drop(w, packet->mbuf, PS_DROP_UNKNOWN_DESTINATION);
	else if (is_answer(w, port, packet, &w->runtime->own[address->index]))
		return;
	else if (is_icmp(packet) && ps_is_too_big(packet))
		ps_tunnel_error_input(w, port, packet);
	else if (is_icmp(packet))
		answer_echo(w, port, packet);
	else
		ps_drop(w, packet->mbuf, PS_DROP_OWN_ADDRESS);
}

uint16_t ps_stage_classify(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packets, uint16_t count)
{
	struct run run = {};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct ps_packet *packet = &packets[i];
		const struct ps_listener *listener = ps_find_listener(w->runtime, packet);

		if (unlikely(listener == NULL)) {
			not_for_listener(w, port, packet);
			continue;
		}
		count_run(w, &run, listener->row, packet->frame_length);
		ps_set_listener(w, packet, listener);
		ps_conn_prefetch(&w->table, packet->hash);
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	if (run.sum != 0)
		ps_count_taken(w, run.row, run.sum);
	return kept;
}
