// SPDX-License-Identifier: Apache-2.0
#include "datapath/conn.h"

#include "datapath/flow.h"

#include <rte_common.h>

uint32_t ps_conn_buckets(uint32_t max)
{
	uint32_t half = (max + 1) / 2; // two connections a bucket of four

	return rte_align32pow2(half < 64 ? 64 : half);
}

void ps_conn_init(struct ps_conn_table *table, struct ps_conn_bucket *buckets,
	struct ps_conn_peer *peers, uint32_t max, uint64_t seed)
{
	*table = (struct ps_conn_table){
		.buckets = buckets,
		.peers = peers,
		.mask = ps_conn_buckets(max) - 1,
		.max = max,
		.seed = seed,
	};
}

static void spill(struct ps_conn_bucket *home)
{
	if (home->entries[0].spilled < PS_SPILLED_MAX)
		home->entries[0].spilled++;
}

static void unspill(struct ps_conn_bucket *home)
{
	if (home->entries[0].spilled < PS_SPILLED_MAX)
		home->entries[0].spilled--;
}

static struct ps_conn *expired_entry(struct ps_conn_bucket *bucket, uint32_t tick)
{
	for (uint32_t i = 0; i < PS_CONN_WAYS; i++)
		if (bucket->entries[i].key != 0 && ps_conn_expired(&bucket->entries[i], tick))
			return &bucket->entries[i];
	return NULL;
}

// Makes room in a full bucket: one of its entries moves to the other bucket that it may live in.
static struct ps_conn *displace(struct ps_conn_table *table, uint32_t index)
{
	struct ps_conn_bucket *bucket = &table->buckets[index];

	for (uint32_t i = 0; i < PS_CONN_WAYS; i++) {
		struct ps_conn *conn = &bucket->entries[i];
		uint64_t hash = ps_key_hash(conn->key, table->seed);
		uint32_t home = ps_conn_home(table, hash);
		uint32_t other = home == index ? ps_conn_alternate(table, hash) : home;
		struct ps_conn *to = ps_bucket_find(&table->buckets[other], 0);
		if (to == NULL)
			continue;
		uint16_t spilled = to->spilled; // belongs to the place, not to the connection
		*to = *conn;
		to->spilled = spilled;
		*ps_conn_peer(table, to) = *ps_conn_peer(table, conn);
		ps_conn_peer(table, conn)->local = 0;
		if (home == index)
			spill(bucket);
		else
			unspill(&table->buckets[home]);
		return conn;
	}
	return NULL;
}

static struct ps_conn *free_entry(struct ps_conn_table *table, uint64_t hash)
{
	uint32_t home = ps_conn_home(table, hash), alternate = ps_conn_alternate(table, hash);
	struct ps_conn *conn = ps_bucket_find(&table->buckets[home], 0);

	if (likely(conn != NULL))
		return conn;
	conn = ps_bucket_find(&table->buckets[alternate], 0);
	if (conn == NULL)
		conn = displace(table, home);
	else
		spill(&table->buckets[home]);
	if (conn == NULL && alternate != home) {
		conn = displace(table, alternate);
		if (conn != NULL)
			spill(&table->buckets[home]);
	}
	return conn;
}

struct ps_conn *ps_conn_place(
	struct ps_conn_table *table, uint64_t key, uint64_t hash, uint32_t tick)
{
	struct ps_conn_bucket *home = &table->buckets[ps_conn_home(table, hash)];
	struct ps_conn_bucket *alternate = &table->buckets[ps_conn_alternate(table, hash)];
	struct ps_conn *conn = NULL;

	if (likely(table->used < table->max))
		conn = free_entry(table, hash);
	if (conn == NULL) {
		conn = expired_entry(home, tick);
		return conn != NULL ? conn : expired_entry(alternate, tick);
	}
	conn->key = key;
	table->used++;
	return conn;
}

void ps_conn_remove(struct ps_conn_table *table, struct ps_conn *conn)
{
	uint64_t hash = ps_key_hash(conn->key, table->seed);
	struct ps_conn_bucket *home = &table->buckets[ps_conn_home(table, hash)];
	bool at_home = conn >= home->entries && conn < home->entries + PS_CONN_WAYS;

	if (!at_home)
		unspill(home);
	conn->key = 0;
	table->used--;
}
