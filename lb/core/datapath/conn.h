// SPDX-License-Identifier: Apache-2.0
// The connection table of one worker. Nobody else reads it, so it has no locks and no atomics.
//
// A bucket is a cache line of four entries; a connection lives in one of two buckets (its home, or,
// when that was full, its alternate). An entry counts in its home's `spilled` when it lives in the
// alternate, so that a search that fails reads the alternate only where something did spill. At
// most half of the entries are used: a search reads 1.05 lines on average then.
//
// The key of an IPv4 connection is its whole 5-tuple. That of an IPv6 connection holds a hash of
// the client: who the client is stands in `peers`, beside the entries.
#pragma once

#include "tables/runtime.h"

#include <assert.h>
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_CONN_WAYS 4
#define PS_SPILLED_MAX 7 // more are not counted: the bucket then counts as spilled for good

struct ps_conn {
	uint64_t key;      // 0: free
	uint32_t deadline; // tick at which it expires
	uint16_t backend;  // row
	union {
		struct {
			uint16_t state : 3;          // enum ps_conn_state
			uint16_t listener_epoch : 4; // low bits of the epochs of the rows, when
			uint16_t backend_epoch : 6;  // it was made
			uint16_t spilled : 3;        // of the bucket; in its first entry only
		};
		uint16_t bits; // all of them
	};
};

#define PS_LISTENER_EPOCH(epoch) ((epoch)&15u)
#define PS_BACKEND_EPOCH(epoch) ((epoch)&63u)
#define PS_SPILLED_BITS 0xe000u

struct ps_conn_bucket {
	struct ps_conn entries[PS_CONN_WAYS];
} __attribute__((aligned(64)));

// The client of an IPv6 connection, and where the session is of one that is translated.
struct ps_conn_peer {
	uint64_t address[2];
	uint16_t port;
	uint16_t local_port;   // network byte order
	uint16_t local;        // slot of the local address, plus 1; 0: no session
	uint32_t local_serial; // of the one that was there then
} __attribute__((aligned(32)));

struct ps_conn_table {
	struct ps_conn_bucket *buckets;
	struct ps_conn_peer *peers; // one an entry
	uint32_t mask;              // buckets - 1
	uint32_t used;              // entries
	uint32_t max;               // entries allowed
	uint32_t swept;             // next bucket of the sweep
	uint64_t seed;
};

static_assert(sizeof(struct ps_conn_bucket) == 64, "one cache line");

// Buckets that a table for `max` connections has: a power of two.
uint32_t ps_conn_buckets(uint32_t max);
// `buckets` are ps_conn_buckets(max) zeroed buckets, `peers` PS_CONN_WAYS times as many.
void ps_conn_init(struct ps_conn_table *table, struct ps_conn_bucket *buckets,
	struct ps_conn_peer *peers, uint32_t max, uint64_t seed);
// A free entry for a key that is not in the table, with its key set; or an entry that has expired
// (its old key still in it: remove it, then ask again); or NULL: no room.
struct ps_conn *ps_conn_place(
	struct ps_conn_table *table, uint64_t key, uint64_t hash, uint32_t tick);
void ps_conn_remove(struct ps_conn_table *table, struct ps_conn *conn);

static inline uint32_t ps_conn_home(const struct ps_conn_table *table, uint64_t hash)
{
	return (uint32_t)hash & table->mask;
}

static inline uint32_t ps_conn_alternate(const struct ps_conn_table *table, uint64_t hash)
{
	return (uint32_t)(hash >> 32) & table->mask;
}

static inline struct ps_conn_peer *ps_conn_peer(
	const struct ps_conn_table *table, const struct ps_conn *conn)
{
	return &table->peers[conn - table->buckets[0].entries];
}

// One load and one store: written one after the other, the fields' bytes would hold up the loads of
// the words that they lie in.
static inline void ps_conn_set_bits(
	struct ps_conn *conn, uint16_t state, uint16_t listener_epoch, uint16_t backend_epoch)
{
	conn->bits = (uint16_t)((conn->bits & PS_SPILLED_BITS) | state |
				PS_LISTENER_EPOCH(listener_epoch) << 3 |
				PS_BACKEND_EPOCH(backend_epoch) << 7);
}

static inline bool ps_conn_expired(const struct ps_conn *conn, uint32_t tick)
{
	return (int32_t)(tick - conn->deadline) >= 0;
}

static inline struct ps_conn *ps_bucket_find(struct ps_conn_bucket *bucket, uint64_t key)
{
	for (uint32_t i = 0; i < PS_CONN_WAYS; i++)
		if (bucket->entries[i].key == key)
			return &bucket->entries[i];
	return NULL;
}

static inline void ps_conn_prefetch(const struct ps_conn_table *table, uint64_t hash)
{
	rte_prefetch0(&table->buckets[ps_conn_home(table, hash)]);
}

// Expired entries are found too.
static inline struct ps_conn *ps_conn_find(struct ps_conn_table *table, uint64_t key, uint64_t hash)
{
	struct ps_conn_bucket *home = &table->buckets[ps_conn_home(table, hash)];
	struct ps_conn *found = ps_bucket_find(home, key);

	if (found != NULL || likely(home->entries[0].spilled == 0))
		return found;
	return ps_bucket_find(&table->buckets[ps_conn_alternate(table, hash)], key);
}
