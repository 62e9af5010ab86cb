// SPDX-License-Identifier: Apache-2.0
#include "tables/schedule.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <stdlib.h>

// Above it weights are rounded: a round has as many turns as they add up to.
#define MAX_TURNS 65536u

static uint32_t divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

// Turns of each backend in a round are weight * multiply / divide, one at least.
struct round {
	uint64_t multiply;
	uint64_t divide;
};

static struct round plan_round(
	const struct ps_config_pool *pool, const struct ps_config_backend *backends)
{
	uint32_t common = 0;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < pool->backend_count; i++) {
		common = divisor(common, backends[i].weight);
		sum += backends[i].weight;
	}
	if (common == 0 || sum / common <= MAX_TURNS)
		return (struct round){1, common != 0 ? common : 1};
	return (struct round){MAX_TURNS, sum};
}

static uint32_t turns_of(const struct round *round, uint32_t weight)
{
	uint64_t turns = (weight * round->multiply + round->divide / 2) / round->divide;

	return weight == 0 ? 0 : turns == 0 ? 1 : (uint32_t)turns;
}

static uint32_t count_turns(
	const struct ps_config_pool *pool, const struct ps_config_backend *backends)
{
	struct round round = plan_round(pool, backends);
	uint32_t count = 0;

	for (uint32_t i = 0; i < pool->backend_count; i++)
		count += turns_of(&round, backends[i].weight);
	return count;
}

size_t ps_schedule_size(const struct ps_config_pool *pool, const struct ps_config_backend *backends)
{
	switch (pool->scheduler) {
	case PS_SCHEDULER_ROUND_ROBIN:
		return count_turns(pool, backends) * sizeof(uint16_t);
	case PS_SCHEDULER_LEAST_CONNECTIONS:
		return pool->backend_count * sizeof(struct ps_candidate);
	default:
		return 0;
	}
}

// Where turn k of w is due in a round of n: in the middle of its share of it.
static uint32_t due(uint32_t k, uint32_t w, uint32_t n)
{
	return (uint32_t)((2ULL * k + 1) * n / (2ULL * w));
}

// The turns of each backend lie evenly in the round: sorted by where they are due.
static int fill_turns(const struct ps_config_pool *pool, const struct ps_config_backend *backends,
	const uint16_t *rows, uint16_t *out, uint32_t count)
{
	struct round round = plan_round(pool, backends);
	uint32_t *next = calloc(count + 1, sizeof *next); // free place of those due then

	if (next == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < pool->backend_count; i++) {
		uint32_t w = turns_of(&round, backends[i].weight);
		for (uint32_t k = 0; k < w; k++)
			next[due(k, w, count) + 1]++;
	}
	for (uint32_t at = 0; at < count; at++)
		next[at + 1] += next[at];
	for (uint32_t i = 0; i < pool->backend_count; i++) {
		uint32_t w = turns_of(&round, backends[i].weight);
		for (uint32_t k = 0; k < w; k++)
			out[next[due(k, w, count)]++] = rows[i];
	}
	free(next);
	return 0;
}

int ps_schedule_fill(struct ps_table *table, const struct ps_config_pool *pool,
	const struct ps_config_backend *backends, const uint16_t *rows, void *room)
{
	struct ps_candidate *candidates = room;

	if (pool->scheduler == PS_SCHEDULER_ROUND_ROBIN) {
		table->turn_count = count_turns(pool, backends);
		table->turns = room;
		return fill_turns(pool, backends, rows, room, table->turn_count);
	}
	if (pool->scheduler != PS_SCHEDULER_LEAST_CONNECTIONS)
		return 0;
	table->candidates = candidates;
	for (uint32_t i = 0; i < pool->backend_count; i++)
		if (backends[i].weight != 0)
			candidates[table->candidate_count++] =
				(struct ps_candidate){rows[i], (uint16_t)backends[i].weight};
	return 0;
}

int ps_servers_build(const struct ps_config_pool *pool, const struct ps_config_backend *backends,
	const uint16_t *rows, struct ps_servers **out)
{
	uint32_t size = rte_align32pow2(2 * pool->backend_count + 2);
	bool any = false;

	for (uint32_t i = 0; i < pool->backend_count; i++)
		any = any || backends[i].server_id_length != 0;
	if (!any)
		return 0;
	struct ps_servers *servers =
		rte_zmalloc("servers", sizeof *servers + size * sizeof servers->entries[0], 64);
	if (servers == NULL)
		return -ENOMEM;
	servers->mask = size - 1;
	for (uint32_t i = 0; i < pool->backend_count; i++) {
		if (backends[i].server_id_length == 0)
			continue;
		struct ps_server *entry =
			(struct ps_server *)ps_server_find(servers, backends[i].server_id);
		memcpy(entry->id, backends[i].server_id, PS_SERVER_ID_MAX);
		entry->used = true;
		entry->row = rows[i];
	}
	*out = servers;
	return 0;
}
