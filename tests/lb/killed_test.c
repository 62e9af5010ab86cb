// SPDX-License-Identifier: Apache-2.0
// A worker that is killed at any instruction: its row, or the row's draft where the row is odd, is
// whole, so that the ledger law holds for what a reader finds in the dead segment.
#include "datapath_config.h"
#include "stepped.h"

#define BURSTS 6
#define FRAMES 4

static uint64_t odd_seen;
static uint64_t last_rx;

static uint64_t cell(enum ps_lcore_cell cell)
{
	bool odd = atomic_load(&rig.worker->row->sequence) % 2 != 0;

	return odd ? rig.worker->image[1 + cell] : rig_lcore(cell);
}

static uint64_t sum(uint32_t count, const uint16_t cells[])
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < count; i++)
		total += cell(cells[i]);
	return total;
}

#define SUM(term) sum(PS_##term##_COUNT, (const uint16_t[])PS_##term##_CELLS)

static void look_at_law(void)
{
	uint64_t in = cell(PS_LCORE_RX_PACKETS) + SUM(ORIGINATED);
	uint64_t out = cell(PS_LCORE_TX_PACKETS) + SUM(DROP) + SUM(CONSUMED) + SUM(HELD);

	assert_int_equal(in, out);
	assert_int_equal(cell(PS_LCORE_CREATED_CONNECTIONS) + cell(PS_LCORE_PICKED_UP_CONNECTIONS),
		cell(PS_LCORE_CLOSED_CONNECTIONS) + cell(PS_LCORE_EXPIRED_CONNECTIONS) +
			cell(PS_LCORE_ORPHANED_CONNECTIONS) + cell(PS_LCORE_ACTIVE_CONNECTIONS));
	assert_true(cell(PS_LCORE_RX_PACKETS) >= last_rx);
	last_rx = cell(PS_LCORE_RX_PACKETS);
	odd_seen += atomic_load(&rig.worker->row->sequence) % 2;
}

static void some_bursts(void)
{
	for (uint16_t n = 0; n < BURSTS; n++) {
		const struct frame frames[FRAMES] = {
			client(n + 1, 80, n % 3 == 2 ? RST : SYN),
			frame_echo(CLIENT, OWN),
			client(n, n % 2 ? 81 : 99, ACK),
			frame_arp(n % 2 ? RTE_ARP_OP_REPLY : RTE_ARP_OP_REQUEST, "10.77.1.21",
				0xbb0000000002ULL, OWN),
		};
		struct rte_mbuf *mbufs[FRAMES];
		for (uint32_t i = 0; i < FRAMES; i++)
			mbufs[i] = rig_mbuf(&frames[i]);
		rig.refuse = n % 2;
		ps_burst(rig.worker, &rig.worker->ports[0], mbufs, FRAMES);
		rig_turn(FRAMES);
	}
}

static void the_law_holds_after_each_instruction(void **state)
{
	(void)state;
	assert_true(run_stepped(some_bursts, look_at_law) > 1000);
	assert_int_equal(last_rx, BURSTS * FRAMES);
	assert_true(odd_seen > 100); // it was killed inside of its rows, too
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AFTER(the_law_holds_after_each_instruction, start_unresolved),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
