// SPDX-License-Identifier: Apache-2.0
#include "datapath/guard.h"

#include "datapath/schedule.h"

static bool is_denied(const struct ps_ranges *list, const struct ps_packet *packet)
{
	return packet->ipv6 ? ps_ranges_deny_v6(list, packet->addresses6->source)
			    : ps_ranges_deny_v4(list, packet->source);
}

// Buckets of another name than before begin full.
static void fill(struct ps_worker *w, struct ps_buckets *buckets, const struct ps_limits *limits,
	uint16_t epoch)
{
	bool anew = buckets->epoch != epoch;
	double cycles = (double)(w->now - buckets->filled);

	for (uint32_t i = 0; i < PS_RATES; i++) {
		double tokens = buckets->tokens[i] + cycles * limits->rate[i];
		buckets->tokens[i] = anew || tokens > limits->burst[i] ? limits->burst[i] : tokens;
	}
	buckets->filled = w->now;
	buckets->epoch = epoch;
}

static bool take(struct ps_buckets *buckets, const struct ps_limits *limits, enum ps_rate which,
	double amount)
{
	if (limits->rate[which] <= 0)
		return true;
	if (buckets->tokens[which] < amount)
		return false;
	buckets->tokens[which] -= amount;
	return true;
}

// A packet that is dropped takes nothing.
static enum ps_drop take_packet(struct ps_buckets *buckets, const struct ps_limits *limits,
	uint32_t bytes, enum ps_drop packets, enum ps_drop bits)
{
	if (!take(buckets, limits, PS_RATE_PACKETS, 1))
		return packets;
	if (take(buckets, limits, PS_RATE_BITS, bytes * 8.0))
		return PS_NO_DROP;
	buckets->tokens[PS_RATE_PACKETS] += 1;
	return bits;
}

enum ps_drop ps_guard_packet(struct ps_worker *w, const struct ps_packet *packet)
{
	const struct ps_listener *listener = packet->listener;
	const struct ps_limits *limits = listener->limits;
	struct ps_buckets *buckets = &w->vip_buckets[listener->row];

	if (w->runtime->global_list != NULL && is_denied(w->runtime->global_list, packet))
		return PS_DROP_DENIED_BY_GLOBAL_LIST;
	if (listener->list != NULL && is_denied(listener->list, packet))
		return PS_DROP_DENIED_BY_LIST;
	if (limits == NULL)
		return PS_NO_DROP;
	fill(w, buckets, limits, listener->epoch);
	return take_packet(buckets, limits, packet->frame_length, PS_DROP_LISTENER_PACKET_LIMIT,
		PS_DROP_LISTENER_BIT_LIMIT);
}

enum ps_drop ps_guard_connection(struct ps_worker *w, const struct ps_packet *packet)
{
	const struct ps_listener *listener = packet->listener;
	const struct ps_limits *limits = listener->limits;

	if (limits == NULL)
		return PS_NO_DROP;
	if (ps_vip_load_of(w, listener->row)->connections >= limits->connections)
		return PS_DROP_LISTENER_CONNECTION_LIMIT;
	return take(&w->vip_buckets[listener->row], limits, PS_RATE_NEW_CONNECTIONS, 1)
		       ? PS_NO_DROP
		       : PS_DROP_LISTENER_NEW_CONNECTION_LIMIT;
}

static const struct ps_limits *backend_limits(
	const struct ps_worker *w, const struct ps_packet *packet)
{
	return w->runtime->backend_limits != NULL ? w->runtime->backend_limits[packet->backend]
						  : NULL;
}

enum ps_drop ps_guard_backend_connection(struct ps_worker *w, const struct ps_packet *packet)
{
	const struct ps_limits *limits = backend_limits(w, packet);
	struct ps_buckets *buckets = &w->backend_buckets[packet->backend];

	if (limits == NULL)
		return PS_NO_DROP;
	if (ps_load_of(w, packet->backend)->connections >= limits->connections)
		return PS_DROP_BACKEND_CONNECTION_LIMIT;
	fill(w, buckets, limits, w->runtime->backends[packet->backend].epoch);
	return take(buckets, limits, PS_RATE_NEW_CONNECTIONS, 1)
		       ? PS_NO_DROP
		       : PS_DROP_BACKEND_NEW_CONNECTION_LIMIT;
}

enum ps_drop ps_guard_backend(struct ps_worker *w, const struct ps_packet *packet)
{
	const struct ps_limits *limits = backend_limits(w, packet);
	struct ps_buckets *buckets = &w->backend_buckets[packet->backend];

	if (limits == NULL)
		return PS_NO_DROP;
	fill(w, buckets, limits, w->runtime->backends[packet->backend].epoch);
	return take_packet(buckets, limits, packet->frame_length, PS_DROP_BACKEND_PACKET_LIMIT,
		PS_DROP_BACKEND_BIT_LIMIT);
}
