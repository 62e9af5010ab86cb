// SPDX-License-Identifier: Apache-2.0
// The Maglev builder against the paper's algorithm written plainly, and its laws.
#include "base/maglev.h"
#include "base_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 65537
#define LARGE 1000

static uint32_t table[SIZE], other[SIZE];

// The paper's listing, with the rule for weights, one probe at a time.
static void build_plainly(
	uint32_t size, uint32_t count, const struct ps_maglev_entry *entries, uint32_t *out)
{
	uint64_t *turns = calloc(count, sizeof(*turns)), *next = calloc(count, sizeof(*next));
	uint32_t largest = 0, filled = 0;

	memset(out, 0xff, size * sizeof(*out));
	for (uint32_t i = 0; i < count; i++)
		largest = entries[i].weight > largest ? entries[i].weight : largest;
	for (uint64_t iteration = 1; filled < size; iteration++) {
		for (uint32_t i = 0; i < count && filled < size; i++) {
			const struct ps_maglev_entry *e = &entries[i];
			uint64_t slot;

			if (!e->weight || iteration * e->weight < turns[i] * largest)
				continue;
			turns[i]++;
			do
				slot = (e->offset + next[i]++ * e->skip) % size;
			while (out[slot] != UINT32_MAX);
			out[slot] = i;
			filled++;
		}
	}
	free(turns);
	free(next);
}

static uint32_t slots_of(uint32_t size, const uint32_t *of, uint32_t owner)
{
	uint32_t slots = 0;

	for (uint32_t s = 0; s < size; s++)
		slots += of[s] == owner;
	return slots;
}

static struct ps_maglev_backend backend(uint32_t i, uint32_t weight)
{
	return (struct ps_maglev_backend){.identity = 0x0a4d0000 + i, .weight = weight};
}

static void test_same_as_the_paper(void **state)
{
	static const uint32_t sizes[] = {2, 3, 5, 7, 13, 101, 251, 1021, 4093, 16381};
	struct ps_maglev_entry entries[64];

	(void)state;
	for (int round = 0; round < 600; round++) {
		uint32_t size = sizes[random_below(sizeof(sizes) / sizeof(sizes[0]))];
		uint32_t count = 1 + random_below(64);
		uint32_t bound = (uint32_t[]){2, 11, 1001, 65536}[random_below(4)];

		for (uint32_t i = 0; i < count; i++)
			entries[i] = (struct ps_maglev_entry){random_below(size),
				1 + random_below(size - 1), random_below(bound)};
		entries[random_below(count)].weight = 1;
		assert_int_equal(ps_maglev_build(size, count, entries, table), 0);
		build_plainly(size, count, entries, other);
		assert_memory_equal(table, other, size * sizeof(*table));
	}
}

// Figure 4 of the paper: three backends, seven slots.
static void test_example_of_the_paper(void **state)
{
	const struct ps_maglev_entry entries[] = {{3, 4, 1}, {0, 2, 1}, {3, 1, 1}};
	const uint32_t with_all[] = {1, 0, 1, 0, 2, 2, 0};
	const uint32_t without_1[] = {0, 0, 0, 0, 2, 2, 2};
	struct ps_maglev_entry fewer[3];

	(void)state;
	assert_int_equal(ps_maglev_build(7, 3, entries, table), 0);
	assert_memory_equal(table, with_all, sizeof(with_all));
	memcpy(fewer, entries, sizeof(entries));
	fewer[1].weight = 0;
	assert_int_equal(ps_maglev_build(7, 3, fewer, table), 0);
	assert_memory_equal(table, without_1, sizeof(without_1));
}

static void test_same_preferences(void **state)
{
	struct ps_maglev_entry entries[50];

	(void)state;
	for (int i = 0; i < 50; i++)
		entries[i] = (struct ps_maglev_entry){5, 1, 1 + (uint32_t)i % 3};
	assert_int_equal(ps_maglev_build(4093, 50, entries, table), 0);
	build_plainly(4093, 50, entries, other);
	assert_memory_equal(table, other, 4093 * sizeof(*table));
}

static void test_equal_weights_share_evenly(void **state)
{
	struct ps_maglev_backend backends[LARGE];

	(void)state;
	for (uint32_t i = 0; i < LARGE; i++)
		backends[i] = backend(i, 100);
	assert_int_equal(ps_maglev_build_pool(SIZE, LARGE, backends, table), 0);
	for (uint32_t i = 0; i < LARGE; i++)
		assert_in_range(slots_of(SIZE, table, i), SIZE / LARGE, SIZE / LARGE + 1);
}

