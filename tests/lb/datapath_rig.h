// SPDX-License-Identifier: Apache-2.0
// What the tests of the packet path share: frames in, frames out, counters as a reader sees them.
#pragma once

#include "base_test.h"
#include "bench/harness.h"
#include "datapath/stages.h"
#include "frames.h"

#include <rte_cycles.h>

#define RIG_SENT_MAX 256
#define RIG_MEMORY_MB 96

// Everything that a port was given since rig_clear().
struct rig {
	struct ps_app *app;
	struct ps_worker *worker;
	uint32_t sent_count;
	struct frame sent[RIG_SENT_MAX];
	uint16_t sent_port[RIG_SENT_MAX];
	uint32_t refuse; // so many of the next packets are not taken
};

static struct rig rig;

static uint16_t rig_transmit(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	uint16_t taken = 0;

	(void)queue;
	while (taken < count && (uint32_t)(count - taken) > rig.refuse) {
		struct rte_mbuf *m = mbufs[taken++];
		struct frame *f = &rig.sent[rig.sent_count % RIG_SENT_MAX];
		f->length = m->data_len < FRAME_MAX ? m->data_len : FRAME_MAX;
		memcpy(f->bytes, rte_pktmbuf_mtod(m, void *), f->length);
		rig.sent_port[rig.sent_count++ % RIG_SENT_MAX] = port;
		rte_pktmbuf_free(m);
	}
	rig.refuse -= (uint32_t)(count - taken);
	return taken;
}

static inline void rig_start(const char *config, uint32_t max_connections)
{
	rig = (struct rig){.app = ps_harness_start(2, max_connections, rig_transmit, config)};
	rig.worker = rig.app->workers[0];
}

static inline uint64_t rig_lcore(enum ps_lcore_cell cell)
{
	return ps_row_load(rig.worker->row, cell);
}

static inline uint64_t rig_vip(uint32_t row, enum ps_vip_cell cell)
{
	return ps_row_load(ps_lane_row(&rig.worker->vip_lane, row), cell);
}

static inline uint64_t rig_backend(uint32_t row, enum ps_backend_cell cell)
{
	return ps_row_load(ps_lane_row(&rig.worker->backend_lane, row), cell);
}

static inline uint64_t rig_sum(uint32_t count, const uint16_t cells[])
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += rig_lcore((enum ps_lcore_cell)cells[i]);
	return sum;
}

#define RIG_SUM(term) rig_sum(PS_##term##_COUNT, (const uint16_t[])PS_##term##_CELLS)

// The ledger law, and the balance of connections, of the lcore's row as a reader sees it.
static inline void rig_check_law(void)
{
	uint64_t in = rig_lcore(PS_LCORE_RX_PACKETS) + RIG_SUM(ORIGINATED);
	uint64_t out =
		rig_lcore(PS_LCORE_TX_PACKETS) + RIG_SUM(DROP) + RIG_SUM(CONSUMED) + RIG_SUM(HELD);

	assert_int_equal(in, out);
	assert_int_equal(
		rig_lcore(PS_LCORE_CREATED_CONNECTIONS) + rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS),
		rig_lcore(PS_LCORE_CLOSED_CONNECTIONS) + rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS) +
			rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS) +
			rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS));
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), rig.worker->table.used);
}

// The end of an iteration of the worker's loop.
static inline void rig_turn(uint32_t handled)
{
	struct ps_worker *w = rig.worker;

	ps_transmit_all(w);
	handled += ps_chores(w);
	ps_transmit_all(w);
	w->next_publish = 0; // publish everything, for the test to see
	ps_end_iteration(w, handled);
}

static inline struct rte_mbuf *rig_mbuf(const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.app->shared.pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)f->length), f->bytes, f->length);
	return m;
}

static inline void rig_receive_on(uint16_t port, struct frame f)
{
	struct rte_mbuf *m = rig_mbuf(&f);

	m->port = port;
	ps_burst(rig.worker, &rig.worker->ports[port], &m, 1);
	rig_turn(1);
	rig_check_law();
}

static inline void rig_receive(struct frame f)
{
	rig_receive_on(0, f);
}

static inline void rig_apply(const char *config)
{
	assert_int_equal(ps_harness_apply(rig.app, config), 0);
}

// Time passes: `seconds` for connections, which are then looked through.
static inline void rig_wait(uint32_t seconds)
{
	rig.worker->tick += seconds * PS_TICKS_PER_SECOND;
	for (uint32_t i = 0; i <= rig.worker->table.mask; i += 256) {
		rig.worker->next_sweep = 0;
		rig_turn(0);
	}
	rig_check_law();
}

static inline void rig_resolve_all(void)
{
	for (uint32_t i = 0; i < rig.app->neighbours->high; i++)
		ps_neighbour_learn(rig.app->neighbours, i, 0x000000000002ULL | (0xa0ULL + i) << 40,
			rte_rdtsc());
}

// Ends the worker: nothing is held any more, and every buffer is back in the pool.
static inline void rig_end(void)
{
	uint32_t out;

	ps_worker_end(rig.worker);
	rig_check_law();
	assert_int_equal(RIG_SUM(HELD), 0);
	out = rte_mempool_in_use_count(rig.app->shared.pool);
	assert_int_equal(out, 0);
	ps_harness_end(rig.app);
}
