// SPDX-License-Identifier: Apache-2.0
// Top talkers: the bounds of the algorithm against exact counts, and the sample that feeds it.
#include "datapath_config.h"

#define SOURCES 4096
#define STREAM 200000

static struct ps_talkers talkers;

static struct ps_talker source(uint32_t number)
{
	return (struct ps_talker){.source = ps_address_v4(number),
		.destination = ps_address_v4(7),
		.service = IPPROTO_TCP << 16 | 80};
}

static const struct ps_talker *entry_of(uint32_t number)
{
	struct ps_talker who = source(number);

	for (uint32_t i = 0; i < talkers.used; i++)
		if (ps_address_equal(&talkers.entries[i].source, &who.source))
			return &talkers.entries[i];
	return NULL;
}

static void check_heap(void)
{
	for (uint32_t i = 1; i < talkers.used; i++)
		assert_true(talkers.entries[talkers.heap[i]].count >=
			    talkers.entries[talkers.heap[(i - 1) / 2]].count);
	for (uint32_t i = 0; i < talkers.used; i++)
		assert_int_equal(talkers.entries[talkers.heap[i]].place, i);
}

// Counts fall as 1/rank; after each thousand samples every bound holds.
static void the_bounds_hold(void **state)
{
	static uint64_t exact[SOURCES];

	(void)state;
	ps_talkers_init(&talkers, (struct ps_evidence_lane){}, 1);
	for (uint32_t n = 1; n <= STREAM; n++) {
		uint32_t number = SOURCES / (1 + random_below(SOURCES)) % SOURCES;
		if (n % 3 == 0) // and many that send once in a while
			number = random_below(SOURCES);
		struct ps_talker who = source(number);
		ps_talkers_add(&talkers, &who, 60);
		exact[number]++;
		if (n % 1000 != 0)
			continue;
		check_heap();
		uint64_t sum = 0;
		for (uint32_t i = 0; i < talkers.used; i++)
			sum += talkers.entries[i].count;
		assert_int_equal(sum, n);
		for (uint32_t i = 0; i < SOURCES; i++) {
			const struct ps_talker *t = entry_of(i);
			if (t == NULL) {
				assert_true(exact[i] <= n / PS_TALKERS);
				continue;
			}
			assert_true(t->count >= exact[i]);
			assert_true(t->count - t->error <= exact[i]);
			assert_true(t->error <= n / PS_TALKERS);
			assert_true(t->bytes <= 60 * exact[i]);
		}
	}
	assert_int_equal(talkers.used, PS_TALKERS);
}

static void few_are_counted_exactly(void **state)
{
	(void)state;
	ps_talkers_init(&talkers, (struct ps_evidence_lane){}, 1);
	for (uint32_t round = 0; round < 50; round++)
		for (uint32_t number = 0; number <= round && number < PS_TALKERS; number++) {
			struct ps_talker who = source(number);
			ps_talkers_add(&talkers, &who, 100);
		}
	for (uint32_t number = 0; number < 50; number++) {
		assert_int_equal(entry_of(number)->count, 50 - number);
		assert_int_equal(entry_of(number)->error, 0);
		assert_int_equal(entry_of(number)->bytes, 100 * (50 - number));
	}
	check_heap();
}

static const struct ps_evidence_talker *record(uint64_t n)
{
	const struct ps_evidence_lane *lane = &rig.worker->talkers.lane;

	return (const void *)(lane->first + n % PS_EVIDENCE_TALKERS * lane->stride);
}

static void end_window(void)
{
	struct ps_worker *w = rig.worker;

	do
		ps_advance_clock(w, w->next_tick);
	while (w->tick % (PS_TALKERS_SECONDS * PS_TICKS_PER_SECOND) != 0);
}

// Bursts of all sizes: one packet in PS_TALKERS_EVERY is a sample, whoever sent it.
static void a_window_is_written(void **state)
{
	struct rte_mbuf *mbufs[PS_BURST];
	uint64_t packets = 0;

	(void)state;
	end_window();
	for (uint32_t i = 0; i < 8000; i++) {
		uint16_t count = (uint16_t)(1 + random_below(PS_BURST));
		for (uint16_t n = 0; n < count; n++) {
			const struct frame f = n % 4 == 0 ? frame_udp("192.0.2.9", 5, VIP, 53)
							  : client(1, 80, ACK);
			mbufs[n] = rig_mbuf(&f);
		}
		ps_burst(rig.worker, &rig.worker->ports[0], mbufs, count);
		ps_transmit_all(rig.worker);
		packets += count;
	}
	uint64_t window = rig.worker->talkers.windows;
	end_window();
	assert_int_equal(rig.worker->talkers.written, 2);
	const struct ps_evidence_talker *a = record(0), *b = record(1);
	const struct ps_evidence_talker *tcp = a->protocol == IPPROTO_TCP ? a : b;
	const struct ps_evidence_talker *udp = a->protocol == IPPROTO_TCP ? b : a;
	struct ps_address vip = ps_address_v4(inet_addr(VIP));
	assert_int_equal(tcp->window, window);
	assert_int_equal(tcp->of, 2);
	assert_int_equal(tcp->port, 80);
	assert_memory_equal(tcp->destination, &vip, sizeof vip);
	assert_int_equal(udp->port, 53);
	assert_int_equal(tcp->count + udp->count, tcp->samples);
	assert_true(tcp->duration_ns > 9000000000 && tcp->duration_ns < 11000000000);
	// 260,000 packets, about 1000 samples: four standard deviations are 8 and 16 %.
	assert_in_range(tcp->samples * tcp->every, packets * 92 / 100, packets * 108 / 100);
	assert_in_range(udp->count * udp->every, packets / 4 * 80 / 100, packets / 4 * 125 / 100);
	rig_turn(0);
	end_window(); // nobody sent anything
	assert_int_equal(rig.worker->talkers.written, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bounds_hold),
		cmocka_unit_test(few_are_counted_exactly),
		TEST(a_window_is_written),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
