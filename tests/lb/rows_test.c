// SPDX-License-Identifier: Apache-2.0
// Rows of listeners and backends that get other names, in the packet path's eyes.
#include "datapath_config.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#define LISTENER(name)                                                                             \
	"{\"name\":\"" name "\",\"address\":\"" VIP                                                \
	"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"}"

static int64_t ahead_s[2]; // of CLOCK_REALTIME and CLOCK_MONOTONIC

// Instead of the C library's: quarantines end without a wait, clocks are set.
int clock_gettime(clockid_t clock, struct timespec *out)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, out);

	if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC)
		out->tv_sec += ahead_s[clock == CLOCK_MONOTONIC];
	return ret;
}

static void apply_listener(uint32_t generation, uint32_t number)
{
	char text[1024];

	snprintf(text, sizeof text,
		CONFIG("%u", B1("100") "," B2("100"),
			"{\"name\":\"l%u\",\"address\":\"" VIP
			"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"}"),
		generation, number);
	rig_apply(text);
	ahead_s[1] += 11;
}

// As many names as an epoch in the connection table tells apart, before the connection expires.
static void a_connection_is_not_taken_for_one_of_a_later_name(void **state)
{
	uint32_t generation = 2;

	(void)state;
	for (; generation < 5; generation++) // until it has one of the rows that are used in turn
		apply_listener(generation, generation);
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 1);
	uint16_t row = rig.worker->runtime->listeners[0].row;
	uint16_t epoch = rig.worker->runtime->vip_epochs[row];
	do {
		apply_listener(generation, generation);
		rig_wait(1);
		assert_true(++generation < 1000);
	} while (PS_LISTENER_EPOCH(rig.worker->runtime->vip_epochs[row]) !=
			 PS_LISTENER_EPOCH(epoch) ||
		 rig.worker->runtime->vip_epochs[row] == epoch);
	assert_int_equal(rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS), 1);
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS), 1);
	rig_wait(200);
	assert_int_equal(rig_vip(row, PS_VIP_ACTIVE_CONNECTIONS), 0);
}

static void a_clock_that_is_set_does_not_free_rows(void **state)
{
	(void)state;
	rig_apply(CONFIG("2", B1("100"), LISTENER("a")));
	rig_apply(CONFIG("3", B1("100"), LISTENER("b")));
	ahead_s[0] += 1000000;
	rig_apply(CONFIG("4", B1("100"), LISTENER("c")));
	uint16_t last = rig.worker->runtime->listeners[0].row;
	ahead_s[0] -= 2000000;
	ahead_s[1] += 11;
	rig_apply(CONFIG("5", B1("100"), LISTENER("d")));
	assert_true(rig.worker->runtime->listeners[0].row < last);
	assert_true(last > 2); // of web, strict and dns, a and b none was free
	ahead_s[0] = 0;
}

// Its counters begin at zero, in the worker's memory as in the segment; one that keeps its name
// goes on.
static void a_row_with_another_name_starts_at_zero(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		rig_receive(client(i, 80, SYN));
	rig_receive(client(1, 81, SYN));
	uint16_t row = rig.worker->runtime->listeners[0].row;
	assert_int_equal(rig_vip(row, PS_VIP_RX_PACKETS), 3);
	rig_apply(CONFIG("2", B1("100") "," B2("100"),
		"{\"name\":\"strict\",\"address\":\"" VIP
		"\",\"port\":81,\"protocol\":\"tcp\",\"pool\":\"p\",\"tcp_sloppy\":false}"));
	ahead_s[1] += 11;
	rig_apply(CONFIG("3", B1("100") "," B2("100"),
		LISTENER("a") ",{\"name\":\"strict\",\"address\":\"" VIP
			      "\",\"port\":81,\"protocol\":\"tcp\",\"pool\":\"p\","
			      "\"tcp_sloppy\":false}"));
	assert_int_equal(rig.worker->runtime->listeners[0].row, row);
	assert_int_equal(rig_vip(row, PS_VIP_RX_PACKETS), 0);
	rig_turn(0);
	assert_int_equal(rig_vip(row, PS_VIP_RX_PACKETS), 0);
	rig_receive(client(9, 80, SYN));
	rig_receive(client(1, 81, ACK));
	assert_int_equal(rig_vip(row, PS_VIP_RX_PACKETS), 1);
	assert_int_equal(rig_vip(row, PS_VIP_CREATED_CONNECTIONS), 1);
	assert_int_equal(rig_vip(rig.worker->runtime->listeners[1].row, PS_VIP_RX_PACKETS), 2);
}

// A worker that looked at the pointer just before it changed, reports a quiescent state, and looks
// at the old configuration again when it takes the new one over.
static void look_late(void *user)
{
	const struct ps_runtime *old = user;
	static uint32_t turns;

	if (atomic_load(&rig.app->shared.runtime) == old || turns > 1) {
		sched_yield();
	} else if (turns++ == 1) {
		usleep(20000); // for main to go on, if it will
		assert_ptr_equal(rig.app->runtime, old);
		ps_adopt_runtime(rig.worker);
	}
}

static void the_old_configuration_waits_for_the_last_look(void **state)
{
	const struct ps_runtime *old = rig.app->runtime;

	(void)state;
	assert_int_equal(ps_harness_apply_during(rig.app, CONFIG("2", B1("100"), LISTENER("a")),
				 look_late, (void *)old, NULL),
		0);
	assert_ptr_equal(rig.worker->runtime, rig.app->runtime);
	assert_ptr_not_equal(rig.worker->runtime, old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_not_taken_for_one_of_a_later_name),
		TEST(a_clock_that_is_set_does_not_free_rows),
		TEST(a_row_with_another_name_starts_at_zero),
		TEST(the_old_configuration_waits_for_the_last_look),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
