// SPDX-License-Identifier: Apache-2.0
#include "tables/neighbours.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

// Unanswered requests are repeated after 1/8 s, then twice as long each time, up to 4 s; while
// packets wait, once a second at least.
#define FIRST_INTERVAL(hz) ((hz) / 8)
#define LAST_INTERVAL(hz) ((hz)*4)

static void start(struct ps_neighbour *n, uint64_t hz)
{
	n->used = true;
	n->fresh = true;
	n->next_request = 0;
	n->interval = FIRST_INTERVAL(hz);
	atomic_store_explicit(&n->mac, 0, memory_order_relaxed);
	atomic_store_explicit(&n->confirmed, 0, memory_order_relaxed);
	atomic_store_explicit(&n->wanted, 0, memory_order_relaxed);
}

static uint16_t *chain_of(struct ps_neighbours *neighbours, const struct ps_address *address)
{
	uint64_t hash = (address->halves[0] ^ address->halves[1]) * 0x9e3779b97f4a7c15ULL;

	static_assert(PS_NEIGHBOURS == 1 << 15, "the hash has as many bits");
	return &neighbours->chains[hash >> (64 - 15)];
}

static void link_entry(struct ps_neighbours *neighbours, uint32_t index)
{
	struct ps_neighbour *n = &neighbours->entries[index];
	uint16_t *chain = chain_of(neighbours, &n->address);

	n->next = *chain;
	*chain = (uint16_t)(index + 1);
}

// `sender` NULL: whoever asks.
static struct ps_neighbour *find(struct ps_neighbours *neighbours, uint16_t port, uint16_t vlan,
	const struct ps_address *address, const struct ps_address *sender)
{
	for (uint32_t i = *chain_of(neighbours, address); i != 0;
		i = neighbours->entries[i - 1].next) {
		struct ps_neighbour *n = &neighbours->entries[i - 1];
		if (n->port == port && n->vlan == vlan && ps_address_equal(&n->address, address) &&
			(sender == NULL || ps_address_equal(&n->sender, sender)))
			return n;
	}
	return NULL;
}

static void inherit(struct ps_neighbour *n, const struct ps_neighbour *from)
{
	atomic_store_explicit(&n->mac, ps_neighbour_mac(from), memory_order_relaxed);
	atomic_store_explicit(&n->confirmed,
		atomic_load_explicit(&from->confirmed, memory_order_relaxed), memory_order_relaxed);
}

int ps_neighbour_add(struct ps_neighbours *neighbours, uint16_t port, uint16_t vlan,
	const struct ps_address *address, const struct ps_address *sender)
{
	struct ps_neighbour *n = find(neighbours, port, vlan, address, sender);

	if (n == NULL) {
		uint32_t i = neighbours->first_free;
		while (i < PS_NEIGHBOURS && neighbours->entries[i].used)
			i++;
		neighbours->first_free = i;
		if (i == PS_NEIGHBOURS)
			return -ENOSPC;
		const struct ps_neighbour *other = find(neighbours, port, vlan, address, NULL);
		n = &neighbours->entries[i];
		n->port = port;
		n->vlan = vlan;
		n->address = *address;
		n->sender = *sender;
		start(n, neighbours->hz);
		if (other != NULL)
			inherit(n, other);
		link_entry(neighbours, i);
		if (neighbours->high <= i)
			neighbours->high = i + 1;
	}
	n->keep = true;
	return (int)(n - neighbours->entries);
}

// After entries were freed.
static void index_anew(struct ps_neighbours *neighbours)
{
	memset(neighbours->chains, 0, sizeof neighbours->chains);
	for (uint32_t i = 0; i < neighbours->high; i++)
		if (neighbours->entries[i].used)
			link_entry(neighbours, i);
	neighbours->first_free = 0;
}

void ps_neighbours_sweep(struct ps_neighbours *neighbours)
{
	for (uint32_t i = 0; i < neighbours->high; i++) {
		neighbours->entries[i].used = neighbours->entries[i].keep;
		neighbours->entries[i].fresh = false;
		neighbours->entries[i].keep = false;
	}
	index_anew(neighbours);
}

void ps_neighbours_abort(struct ps_neighbours *neighbours)
{
	for (uint32_t i = 0; i < neighbours->high; i++) {
		struct ps_neighbour *n = &neighbours->entries[i];
		n->used = n->used && !n->fresh;
		n->fresh = false;
		n->keep = false;
	}
	index_anew(neighbours);
}

// A worker may learn at any moment: only the address that was seen to be old is taken away.
static void age(struct ps_neighbours *neighbours, struct ps_neighbour *n, uint64_t now)
{
	uint64_t mac = ps_neighbour_mac(n);

	if (mac != 0 && atomic_compare_exchange_strong(&n->mac, &mac, 0)) {
		neighbours->aged++;
		n->interval = FIRST_INTERVAL(neighbours->hz);
		n->next_request = now;
	}
}

// A worker may set the time of the last word between two looks at the clock: then it is now.
static uint64_t silence(const struct ps_neighbour *n, uint64_t now)
{
	uint64_t confirmed = atomic_load_explicit(&n->confirmed, memory_order_acquire);

	return now > confirmed ? now - confirmed : 0;
}

static void tick_one(struct ps_neighbours *neighbours, uint32_t index, uint64_t now,
	ps_neighbour_request *request, void *user)
{
	struct ps_neighbour *n = &neighbours->entries[index];
	uint64_t silent = silence(n, now);
	bool resolved = ps_neighbour_mac(n) != 0;

	if (resolved && silent < neighbours->age_limit / 2) {
		n->interval = FIRST_INTERVAL(neighbours->hz);
		n->next_request = now;
		return;
	}
	if (resolved && silent >= neighbours->age_limit)
		age(neighbours, n, now);
	if (atomic_exchange_explicit(&n->wanted, 0, memory_order_relaxed) != 0 &&
		n->next_request > now + neighbours->hz)
		n->next_request = now + neighbours->hz;
	if (now < n->next_request || !request(user, index))
		return;
	n->next_request = now + n->interval;
	n->interval *= 2;
	if (n->interval > LAST_INTERVAL(neighbours->hz))
		n->interval = LAST_INTERVAL(neighbours->hz);
}

void ps_neighbours_tick(
	struct ps_neighbours *neighbours, uint64_t now, ps_neighbour_request *request, void *user)
{
	for (uint32_t i = 0; i < neighbours->high; i++)
		if (neighbours->entries[i].used)
			tick_one(neighbours, i, now, request, user);
}

struct ps_neighbour_counts ps_neighbours_count(const struct ps_neighbours *neighbours, uint64_t now)
{
	struct ps_neighbour_counts counts = {};

	for (uint32_t i = 0; i < neighbours->high; i++) {
		const struct ps_neighbour *n = &neighbours->entries[i];
		bool resolved = n->used && ps_neighbour_mac(n) != 0;

		counts.known += n->used;
		counts.resolved += resolved;
		counts.stale += resolved && silence(n, now) >= neighbours->age_limit / 2;
	}
	return counts;
}
