// SPDX-License-Identifier: Apache-2.0
// Microbursts, the cycles of stages, the latency of bursts.
#include "datapath/count.h"
#include "datapath_config.h"

static void receive(uint16_t port, uint16_t count)
{
	struct frame f = client(1, 80, ACK);
	struct rte_mbuf *mbufs[PS_BURST];

	for (uint16_t i = 0; i < count; i++)
		mbufs[i] = rig_mbuf(&f);
	ps_burst(rig.worker, &rig.worker->ports[port], mbufs, count);
	ps_transmit_all(rig.worker);
}

static uint64_t of_queue(uint16_t port)
{
	return ps_row_load(rig.worker->ports[port].row, PS_PORT_QUEUE_MICROBURST_PACKETS);
}

static void end_millisecond(bool of_second)
{
	struct ps_worker *w = rig.worker;

	w->next_second = of_second ? 0 : UINT64_MAX;
	ps_end_millisecond(w);
	w->next_millisecond = UINT64_MAX; // only the test ends them
	rig_turn(0);
	rig_check_law();
}

// The largest millisecond of the second counts, by queue and over all of them.
static void the_largest_millisecond_is_kept(void **state)
{
	(void)state;
	end_millisecond(true);
	receive(0, 10);
	receive(1, 5);
	end_millisecond(false);
	receive(0, 20);
	receive(0, 20);
	end_millisecond(false);
	receive(0, 30);
	receive(1, 12);
	end_millisecond(false);
	receive(1, 7);
	assert_int_equal(rig_lcore(PS_LCORE_MICROBURST_PACKETS), 0);
	end_millisecond(true);
	assert_int_equal(rig_lcore(PS_LCORE_MICROBURST_PACKETS), 42);
	assert_int_equal(of_queue(0), 40);
	assert_int_equal(of_queue(1), 12);
	receive(0, 3);
	end_millisecond(true); // the next second knows nothing of it
	assert_int_equal(rig_lcore(PS_LCORE_MICROBURST_PACKETS), 3);
	assert_int_equal(of_queue(1), 0);
}

static const enum ps_lcore_cell stages[] = {PS_LCORE_STAGE_INGRESS_CYCLES,
	PS_LCORE_STAGE_CLASSIFY_CYCLES, PS_LCORE_STAGE_TRACK_CYCLES, PS_LCORE_STAGE_FORWARD_CYCLES,
	PS_LCORE_STAGE_TRANSMIT_CYCLES};

static void one_burst_in_so_many_is_timed(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (uint32_t n = 1; n < PS_TIMED_EVERY; n++)
		receive(0, 8);
	rig_turn(0);
	for (uint32_t i = 0; i < RTE_DIM(stages); i++)
		assert_int_equal(rig_lcore(stages[i]), 0);
	receive(0, 8);
	rig_turn(0);
	for (uint32_t i = 0; i < RTE_DIM(stages); i++) {
		assert_true(rig_lcore(stages[i]) > 0);
		assert_int_equal(rig_lcore(stages[i]) % PS_TIMED_EVERY, 0);
		sum += rig_lcore(stages[i]);
	}
	receive(0, 8);
	rig_turn(0);
	for (uint32_t i = 0; i < RTE_DIM(stages); i++)
		sum -= rig_lcore(stages[i]);
	assert_int_equal(sum, 0);
}

#define LATENCY_SUM ((enum ps_lcore_cell)(PS_LCORE_BURST_LATENCY_NANOSECONDS + 17))

// In which cell an iteration of so many nanoseconds counts, by the catalogue's bounds.
static uint32_t cell_of(uint64_t ns)
{
	static const uint64_t bounds[] = PS_LCORE_BURST_LATENCY_NANOSECONDS_BOUNDS;
	uint32_t cell = 0;

	while (cell < RTE_DIM(bounds) && ns > bounds[cell])
		cell++;
	return PS_LCORE_BURST_LATENCY_NANOSECONDS + cell;
}

static void each_latency_counts_in_its_bucket(void **state)
{
	struct ps_worker *w = rig.worker;
	uint64_t scale = rig.app->shared.tsc_scale, sum = 0, counted = 0;

	(void)state;
	rig.app->shared.tsc_scale = 1ULL << 32; // a cycle is a nanosecond
	rig_turn(0);
	uint64_t before = rig_lcore(LATENCY_SUM);
	for (uint64_t ns = 1; ns < 1 << 20; ns += ns < 5000 ? 1 : ns / 97, counted++) {
		uint64_t *cell = &w->image[cell_of(ns) + 1], old = *cell;
		ps_count_busy(w, ns);
		assert_int_equal(*cell, old + 1);
		sum += ns;
	}
	rig.app->shared.tsc_scale = scale;
	rig_turn(0);
	assert_true(counted > 5000);
	assert_int_equal(rig_lcore(LATENCY_SUM) - before, sum);
}

// The scale from cycles to nanoseconds is right to a part in a million.
static void a_second_is_a_second(void **state)
{
	struct ps_worker *w = rig.worker;

	(void)state;
	rig_turn(0);
	uint64_t before = rig_lcore(LATENCY_SUM);
	ps_count_busy(w, rig.app->shared.tsc_hz);
	rig_turn(0);
	assert_in_range(rig_lcore(LATENCY_SUM) - before, 999999000, 1000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_largest_millisecond_is_kept),
		TEST(one_burst_in_so_many_is_timed),
		TEST(each_latency_counts_in_its_bucket),
		TEST(a_second_is_a_second),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
