// SPDX-License-Identifier: Apache-2.0
// Stage 2: whose packet is it? Computes the key of the connection and fetches its bucket ahead.
#include "datapath/drop.h"
#include "datapath/flow.h"
#include "datapath/stages.h"

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

// What the packet's destination is, under a port and protocol.
static inline const struct ps_runtime_entry *find(const struct ps_runtime *runtime,
	const struct ps_packet *packet, uint16_t port, uint8_t protocol)
{
	if (likely(!packet->ipv6))
		return ps_runtime_find(runtime, ps_target_key(packet->destination, port, protocol));
	struct ps_address address = ps_address_v6(packet->addresses6->destination);
	return ps_runtime_find6(runtime, &address, port, protocol);
}

// A packet that no listener wants.
static void not_for_listener(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	const struct ps_runtime_entry *address = find(w->runtime, packet, 0, PS_KEY_ADDRESS);

	if (address->target == PS_TARGET_VIP)
		ps_drop(w, packet->mbuf, PS_DROP_NO_LISTENER);
	else if (address->target != PS_TARGET_OWN)
		ps_drop(w, packet->mbuf, PS_DROP_UNKNOWN_DESTINATION);
	else if (!packet->ipv6 && packet->protocol == IPPROTO_ICMP)
		ps_icmp_input(w, port, packet);
	else if (packet->ipv6 && packet->protocol == IPPROTO_ICMPV6)
		ps_icmp6_input(w, port, packet);
	else
		ps_drop(w, packet->mbuf, PS_DROP_OWN_ADDRESS);
}

static inline const struct ps_listener *find_listener(
	const struct ps_runtime *runtime, const struct ps_packet *packet)
{
	if (unlikely(packet->kind == PS_PACKET_OTHER))
		return NULL;
	const struct ps_runtime_entry *entry =
		find(runtime, packet, packet->destination_port, packet->protocol);
	return likely(entry->target == PS_TARGET_LISTENER) ? &runtime->listeners[entry->index]
							   : NULL;
}

uint16_t ps_stage_classify(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packets, uint16_t count)
{
	struct run run = {};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct ps_packet *packet = &packets[i];
		const struct ps_listener *listener = find_listener(w->runtime, packet);

		if (unlikely(listener == NULL)) {
			not_for_listener(w, port, packet);
			continue;
		}
		count_run(w, &run, listener->row, packet->frame_length);
		packet->listener = listener;
		packet->key = likely(!packet->ipv6)
				      ? ps_flow_key(packet, listener->row)
				      : ps_flow_key6(packet, listener->row, w->table.seed);
		packet->hash = ps_key_hash(packet->key, w->table.seed);
		ps_conn_prefetch(&w->table, packet->hash);
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	if (run.sum != 0)
		ps_count_taken(w, run.row, run.sum);
	return kept;
}
