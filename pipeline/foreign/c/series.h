// SPDX-License-Identifier: Apache-2.0
// The series that are known: from the key of a label set to the id under which samples are stored.
//
// An id is 16 bits of the metric's name and 48 bits of the whole label set, so that the series of a
// metric lie together in the store; when another label set has it, the next free one is taken. The
// whole key is compared, always: two label sets never share an id.
#pragma once

#include "buffer.h"
#include "hash.h"
#include "labels.h"

struct fm_series {
	uint64_t hash, id;
	size_t key; // where it is in the table's keys
	uint32_t key_size;
	uint32_t tenant;
	uint32_t saved;    // unix seconds when the store had it last, 0: never
	uint32_t seen;     // unix seconds of the last sample
	uint32_t batch;    // the last batch that has it among its series
	uint32_t metadata; // a hash of the metadata that came with it
};

struct fm_tenant {
	char *name;
	size_t name_size;
	uint32_t series, limit;
};

struct fm_table {
	struct fm_secret secret;
	struct fm_series *series;
	uint32_t count, room;
	uint32_t *by_key, *by_id; // indexes of series + 1, open addressing
	uint32_t mask;
	struct fm_buffer keys;
	struct fm_tenant *tenants;
	uint32_t tenant_count;
	uint32_t limit;
	size_t key_limit;
};

// `limit` series and `key_limit` bytes of their keys, of all tenants. -ENOMEM.
int fm_table_init(
	struct fm_table *table, uint32_t limit, size_t key_limit, struct fm_secret secret);
void fm_table_free(struct fm_table *table);

// The number of a new tenant, or -ENOMEM.
int fm_tenant_add(struct fm_table *table, const char *name, size_t size, uint32_t limit);

struct fm_series *fm_series_find(
	struct fm_table *table, uint32_t tenant, struct fm_text key, uint64_t hash);
uint64_t fm_series_hash(const struct fm_table *table, uint32_t tenant, struct fm_text key);

// Add a series that is not there; `id` is 0 to choose one. -EDQUOT: the tenant has its limit,
// -ENOSPC: the table has its limit, -EEXIST: the id given is another's, -ENOMEM.
int fm_series_add(struct fm_table *table, uint32_t tenant, struct fm_text key, uint64_t id,
	struct fm_series **added);

// Take back the series that were added last, down to `count`.
void fm_series_undo(struct fm_table *table, uint32_t count);

struct fm_series *fm_series_of_id(struct fm_table *table, uint64_t id);

// Forget the series without a sample since `before`. Returns how many, or -ENOMEM.
int64_t fm_series_forget(struct fm_table *table, uint32_t before);
