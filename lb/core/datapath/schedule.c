// SPDX-License-Identifier: Apache-2.0
#include "datapath/schedule.h"

#include "datapath/flow.h"

// Of a larger pool, as many backends are compared, others each time: a packet's cost has a bound.
#define COMPARED_MAX 64

static uint32_t *turn_of(struct ps_worker *w, const struct ps_pool *pool)
{
	return &w->turns[pool - w->runtime->pools];
}

static uint16_t by_turn(struct ps_worker *w, const struct ps_pool *pool)
{
	uint32_t *turn = turn_of(w, pool);
	uint32_t now = *turn % pool->table->turn_count;

	*turn = now + 1;
	return pool->table->turns[now];
}

// The lowest (connections + 1) / weight; of equals, the first from where the last search ended.
static uint16_t by_load(struct ps_worker *w, const struct ps_pool *pool)
{
	const struct ps_candidate *candidates = pool->table->candidates, *best = NULL;
	uint32_t count = pool->table->candidate_count, *turn = turn_of(w, pool);
	uint32_t compared = RTE_MIN(count, COMPARED_MAX);
	uint32_t at = *turn % count, after = 0;
	uint64_t least = 0;

	for (uint32_t i = 0; i < compared; i++) {
		const struct ps_candidate *candidate = &candidates[at];
		uint64_t load = ps_load_of(w, candidate->row)->connections + 1ULL;

		at = at + 1 < count ? at + 1 : 0;
		if (best != NULL && load * best->weight >= least * candidate->weight)
			continue;
		best = candidate;
		least = load;
		after = at;
	}
	*turn = compared < count ? at : after;
	return best->row;
}

static inline uint32_t slot_of(const struct ps_packet *packet, const struct ps_pool *pool)
{
	uint32_t hash;

	if (unlikely(pool->scheduler == PS_SCHEDULER_MAGLEV_SOURCE))
		hash = ps_source_hash(packet, 0);
	else if (unlikely(pool->scheduler == PS_SCHEDULER_MAGLEV_SOURCE_PORT))
		hash = ps_source_hash(packet, packet->source_port);
	else
		hash = ps_maglev_hash(packet);
	return ps_maglev_slot(hash, pool->size);
}

uint16_t ps_choose_by_hash(const struct ps_packet *packet)
{
	const struct ps_pool *pool = packet->listener->pool;

	if (unlikely(pool->table == NULL))
		return PS_NO_ROW;
	return pool->table->rows[slot_of(packet, pool)];
}

void ps_choice_prefetch(const struct ps_packet *packet)
{
	const struct ps_pool *pool = packet->listener->pool;

	if (likely(pool->table != NULL && pool->scheduler < PS_SCHEDULER_ROUND_ROBIN))
		rte_prefetch0(&pool->table->rows[slot_of(packet, pool)]);
}

uint16_t ps_choose_backend(struct ps_worker *w, const struct ps_packet *packet, bool fresh)
{
	const struct ps_pool *pool = packet->listener->pool;

	if (unlikely(packet->listener->features & PS_FEATURE_QUIC)) {
		uint16_t row = ps_quic_backend(w, packet);
		if (row != PS_NO_ROW)
			return row;
	}
	if (likely(pool->scheduler < PS_SCHEDULER_ROUND_ROBIN) || !fresh || pool->table == NULL)
		return ps_choose_by_hash(packet);
	return pool->scheduler == PS_SCHEDULER_ROUND_ROBIN ? by_turn(w, pool) : by_load(w, pool);
}
