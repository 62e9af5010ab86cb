// SPDX-License-Identifier: Apache-2.0
// What the destination of a packet is.
#pragma once

#include "datapath/flow.h"
#include "datapath/worker.h"

// Under a port (network byte order) and protocol.
static inline const struct ps_runtime_entry *ps_find_target(const struct ps_runtime *runtime,
	const struct ps_packet *packet, uint16_t port, uint8_t protocol)
{
	if (likely(!packet->ipv6))
		return ps_runtime_find(runtime, ps_target_key(packet->destination, port, protocol));
	struct ps_address address = ps_address_v6(packet->addresses6->destination);
	return ps_runtime_find6(runtime, &address, port, protocol);
}

// NULL: none wants it.
static inline const struct ps_listener *ps_find_listener(
	const struct ps_runtime *runtime, const struct ps_packet *packet)
{
	if (unlikely(packet->kind == PS_PACKET_OTHER))
		return NULL;
	const struct ps_runtime_entry *entry =
		ps_find_target(runtime, packet, packet->destination_port, packet->protocol);
	return likely(entry->target == PS_TARGET_LISTENER) ? &runtime->listeners[entry->index]
							   : NULL;
}

// The packet is of this listener: computes what its connection is found by.
static inline void ps_set_listener(
	const struct ps_worker *w, struct ps_packet *packet, const struct ps_listener *listener)
{
	packet->listener = listener;
	packet->key = likely(!packet->ipv6) ? ps_flow_key(packet, listener->row)
					    : ps_flow_key6(packet, listener->row, w->table.seed);
	packet->hash = ps_key_hash(packet->key, w->table.seed);
}
