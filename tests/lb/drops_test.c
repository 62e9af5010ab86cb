// SPDX-License-Identifier: Apache-2.0
// Samples of dropped packets: what a reader of the evidence file finds.
#include "base/clock.h"
#include "datapath_config.h"

#define SECOND_NS 1000000000ULL

// Place p of the worker's ring of a reason.
static const struct ps_evidence_drop *sample(enum ps_drop reason, uint32_t p)
{
	const struct ps_sampler *s = &rig.worker->sampler;
	uint32_t place = s->index[reason] * s->lane.records + p;

	return (const void *)(s->lane.first + (size_t)place * s->lane.stride);
}

static uint64_t taken(enum ps_drop reason)
{
	return rig.worker->sampler.taken[rig.worker->sampler.index[reason]];
}

static const char *name_of(enum ps_evidence_kind kind, uint16_t row, uint16_t epoch)
{
	struct ps_evidence_lane lane = ps_evidence_lane(rig.app->evidence, kind, 0);
	const struct ps_evidence_name *name = (const void *)(lane.first + row * lane.stride);

	assert_int_equal(name->epoch, epoch);
	return name->values;
}

static void a_sample_is_the_packet(void **state)
{
	struct frame f = frame_tcp(CLIENT, 1, "203.0.113.9", 80, SYN);
	uint64_t before = ps_realtime_ns();

	(void)state;
	rig_receive_on(1, f); // which has the MAC address that it is from
	rig_receive(f);
	const struct ps_evidence_drop *s = sample(PS_DROP_UNKNOWN_DESTINATION, 0);
	assert_int_equal(s->sequence, 2);
	assert_int_equal(s->dropped, 1);
	assert_int_equal(s->length, f.length);
	assert_int_equal(s->captured, f.length);
	assert_memory_equal(s->bytes, f.bytes, f.length);
	assert_int_equal(s->port, 0);
	assert_int_equal(s->vip, PS_NO_ROW);
	assert_int_equal(s->backend, PS_NO_ROW);
	assert_true(s->time_ns > before - SECOND_NS && s->time_ns < before + 60 * SECOND_NS);
	s = sample(PS_DROP_OWN_SOURCE_MAC, 0);
	assert_int_equal(s->sequence, 2);
	assert_int_equal(s->port, 1);
	assert_int_equal(sample(PS_DROP_UNKNOWN_DESTINATION, 1)->sequence, 0);
}

static void a_long_packet_is_cut(void **state)
{
	struct frame f = frame_tcp(CLIENT, 1, "203.0.113.9", 80, SYN);

	(void)state;
	f.length = 250;
	rig_receive(f);
	const struct ps_evidence_drop *s = sample(PS_DROP_UNKNOWN_DESTINATION, 0);
	assert_int_equal(s->length, 250);
	assert_int_equal(s->captured, PS_EVIDENCE_BYTES);
	assert_memory_equal(s->bytes, f.bytes, PS_EVIDENCE_BYTES);
}

static void a_sample_names_listener_and_backend(void **state)
{
	(void)state;
	rig_receive(client(7, 81, ACK));
	const struct ps_evidence_drop *s = sample(PS_DROP_NO_CONNECTION, 0);
	assert_string_equal(
		name_of(PS_EVIDENCE_VIPS, s->vip, s->vip_epoch), "strict\t" VIP "\t81\ttcp");
	assert_int_equal(s->backend, PS_NO_ROW);
	rig.refuse = 1;
	rig_receive(client(8, 80, SYN));
	s = sample(PS_DROP_TX_FULL, 0);
	assert_string_equal(
		name_of(PS_EVIDENCE_VIPS, s->vip, s->vip_epoch), "web\t" VIP "\t80\ttcp");
	assert_non_null(
		strstr(name_of(PS_EVIDENCE_BACKENDS, s->backend, s->backend_epoch), "\t10.77.1.2"));
}

// However many are dropped for one reason, the sample of a rare one stays.
static void a_flood_leaves_the_rare_ones(void **state)
{
	struct frame rare = client(7, 81, ACK);

	(void)state;
	rig_receive(rare);
	for (uint32_t tick = 0; tick < 20; tick++) {
		for (uint32_t i = 0; i < 3 * PS_SAMPLES_A_TICK; i++)
			rig_receive(frame_tcp(CLIENT, (uint16_t)i, "203.0.113.9", 80, SYN));
		assert_true(taken(PS_DROP_UNKNOWN_DESTINATION) >= (tick + 1) * PS_SAMPLES_A_TICK);
		ps_advance_clock(rig.worker, rig.worker->next_tick);
	}
	assert_int_equal(rig_lcore(PS_LCORE_DROP_UNKNOWN_DESTINATION), 60 * PS_SAMPLES_A_TICK);
	assert_true(taken(PS_DROP_UNKNOWN_DESTINATION) < 60 * PS_SAMPLES_A_TICK);
	assert_int_equal(taken(PS_DROP_NO_CONNECTION), 1);
	const struct ps_evidence_drop *s = sample(PS_DROP_NO_CONNECTION, 0);
	assert_int_equal(s->sequence, 2);
	assert_memory_equal(s->bytes, rare.bytes, rare.length);
	// The flood's own ring holds its latest samples, in order.
	uint64_t n = taken(PS_DROP_UNKNOWN_DESTINATION) - 1;
	s = sample(PS_DROP_UNKNOWN_DESTINATION, n % PS_EVIDENCE_SAMPLES);
	assert_int_equal(s->sequence, 2 * n + 2);
	const struct ps_evidence_drop *older =
		sample(PS_DROP_UNKNOWN_DESTINATION, (n - 1) % PS_EVIDENCE_SAMPLES);
	assert_true(older->dropped < s->dropped && older->time_ns <= s->time_ns);
}

static void what_the_core_made_has_no_port(void **state)
{
	(void)state;
	rte_ring_enqueue(rig.app->shared.resolve_orders, (void *)(uintptr_t)0);
	rig.refuse = 1;
	rig_turn(0);
	assert_int_equal(taken(PS_DROP_TX_FULL), 1);
	assert_int_equal(sample(PS_DROP_TX_FULL, 0)->port, 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sample_is_the_packet),
		TEST(a_long_packet_is_cut),
		TEST(a_sample_names_listener_and_backend),
		TEST(a_flood_leaves_the_rare_ones),
		TEST_AFTER(what_the_core_made_has_no_port, start_unresolved),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