// Off by two at most, whatever the ratio: 1:1000 as well as 3:4.
static void test_weights_are_proportional(void **state)
{
	struct ps_maglev_backend backends[100];

	(void)state;
	for (int round = 0; round < 30; round++) {
		uint32_t count = 2 + random_below(99), bound = round % 2 ? 10 : 1000;
		uint64_t sum = 0;

		for (uint32_t i = 0; i < count; i++) {
			backends[i] = backend(i, random_below(bound + 1));
			sum += backends[i].weight;
		}
		backends[0].weight++;
		sum++;
		assert_int_equal(ps_maglev_build_pool(SIZE, count, backends, table), 0);
		for (uint32_t i = 0; i < count; i++) {
			double fair = (double)SIZE * backends[i].weight / (double)sum;
			double off = (double)slots_of(SIZE, table, i) - fair;
			// Every backend's first turn comes early, at the expense of the heavy.
			double heavy = (double)count * backends[i].weight / (double)sum;

			assert_true(off <= 2 && off >= -2 - heavy);
			assert_true(backends[i].weight || fair + off == 0);
		}
	}
}

static void test_extreme_weights(void **state)
{
	const struct ps_maglev_entry entries[] = {
		{0, 1, UINT32_MAX}, {1, 2, 1}, {2, 3, 0}, {3, 4, UINT32_MAX}};

	(void)state;
	assert_int_equal(ps_maglev_build(SIZE, 4, entries, table), 0);
	assert_int_equal(slots_of(SIZE, table, 1), 1);
	assert_int_equal(slots_of(SIZE, table, 2), 0);
	assert_int_equal(slots_of(SIZE, table, 0), SIZE / 2);
}

static void test_order_does_not_matter(void **state)
{
	struct ps_maglev_backend backends[200], shuffled[200];
	uint64_t identities[200], shuffled_identities[200];

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		backends[i] = shuffled[i] = backend(i * 7919 % 1000, 1 + i % 5);
	for (uint32_t i = 199; i > 0; i--) {
		uint32_t j = random_below(i + 1);
		struct ps_maglev_backend swap = shuffled[i];

		shuffled[i] = shuffled[j];
		shuffled[j] = swap;
	}
	for (uint32_t i = 0; i < 200; i++) {
		identities[i] = backends[i].identity;
		shuffled_identities[i] = shuffled[i].identity;
	}
	assert_int_equal(ps_maglev_build_pool(SIZE, 200, backends, table), 0);
	assert_int_equal(ps_maglev_build_pool(SIZE, 200, shuffled, other), 0);
	for (uint32_t s = 0; s < SIZE; s++)
		assert_int_equal(backends[table[s]].identity, shuffled[other[s]].identity);
	uint64_t digest = ps_maglev_digest(SIZE, table, identities);
	assert_true(digest == ps_maglev_digest(SIZE, other, shuffled_identities));
	other[17] = (other[17] + 1) % 200;
	assert_true(digest != ps_maglev_digest(SIZE, other, shuffled_identities));
}

// Slots that change hands although neither their old nor their new owner had to: the share of the
// flows that a change of the pool disturbs for nothing.
static double disruption(uint32_t count, uint32_t lost)
{
	struct ps_maglev_backend backends[LARGE];
	uint32_t moved = 0;

	for (uint32_t i = 0; i < count; i++)
		backends[i] = backend(i, 100);
	assert_int_equal(ps_maglev_build_pool(SIZE, count, backends, table), 0);
	for (uint32_t i = 0; i < lost; i++)
		backends[random_below(count)].weight = 0;
	assert_int_equal(ps_maglev_build_pool(SIZE, count, backends, other), 0);
	for (uint32_t s = 0; s < SIZE; s++)
		moved += table[s] != other[s] && backends[table[s]].weight;
	return (double)moved / SIZE;
}

// DESIGN section 9: 0.6 % for one of 1000 backends, 2.3 % for one in a hundred.
static void test_disruption(void **state)
{
	double one = 0, percent = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		one += disruption(LARGE, 1) / 5;
		percent += disruption(LARGE, LARGE / 100) / 5;
	}
	print_message("disruption: one backend %.2f %%, one in a hundred %.2f %%\n", one * 100,
		percent * 100);
	assert_true(one < 0.008);
	assert_true(percent < 0.028);
}

