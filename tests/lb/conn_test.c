// SPDX-License-Identifier: Apache-2.0
// The connection table against a plain model of it: a list of keys.
#include "base_test.h"
#include "datapath/conn.h"
#include "datapath/flow.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 4096

struct fixture {
	struct ps_conn_table table;
	struct ps_conn_bucket *buckets;
	struct ps_conn_peer *peers;
};

static void make(struct fixture *f, uint32_t max)
{
	f->buckets = aligned_alloc(64, ps_conn_buckets(max) * sizeof *f->buckets);
	assert_non_null(f->buckets);
	memset(f->buckets, 0, ps_conn_buckets(max) * sizeof *f->buckets);
	f->peers = aligned_alloc(64, ps_conn_buckets(max) * PS_CONN_WAYS * sizeof *f->peers);
	assert_non_null(f->peers);
	memset(f->peers, 0, ps_conn_buckets(max) * PS_CONN_WAYS * sizeof *f->peers);
	ps_conn_init(&f->table, f->buckets, f->peers, max, 0x5eed);
}

static void unmake(struct fixture *f)
{
	free(f->buckets);
	free(f->peers);
}

static struct ps_conn *find(struct fixture *f, uint64_t key)
{
	return ps_conn_find(&f->table, key, ps_key_hash(key, f->table.seed));
}

static struct ps_conn *place(struct fixture *f, uint64_t key, uint32_t tick)
{
	return ps_conn_place(&f->table, key, ps_key_hash(key, f->table.seed), tick);
}

static uint64_t key_of(uint32_t i)
{
	return (uint64_t)(i + 1) << 20;
}

static void all_that_are_allowed_fit(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, KEYS); // a power of two: the fullest that a table gets
	for (uint32_t i = 0; i < KEYS; i++) {
		struct ps_conn *conn = place(&f, key_of(i), 0);
		if (conn == NULL || conn->key != key_of(i))
			fail_msg("no place for connection %u", i);
		conn->deadline = 100;
		conn->backend = (uint16_t)i;
		ps_conn_peer(&f.table, conn)->address[0] = i;
	}
	assert_int_equal(f.table.used, KEYS);
	for (uint32_t i = 0; i < KEYS; i++) {
		struct ps_conn *conn = find(&f, key_of(i));
		assert_int_equal(conn->backend, (uint16_t)i);
		assert_int_equal(ps_conn_peer(&f.table, conn)->address[0], i); // moved with it
	}
	assert_null(place(&f, key_of(KEYS), 99));
	unmake(&f);
}

static void a_full_table_offers_what_has_expired(void **state)
{
	struct fixture f;
	uint32_t offered = 0;

	(void)state;
	make(&f, 128);
	for (uint32_t i = 0; i < 128; i++)
		place(&f, key_of(i), 0)->deadline = 100;
	for (uint32_t i = 0; i < 1000; i++) {
		struct ps_conn *conn = place(&f, key_of(1000 + i), 100);
		if (conn == NULL)
			continue; // both buckets are empty
		assert_true(conn->key != key_of(1000 + i));
		ps_conn_remove(&f.table, conn);
		conn = place(&f, key_of(1000 + i), 100);
		assert_int_equal(conn->key, key_of(1000 + i));
		conn->deadline = 200;
		offered++;
	}
	assert_int_equal(f.table.used, 128);
	assert_true(offered > 0);
	unmake(&f);
}

// Random insertions and removals; after each step count and content are the model's.
static void it_agrees_with_a_list(void **state)
{
	struct fixture f;
	static bool present[KEYS];
	uint32_t used = 0;

	(void)state;
	make(&f, KEYS / 2);
	memset(present, 0, sizeof present);
	srand(2);
	for (uint32_t step = 0; step < 200000; step++) {
		uint32_t i = (uint32_t)rand() % KEYS;
		struct ps_conn *conn = find(&f, key_of(i));
		assert_int_equal(conn != NULL, present[i]);
		if (present[i]) {
			assert_int_equal(conn->backend, (uint16_t)i);
			ps_conn_remove(&f.table, conn);
			present[i] = false;
			used--;
		} else if (used < KEYS / 2) {
			conn = place(&f, key_of(i), 0);
			assert_non_null(conn);
			conn->deadline = 1000;
			conn->backend = (uint16_t)i;
			present[i] = true;
			used++;
		}
		assert_int_equal(f.table.used, used);
	}
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(find(&f, key_of(i)) != NULL, present[i]);
	unmake(&f);
}

static void an_empty_table_has_no_spill_left(void **state)
{
	struct fixture f;
	uint32_t spilled = 0;

	(void)state;
	make(&f, KEYS);
	for (uint32_t i = 0; i < KEYS; i++)
		place(&f, key_of(i), 0)->deadline = 1;
	for (uint32_t i = 0; i <= f.table.mask; i++)
		spilled += f.buckets[i].entries[0].spilled;
	assert_true(spilled > 0);
	for (uint32_t i = 0; i < KEYS; i++)
		ps_conn_remove(&f.table, find(&f, key_of(i)));
	for (uint32_t i = 0; i <= f.table.mask; i++)
		assert_int_equal(f.buckets[i].entries[0].spilled % PS_SPILLED_MAX, 0);
	unmake(&f);
}

static void deadlines_survive_the_wrap_of_the_clock(void **state)
{
	struct ps_conn conn = {.key = 1, .deadline = 5};

	(void)state;
	assert_false(ps_conn_expired(&conn, UINT32_MAX));
	assert_false(ps_conn_expired(&conn, 4));
	assert_true(ps_conn_expired(&conn, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_are_allowed_fit),
		cmocka_unit_test(a_full_table_offers_what_has_expired),
		cmocka_unit_test(it_agrees_with_a_list),
		cmocka_unit_test(an_empty_table_has_no_spill_left),
		cmocka_unit_test(deadlines_survive_the_wrap_of_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
