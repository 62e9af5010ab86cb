// SPDX-License-Identifier: Apache-2.0
// The list of neighbours: its entries' lives, and when it asks.
#include "base_test.h"
#include "tables/neighbours.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HZ 1000u
#define ANY_MAC 0x22u

static struct ps_neighbours *list;
static uint32_t asked[PS_NEIGHBOURS]; // requests by index
static bool can_ask = true;

static int start(void **state)
{
	(void)state;
	list = calloc(1, sizeof *list);
	list->hz = HZ;
	list->age_limit = 60 * HZ;
	memset(asked, 0, sizeof asked);
	can_ask = true;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(list);
	return 0;
}

static int add(uint16_t port, uint32_t address, uint32_t sender)
{
	struct ps_address who = ps_address_v4(address), own = ps_address_v4(sender);

	return ps_neighbour_add(list, port, 0, &who, &own);
}

static bool ask(void *user, uint32_t index)
{
	(void)user;
	asked[index] += can_ask;
	return can_ask;
}

static void tick(uint64_t now)
{
	ps_neighbours_tick(list, now, ask, NULL);
}

static void entries_are_found_again(void **state)
{
	(void)state;
	int a = add(0, 1, 9), b = add(1, 1, 9);
	assert_true(a >= 0 && b >= 0 && a != b);
	assert_int_equal(add(0, 1, 9), a);
	ps_neighbours_sweep(list);
	assert_int_equal(add(1, 1, 9), b);
	ps_neighbours_sweep(list); // a was not added again
	int c = add(0, 7, 9);
	assert_int_equal(c, a); // its place is free
	assert_int_equal(add(1, 1, 9), b);
}

static void an_attempt_can_be_taken_back(void **state)
{
	(void)state;
	add(0, 1, 9);
	ps_neighbours_sweep(list);
	add(0, 2, 9);
	ps_neighbours_abort(list);
	assert_int_equal(ps_neighbours_count(list, 1).known, 1);
	assert_int_equal(add(0, 1, 9), 0);
}

static void it_is_full_at_its_size(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < PS_NEIGHBOURS; i++)
		assert_int_equal(add(0, 1 + i, 9), i);
	assert_int_equal(add(0, 1 + PS_NEIGHBOURS, 9), -ENOSPC);
	assert_int_equal(add(0, 77, 9), 76);
}

static void silence_makes_requests_rarer(void **state)
{
	(void)state;
	add(0, 1, 9);
	for (uint64_t now = 1; now <= 60 * HZ; now += 10)
		tick(now);
	// 1/8 + 1/4 + 1/2 + 1 + 2 s, then every 4 s
	assert_in_range(asked[0], 17, 21);
	ps_neighbour_want(&list->entries[0]);
	uint32_t before = asked[0];
	list->entries[0].next_request = 70 * HZ;
	tick(60 * HZ);
	tick(61 * HZ);
	assert_int_equal(asked[0], before + 1); // a packet waits: within a second
}

static void a_request_that_could_not_be_sent_is_due_again(void **state)
{
	(void)state;
	add(0, 1, 9);
	can_ask = false;
	tick(1);
	can_ask = true;
	tick(2);
	assert_int_equal(asked[0], 1);
}

static void check_counts(uint64_t now, uint32_t resolved, uint32_t stale)
{
	struct ps_neighbour_counts counts = ps_neighbours_count(list, now);

	assert_int_equal(counts.known, 2);
	assert_int_equal(counts.resolved, resolved);
	assert_int_equal(counts.stale, stale);
}

static void answers_are_refreshed_and_age(void **state)
{
	(void)state;
	add(0, 1, 9);
	add(0, 2, 9); // never answers
	check_counts(1, 0, 0);
	ps_neighbour_learn(list, 0, ANY_MAC, 1000);
	assert_int_equal(list->learned, 1);
	ps_neighbour_learn(list, 0, ANY_MAC, 1001);
	assert_int_equal(list->learned, 1); // nothing new
	tick(20 * HZ);
	assert_int_equal(asked[0], 0);
	check_counts(20 * HZ, 1, 0);
	tick(40 * HZ);
	check_counts(40 * HZ, 1, 1);
	assert_int_equal(list->aged, 0);
	assert_int_equal(asked[0], 1);
	assert_int_equal(ps_neighbour_mac(&list->entries[0]), ANY_MAC);
	tick(62 * HZ);
	assert_int_equal(ps_neighbour_mac(&list->entries[0]), 0);
	check_counts(62 * HZ, 0, 0);
	assert_int_equal(list->aged, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(entries_are_found_again),
		TEST(an_attempt_can_be_taken_back),
		TEST(it_is_full_at_its_size),
		TEST(silence_makes_requests_rarer),
		TEST(a_request_that_could_not_be_sent_is_due_again),
		TEST(answers_are_refreshed_and_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
