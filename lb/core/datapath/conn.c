// SPDX-License-Identifier: Apache-2.0
#include "datapath/conn.h"

#include "datapath/flow.h"

#include <rte_common.h>

uint32_t ps_conn_buckets(uint32_t max)
{
	uint32_t half = (max + 1) / 2; // two connections a bucket of four

	return rte_align32pow2(half < 64 ? 64 : half);
}

void ps_conn_init(
	struct ps_conn_table *table, struct ps_conn_bucket *buckets, uint32_t max, uint64_t seed)
{
	*table = (struct ps_conn_table){
		.buckets = buckets,
		.mask = ps_conn_buckets(max) - 1,
		.max = max,
		.seed = seed,
	};
}

static struct ps_conn *expired_entry(struct ps_conn_bucket *bucket, uint32_t tick)
{
	for (uint32_t i = 0; i < PS_CONN_WAYS; i++)
		if (bucket->entries[i].key != 0 && ps_conn_expired(&bucket->entries[i], tick))
			return &bucket->entries[i];
	return NULL;
}

struct ps_conn *ps_conn_place(
	struct ps_conn_table *table, uint64_t key, uint64_t hash, uint32_t tick)
{
	struct ps_conn_bucket *home = &table->buckets[ps_conn_home(table, hash)];
	struct ps_conn_bucket *alternate = &table->buckets[ps_conn_alternate(table, hash)];
	struct ps_conn *conn = NULL;

	if (likely(table->used < table->max)) {
		conn = ps_bucket_find(home, 0);
		if (conn == NULL && alternate != home) {
			conn = ps_bucket_find(alternate, 0);
			if (conn != NULL && home->entries[0].spilled < PS_SPILLED_MAX)
				home->entries[0].spilled++;
		}
	}
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

	if (!at_home && home->entries[0].spilled < PS_SPILLED_MAX)
		home->entries[0].spilled--;
	conn->key = 0;
	table->used--;
}