// Pinned: another value here means that directors of two versions would disagree.
static void test_hashes_stay(void **state)
{
	const struct ps_maglev_backend backends[] = {
		{0x0a4d0115, 100}, {0x0a4d0116, 100}, {0x0a4d0117, 50}};
	const uint64_t identities[] = {0x0a4d0115, 0x0a4d0116, 0x0a4d0117};
	struct ps_maglev_entry entry = ps_maglev_entry_of(SIZE, backends[0]);

	(void)state;
	assert_int_equal(ps_maglev_build_pool(SIZE, 3, backends, table), 0);
	assert_int_equal(entry.offset, 52162);
	assert_int_equal(entry.skip, 12383);
	assert_true(ps_maglev_digest(SIZE, table, identities) == 0xcdc43f361ca0df17ULL);
}

static void test_hashes_are_spread(void **state)
{
	uint32_t seen_offsets = 0, seen_skips = 0;
	static uint8_t offsets[1021], skips[1021];

	(void)state;
	for (uint32_t i = 0; i < 1021; i++) {
		struct ps_maglev_entry e = ps_maglev_entry_of(1021, backend(i, 1));

		assert_in_range(e.offset, 0, 1020);
		assert_in_range(e.skip, 1, 1020);
		seen_offsets += !offsets[e.offset]++;
		seen_skips += !skips[e.skip]++;
	}
	// n balls into n bins leave n/e empty.
	assert_in_range(seen_offsets, 580, 710);
	assert_in_range(seen_skips, 580, 710);
}

static void test_errors(void **state)
{
	struct ps_maglev_entry entry = {1, 1, 1};
	const struct ps_maglev_backend twice[] = {{1, 1}, {2, 1}, {1, 5}};

	(void)state;
	table[0] = 4711;
	assert_int_equal(ps_maglev_build(7, 0, NULL, table), -ENOENT);
	assert_int_equal(ps_maglev_build(8, 1, &entry, table), -EINVAL);
	assert_int_equal(ps_maglev_build(0, 1, &entry, table), -EINVAL);
	assert_int_equal(ps_maglev_build(1, 1, &entry, table), -EINVAL);
	assert_int_equal(ps_maglev_build(16777259, 1, &entry, table), -EINVAL);
	entry.offset = 7;
	assert_int_equal(ps_maglev_build(7, 1, &entry, table), -EINVAL);
	entry = (struct ps_maglev_entry){0, 0, 1};
	assert_int_equal(ps_maglev_build(7, 1, &entry, table), -EINVAL);
	entry = (struct ps_maglev_entry){0, 7, 1};
	assert_int_equal(ps_maglev_build(7, 1, &entry, table), -EINVAL);
	entry = (struct ps_maglev_entry){0, 1, 0};
	assert_int_equal(ps_maglev_build(7, 1, &entry, table), -ENOENT);
	assert_int_equal(ps_maglev_build_pool(SIZE, 3, twice, table), -EEXIST);
	assert_int_equal(ps_maglev_build_pool(SIZE, 0, NULL, table), -ENOENT);
	assert_int_equal(ps_maglev_build_pool(1, 1, twice, table), -EINVAL);
	assert_int_equal(table[0], 4711);
}

static void test_primes(void **state)
{
	bool composite[5000] = {true, true};

	(void)state;
	for (uint32_t n = 2; n < 5000; n++)
		for (uint32_t m = 2 * n; m < 5000; m += n)
			composite[m] = true;
	for (uint32_t n = 0; n < 5000; n++)
		assert_int_equal(ps_is_prime(n), !composite[n]);
	assert_true(ps_is_prime(PS_MAGLEV_MAX_SIZE));
	assert_true(ps_is_prime(4294967291u));
	assert_false(ps_is_prime(4294967295u));
	assert_false(ps_is_prime(65521u * 65519u));
}

static void test_largest_size(void **state)
{
	const struct ps_maglev_entry entries[] = {
		{PS_MAGLEV_MAX_SIZE - 1, PS_MAGLEV_MAX_SIZE - 1, 3}, {0, 1, 1}};
	uint32_t *large = malloc(PS_MAGLEV_MAX_SIZE * sizeof(*large));

	(void)state;
	assert_int_equal(ps_maglev_build(PS_MAGLEV_MAX_SIZE, 2, entries, large), 0);
	assert_in_range(slots_of(PS_MAGLEV_MAX_SIZE, large, 1), PS_MAGLEV_MAX_SIZE / 4 - 1,
		PS_MAGLEV_MAX_SIZE / 4 + 2);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_the_paper),
		cmocka_unit_test(test_example_of_the_paper),
		cmocka_unit_test(test_same_preferences),
		cmocka_unit_test(test_equal_weights_share_evenly),
		cmocka_unit_test(test_weights_are_proportional),
		cmocka_unit_test(test_extreme_weights),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_disruption),
		cmocka_unit_test(test_hashes_stay),
		cmocka_unit_test(test_hashes_are_spread),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_primes),
		cmocka_unit_test(test_largest_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
