// SPDX-License-Identifier: Apache-2.0
// Which MAC address a backend has. The main lcore owns the list: it adds and removes entries, asks
// again and lets them age. Any worker may learn an answer. An entry keeps its index for as long as
// a configuration that a worker uses may name it.
#pragma once

#include "base/address.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_NEIGHBOURS 32768

struct ps_neighbour {
	_Atomic uint64_t mac;       // low 48 bits as in memory; 0: unresolved
	_Atomic uint64_t confirmed; // TSC of the last word from it
	_Atomic uint32_t wanted;    // 1: a worker had a packet for it and no MAC address
	uint16_t port;
	uint16_t vlan; // in network byte order; 0: untagged
	struct ps_address address;
	struct ps_address sender; // own address that asks for it
	bool used;
	// The main lcore's own:
	bool keep;             // added since the last sweep
	bool fresh;            // and was not there before
	uint16_t next;         // of its chain, plus 1
	uint64_t next_request; // TSC
	uint64_t interval;     // cycles between requests, doubled while nobody answers
};

struct ps_neighbours {
	_Atomic uint64_t learned; // grows with each change of a MAC address
	uint64_t age_limit;       // cycles after which an entry is unresolved again
	uint64_t hz;
	uint64_t aged;                  // MAC addresses forgotten
	uint32_t high;                  // entries [0, high) may be in use
	uint32_t first_free;            // no entry below is free
	uint16_t chains[PS_NEIGHBOURS]; // by hash of the address: index of the first entry, plus 1
	struct ps_neighbour entries[PS_NEIGHBOURS];
};

// --- any worker ---

static inline uint64_t ps_neighbour_mac(const struct ps_neighbour *neighbour)
{
	return atomic_load_explicit(&neighbour->mac, memory_order_relaxed);
}

static inline void ps_neighbour_learn(
	struct ps_neighbours *neighbours, uint32_t index, uint64_t mac, uint64_t now)
{
	struct ps_neighbour *n = &neighbours->entries[index];

	atomic_store_explicit(&n->confirmed, now, memory_order_release);
	if (ps_neighbour_mac(n) == mac)
		return;
	atomic_store_explicit(&n->mac, mac, memory_order_relaxed);
	atomic_fetch_add_explicit(&neighbours->learned, 1, memory_order_release);
}

static inline void ps_neighbour_want(struct ps_neighbour *neighbour)
{
	if (atomic_load_explicit(&neighbour->wanted, memory_order_relaxed) == 0)
		atomic_store_explicit(&neighbour->wanted, 1, memory_order_relaxed);
}

// --- the main lcore ---

// Asks for the MAC address of the entry `index`; false: cannot now.
typedef bool ps_neighbour_request(void *user, uint32_t index);

// Finds the entry of (port, VLAN, address, sender) or takes a free one, which begins with the MAC
// address that the neighbour has for other senders. Returns its index or -ENOSPC.
int ps_neighbour_add(struct ps_neighbours *neighbours, uint16_t port, uint16_t vlan,
	const struct ps_address *address, const struct ps_address *sender);
// Frees every entry that was not added since the last call. No worker may use those any more.
void ps_neighbours_sweep(struct ps_neighbours *neighbours);
// Takes back what was added since the last sweep; no worker has seen it.
void ps_neighbours_abort(struct ps_neighbours *neighbours);
// Sends the requests that are due and lets silent entries age.
void ps_neighbours_tick(
	struct ps_neighbours *neighbours, uint64_t now, ps_neighbour_request *request, void *user);
struct ps_neighbour_counts {
	uint32_t known;
	uint32_t resolved;
	uint32_t stale; // resolved, and asked again
};

struct ps_neighbour_counts ps_neighbours_count(
	const struct ps_neighbours *neighbours, uint64_t now);
