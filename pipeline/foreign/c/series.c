// SPDX-License-Identifier: Apache-2.0
#include "series.h"

#define FIRST_SLOTS 1024
#define NAME_BITS 0xffff000000000000

static int slots_alloc(struct fm_table *table, uint32_t slots)
{
	uint32_t *by_key = calloc(slots, sizeof(*by_key)), *by_id = calloc(slots, sizeof(*by_id));

	if (!by_key || !by_id) {
		free(by_key);
		free(by_id);
		return -ENOMEM;
	}
	free(table->by_key);
	free(table->by_id);
	table->by_key = by_key;
	table->by_id = by_id;
	table->mask = slots - 1;
	return 0;
}

int fm_table_init(struct fm_table *table, uint32_t limit, size_t key_limit, struct fm_secret secret)
{
	*table = (struct fm_table){.secret = secret, .limit = limit, .key_limit = key_limit};
	return slots_alloc(table, FIRST_SLOTS);
}

void fm_table_free(struct fm_table *table)
{
	for (uint32_t i = 0; i < table->tenant_count; i++)
		free(table->tenants[i].name);
	free(table->tenants);
	free(table->series);
	free(table->by_key);
	free(table->by_id);
	fm_release(&table->keys);
}

int fm_tenant_add(struct fm_table *table, const char *name, size_t size, uint32_t limit)
{
	size_t bytes = (table->tenant_count + 1) * sizeof(*table->tenants);
	struct fm_tenant *tenants = realloc(table->tenants, bytes);

	if (!tenants)
		return -ENOMEM;
	table->tenants = tenants;
	struct fm_tenant *tenant = &tenants[table->tenant_count];
	*tenant = (struct fm_tenant){malloc(size + 1), size, 0, limit};
	if (!tenant->name)
		return -ENOMEM;
	memcpy(tenant->name, name, size);
	return (int)table->tenant_count++;
}

uint64_t fm_series_hash(const struct fm_table *table, uint32_t tenant, struct fm_text key)
{
	// The tenant's number goes through the secret, so that tenants do not meet in one chain.
	struct fm_secret secret = table->secret;

	secret.words[0] += tenant * 0x9e3779b97f4a7c15;
	return fm_hash(key.data, key.size, &secret);
}

// Through the secret: whoever sends label sets knows their ids.
static uint32_t id_slot(const struct fm_table *table, uint64_t id)
{
	return (uint32_t)((id * (table->secret.words[1] | 1)) >> 32) & table->mask;
}

struct fm_series *fm_series_find(
	struct fm_table *table, uint32_t tenant, struct fm_text key, uint64_t hash)
{
	for (uint32_t slot = (uint32_t)hash & table->mask;; slot = (slot + 1) & table->mask) {
		uint32_t index = table->by_key[slot];
		if (!index)
			return NULL;
		struct fm_series *series = &table->series[index - 1];
		if (series->hash == hash && series->tenant == tenant &&
			series->key_size == key.size &&
			!memcmp(table->keys.data + series->key, key.data, key.size))
			return series;
	}
}

struct fm_series *fm_series_of_id(struct fm_table *table, uint64_t id)
{
	for (uint32_t slot = id_slot(table, id);; slot = (slot + 1) & table->mask) {
		uint32_t index = table->by_id[slot];
		if (!index)
			return NULL;
		if (table->series[index - 1].id == id)
			return &table->series[index - 1];
	}
}

static void enter(struct fm_table *table, uint32_t index)
{
	struct fm_series *series = &table->series[index];
	uint32_t slot = (uint32_t)series->hash & table->mask;

	while (table->by_key[slot])
		slot = (slot + 1) & table->mask;
	table->by_key[slot] = index + 1;
	slot = id_slot(table, series->id);
	while (table->by_id[slot])
		slot = (slot + 1) & table->mask;
	table->by_id[slot] = index + 1;
}

static int grow(struct fm_table *table)
{
	if (table->count == table->room) {
		uint32_t room = table->room ? table->room * 2 : 1024;
		struct fm_series *series = realloc(table->series, room * sizeof(*series));
		if (!series)
			return -ENOMEM;
		table->series = series;
		table->room = room;
	}
	if (table->count < table->mask / 2)
		return 0;
	if (slots_alloc(table, (table->mask + 1) * 2))
		return -ENOMEM;
	for (uint32_t i = 0; i < table->count; i++) // in their order: fm_series_undo relies on it
		enter(table, i);
	return 0;
}

static uint64_t fingerprint(struct fm_table *table, uint32_t tenant, struct fm_text key)
{
	struct fm_labels labels = {.count = 0};
	const struct fm_tenant *owner = &table->tenants[tenant];
	uint64_t seed = fm_siphash((const uint8_t *)owner->name, owner->name_size, 0, 0);

	fm_labels_read(fm_wire_of(key), &labels);
	struct fm_text name = fm_metric_name(&labels);
	uint64_t id = (fm_siphash(name.data, name.size, seed, 1) & NAME_BITS) |
		      (fm_siphash(key.data, key.size, seed, 2) & ~NAME_BITS);
	while (!id || fm_series_of_id(table, id))
		id++;
	return id;
}

int fm_series_add(struct fm_table *table, uint32_t tenant, struct fm_text key, uint64_t id,
	struct fm_series **added)
{
	struct fm_tenant *owner = &table->tenants[tenant];

	if (!id && owner->series >= owner->limit)
		return -EDQUOT;
	if (!id && (table->count >= table->limit || table->keys.size + key.size > table->key_limit))
		return -ENOSPC;
	if (id && fm_series_of_id(table, id))
		return -EEXIST;
	if (grow(table) || fm_reserve(&table->keys, key.size))
		return -ENOMEM;
	struct fm_series *series = &table->series[table->count];
	*series = (struct fm_series){
		.hash = fm_series_hash(table, tenant, key),
		.id = id ? id : fingerprint(table, tenant, key),
		.key = table->keys.size,
		.key_size = (uint32_t)key.size,
		.tenant = tenant,
	};
	fm_put(&table->keys, key.data, key.size);
	enter(table, table->count++);
	owner->series++;
	*added = series;
	return 0;
}

// Nothing was entered after it, so no other's chain goes through its slots.
static void leave(struct fm_table *table, uint32_t index)
{
	const struct fm_series *series = &table->series[index];
	uint32_t slot = (uint32_t)series->hash & table->mask;

	while (table->by_key[slot] != index + 1)
		slot = (slot + 1) & table->mask;
	table->by_key[slot] = 0;
	slot = id_slot(table, series->id);
	while (table->by_id[slot] != index + 1)
		slot = (slot + 1) & table->mask;
	table->by_id[slot] = 0;
	table->tenants[series->tenant].series--;
	table->keys.size = series->key;
}

void fm_series_undo(struct fm_table *table, uint32_t count)
{
	while (table->count > count)
		leave(table, --table->count);
}

int64_t fm_series_forget(struct fm_table *table, uint32_t before)
{
	uint32_t kept = 0, count = table->count;
	size_t size = 0;

	if (slots_alloc(table, table->mask + 1)) // the same slots, empty
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct fm_series *series = &table->series[i];
		if (series->seen < before) {
			table->tenants[series->tenant].series--;
			continue;
		}
		memmove(table->keys.data + size, table->keys.data + series->key, series->key_size);
		series->key = size;
		size += series->key_size;
		table->series[kept] = *series;
		enter(table, kept++);
	}
	table->keys.size = size;
	table->count = kept;
	return count - kept;
}
