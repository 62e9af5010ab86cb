// SPDX-License-Identifier: Apache-2.0
#include "tables/pools.h"

#include "base/maglev.h"
#include "tables/schedule.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdlib.h>

// The main lcore's memory while it builds one table after another.
struct scratch {
	struct ps_maglev_backend *backends;
	uint64_t *identities;
	uint32_t *slots;
	uint32_t *old_pools; // by row of a backend: its pool in the old configuration, plus 1
};

static int allocate(struct scratch *scratch, const struct ps_config *config)
{
	*scratch = (struct scratch){
		.backends = calloc(config->backend_count + 1, sizeof *scratch->backends),
		.identities = calloc(config->backend_count + 1, sizeof *scratch->identities),
		.slots = calloc(config->maglev_size, sizeof *scratch->slots),
		.old_pools = calloc(PS_BACKEND_ROWS, sizeof *scratch->old_pools),
	};
	return scratch->backends && scratch->identities && scratch->slots && scratch->old_pools
		       ? 0
		       : -ENOMEM;
}

static void free_scratch(struct scratch *scratch)
{
	free(scratch->backends);
	free(scratch->identities);
	free(scratch->slots);
	free(scratch->old_pools);
}

static void find_old_pools(const struct ps_build_places *places, uint32_t *old_pools)
{
	if (places->old == NULL)
		return;
	for (uint32_t i = 0; i < places->old_config->backend_count; i++)
		old_pools[places->old_backend_rows[i]] = places->old_config->backends[i].pool + 1;
}

// All that a table depends on.
static bool is_same(const struct ps_build_places *places, const struct ps_config *config,
	const struct ps_config_pool *pool, const struct ps_config_pool *old)
{
	if (config->maglev_size != places->old_config->maglev_size ||
		pool->backend_count != old->backend_count || pool->scheduler != old->scheduler)
		return false;
	for (uint32_t i = 0; i < pool->backend_count; i++) {
		uint32_t n = pool->first_backend + i, o = old->first_backend + i;
		const struct ps_config_backend *a = &config->backends[n];
		const struct ps_config_backend *b = &places->old_config->backends[o];

		if (!ps_address_equal(&a->address, &b->address) || a->weight != b->weight ||
			places->backend_rows[n] != places->old_backend_rows[o])
			return false;
	}
	return true;
}

// The table in force that this pool may go on with, or NULL.
static struct ps_table *find_table(const struct ps_build_places *places,
	const struct ps_config *config, const struct ps_config_pool *pool,
	const uint32_t *old_pools)
{
	if (pool->backend_count == 0)
		return NULL;
	uint32_t old = old_pools[places->backend_rows[pool->first_backend]];

	if (old == 0 || !is_same(places, config, pool, &places->old_config->pools[old - 1]))
		return NULL;
	return places->old->pools[old - 1].table;
}

// A pool whose backends all have weight 0 has no table, and that is no error.
static int build_table(struct ps_pool *pool, const struct ps_config *config,
	const struct ps_config_pool *from, const uint16_t *backend_rows, struct scratch *scratch)
{
	for (uint32_t i = 0; i < from->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[from->first_backend + i];
		scratch->identities[i] = ps_maglev_identity(&b->address);
		scratch->backends[i] = (struct ps_maglev_backend){
			.identity = scratch->identities[i], .weight = b->weight};
	}
	int ret = ps_maglev_build_pool(
		pool->size, from->backend_count, scratch->backends, scratch->slots);
	if (ret == -ENOENT)
		return 0;
	if (ret != 0)
		return ret;
	const struct ps_config_backend *backends = &config->backends[from->first_backend];
	// The schedule is aligned to the size of what is in it.
	size_t size = RTE_ALIGN(sizeof *pool->table + pool->size * sizeof pool->table->rows[0],
		sizeof(struct ps_candidate));
	pool->table = rte_malloc("maglev", size + ps_schedule_size(from, backends), 64);
	if (pool->table == NULL)
		return -ENOMEM;
	*pool->table = (struct ps_table){.users = 1};
	pool->table->digest = ps_maglev_digest(pool->size, scratch->slots, scratch->identities);
	for (uint32_t slot = 0; slot < pool->size; slot++)
		pool->table->rows[slot] = backend_rows[from->first_backend + scratch->slots[slot]];
	return ps_schedule_fill(pool->table, from, backends, &backend_rows[from->first_backend],
		(uint8_t *)pool->table + size);
}

int ps_pools_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	struct scratch scratch;
	int ret = allocate(&scratch, config);

	if (ret == 0)
		find_old_pools(places, scratch.old_pools);
	for (uint32_t i = 0; ret == 0 && i < config->pool_count; i++) {
		const struct ps_config_pool *from = &config->pools[i];
		struct ps_pool *pool = &runtime->pools[i];

		pool->size = config->maglev_size;
		pool->scheduler = from->scheduler;
		pool->table = find_table(places, config, from, scratch.old_pools);
		if (pool->table != NULL)
			pool->table->users++;
		else
			ret = build_table(pool, config, from, places->backend_rows, &scratch);
		if (ret == 0)
			ret = ps_servers_build(from, &config->backends[from->first_backend],
				&places->backend_rows[from->first_backend], &pool->servers);
		places->progress(places->user);
	}
	free_scratch(&scratch);
	return ret;
}

void ps_pools_release(struct ps_runtime *runtime)
{
	for (uint32_t i = 0; runtime->pools != NULL && i < runtime->pool_count; i++) {
		struct ps_table *table = runtime->pools[i].table;

		if (table != NULL && --table->users == 0)
			rte_free(table);
		rte_free(runtime->pools[i].servers);
	}
}
