// SPDX-License-Identifier: Apache-2.0
// The control server against slow, silent, vanishing and too many clients.
#include "base_control_rig.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

static int64_t ahead_s;

// Instead of the C library's.
int clock_gettime(clockid_t clock, struct timespec *out)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, out);

	out->tv_sec += ahead_s;
	return ret;
}

// Larger than any socket buffer: it goes out over many turns, others are served meanwhile.
static void test_large_answer_to_a_slow_reader(void **state)
{
	struct core *core = *state;

	core->padding = 3 << 20;
	int slow = client(core);
	say(slow, "{\"op\":\"show\"}\n");
	turn(core, 10);
	assert_refused(core, "{}\n", "/op", "must be");
	json_t *answer = hear(core, slow);
	assert_int_equal(json_string_length(json_object_get(answer, "padding")), 3 << 20);
	json_decref(answer);
}

static void test_vanished_clients(void **state)
{
	struct core *core = *state;
	int silent = client(core);

	turn(core, 2);
	close(silent);
	turn(core, 2);
	assert_int_equal(ps_control_stats(core->control).broken, 1);
	core->padding = 3 << 20;
	int rude = client(core);
	say(rude, "{\"op\":\"show\"}\n");
	turn(core, 3);
	close(rude);
	turn(core, 3);
	assert_int_equal(ps_control_stats(core->control).broken, 2);
	json_t *answer = ask(core, "{\"op\":\"show\"}\n");
	json_decref(answer);
}

// A client that says nothing, and one that does not read its answer, each after its time is over.
static void test_slow_clients(void **state)
{
	struct core *core = *state;
	int silent = client(core);

	turn(core, 2);
	assert_int_equal(core->control->client_count, 1);
	core->control->clients[0].deadline_ms = 0;
	assert_int_equal(ps_control_poll(core->control, -1), 0); // the deadline ends the wait
	assert_int_equal(core->control->client_count, 0);
	core->padding = 3 << 20;
	int deaf = client(core);
	say(deaf, "{\"op\":\"show\"}\n");
	turn(core, 3);
	assert_true(core->control->clients[0].answering);
	core->control->clients[0].deadline_ms = 0;
	turn(core, 1);
	assert_int_equal(core->control->client_count, 0);
	assert_int_equal(ps_control_stats(core->control).timed_out, 2);
	close(silent);
	close(deaf);
}

// More clients than places: the others wait in the backlog, and are served when a place is free.
static void test_more_clients_than_places(void **state)
{
	struct core *core = *state;
	int silent[PS_CONTROL_CLIENTS], waiting;
	struct pollfd fds[PS_CONTROL_FDS];

	for (int i = 0; i < PS_CONTROL_CLIENTS; i++)
		silent[i] = client(core);
	turn(core, 3);
	waiting = client(core);
	say(waiting, "{\"op\":\"show\"}\n");
	turn(core, 3);
	assert_int_equal(ps_control_fds(core->control, fds), PS_CONTROL_FDS);
	assert_int_equal(fds[0].events, 0); // no busy loop while it is full
	close(silent[3]);
	json_t *answer = hear(core, waiting);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	for (int i = 0; i < PS_CONTROL_CLIENTS; i++)
		if (i != 3)
			close(silent[i]);
}

static void test_pollable_from_outside(void **state)
{
	struct core *core = *state;
	struct pollfd fds[PS_CONTROL_FDS];

	assert_int_equal(ps_control_fds(core->control, fds), 1);
	assert_int_equal(poll(fds, 1, 0), 0);
	int fd = client(core);
	assert_int_equal(poll(fds, 1, 0), 1);
	turn(core, 1);
	assert_int_equal(ps_control_fds(core->control, fds), 2);
	assert_int_equal(fds[1].events, POLLIN);
	close(fd);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_a_signal_ends_the_wait(void **state)
{
	struct core *core = *state;
	const struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	assert_int_equal(ps_control_poll(core->control, -1), 0);
}

static void one_minute(void)
{
	ahead_s += 60;
}

// One request takes longer than a client may. The others did nothing wrong, and are served.
static void test_a_long_callback_is_not_the_others_time(void **state)
{
	struct core *core = *state;
	int other = client(core), busy = client(core);

	turn(core, 2);
	core->on_apply = one_minute;
	say(busy, "{\"op\":\"apply\",\"config\":{\"generation\":1}}\n");
	json_t *answer = hear(core, busy);
	assert_int_equal(core->applied, 1);
	json_decref(answer);
	say(other, "{\"op\":\"show\"}\n");
	answer = hear(core, other);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_int_equal(ps_control_stats(core->control).timed_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CORE(test_large_answer_to_a_slow_reader),
		WITH_CORE(test_vanished_clients),
		WITH_CORE(test_slow_clients),
		WITH_CORE(test_more_clients_than_places),
		WITH_CORE(test_pollable_from_outside),
		WITH_CORE(test_a_signal_ends_the_wait),
		WITH_CORE(test_a_long_callback_is_not_the_others_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
