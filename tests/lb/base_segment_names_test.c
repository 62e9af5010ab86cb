// SPDX-License-Identifier: Apache-2.0
// Names of rows: stable while they last, quarantined before their row is used again.
#include "base_segment_view.h"

#include <errno.h>
#include <stdio.h>

static uint32_t vip(struct ps_segment *segment, const char *values, uint64_t now, bool *fresh)
{
	uint32_t row = UINT32_MAX;

	assert_int_equal(
		ps_segment_name_find_or_add(segment, PS_SCOPE_VIP, values, now, &row, fresh), 0);
	return row;
}

static void test_names_are_stable(void **state)
{
	struct ps_segment *segment = create();
	struct view view = view_of(segment);
	bool fresh, keep[3] = {true, false, true};

	(void)state;
	assert_int_equal(vip(segment, "a", NOW, &fresh), 0);
	assert_true(fresh);
	assert_int_equal(vip(segment, "b", NOW, NULL), 1);
	assert_int_equal(vip(segment, "c", NOW, NULL), 2);
	assert_int_equal(vip(segment, "a", NOW + 1, &fresh), 0);
	assert_false(fresh);
	uint64_t generation = names_of(&view, "vip")[2].generation;
	assert_int_equal(ps_segment_names_retire_others(segment, PS_SCOPE_VIP, keep, NOW), 1);
	assert_int_equal(names_of(&view, "vip")[1].active, 0);
	assert_string_equal(names_of(&view, "vip")[1].values, "b");
	assert_int_equal(vip(segment, "c", NOW, NULL), 2);
	assert_int_equal(names_of(&view, "vip")[2].generation, generation);
	assert_int_equal(view.header->names_sequence % 2, 0);
	ps_segment_close(segment);
	close_view(&view);
}

static void test_quarantine(void **state)
{
	struct ps_segment *segment = create();
	struct view view = view_of(segment);
	const char *const wanted[] = {"new"};
	uint32_t row;
	bool fresh;

	(void)state;
	vip(segment, "a", NOW, NULL);
	vip(segment, "b", NOW, NULL);
	vip(segment, "c", NOW, NULL);
	for (uint32_t lane = 0; lane < 2; lane++)
		ps_row_add(ps_segment_row(segment, PS_SCOPE_VIP, lane, 1), 0, 77);
	uint64_t generation = names_of(&view, "vip")[1].generation;
	ps_segment_name_retire(segment, PS_SCOPE_VIP, 1, NOW);
	assert_int_equal(cell_of(&view, "vip", 1, 1, 0), 77); // still there to be read
	for (int too_early = 0; too_early < 3; too_early++) {
		uint64_t now = (uint64_t[]){NOW - 5, NOW, NOW + PS_QUARANTINE_NS - 1}[too_early];

		assert_false(ps_segment_names_fit(segment, PS_SCOPE_VIP, 1, wanted, now));
		assert_int_equal(
			ps_segment_name_find_or_add(segment, PS_SCOPE_VIP, "new", now, &row, NULL),
			-ENOSPC);
	}
	assert_true(ps_segment_names_fit(segment, PS_SCOPE_VIP, 1, wanted, NOW + PS_QUARANTINE_NS));
	assert_int_equal(vip(segment, "new", NOW + PS_QUARANTINE_NS, &fresh), 1);
	assert_true(fresh);
	assert_true(names_of(&view, "vip")[1].generation > generation);
	assert_int_equal(cell_of(&view, "vip", 0, 1, 0), 0);
	assert_int_equal(cell_of(&view, "vip", 1, 1, 0), 0);
	ps_segment_close(segment);
	close_view(&view);
}

static void test_values(void **state)
{
	char out[PS_VALUES_SIZE] = "untouched", longest[PS_VALUES_SIZE];
	const char *const good[] = {"web", "b1", "10.0.0.1"};
	const char *const tab[] = {"we\tb"};
	const char *const longest_value[] = {longest};

	(void)state;
	assert_int_equal(ps_segment_values(out, 1, tab), -EINVAL);
	assert_string_equal(out, "untouched");
	assert_int_equal(ps_segment_values(out, 3, good), 0);
	assert_string_equal(out, "web\tb1\t10.0.0.1");
	assert_int_equal(ps_segment_values(out, 0, NULL), 0);
	assert_string_equal(out, "");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ps_segment_values(out, 1, longest_value), 0);
	const char *const two[] = {longest, "y"};
	assert_int_equal(ps_segment_values(out, 2, two), -ENAMETOOLONG);
}

// As many names as a core has rows, come, go and come back, in bounded time and never two in a row.
static void test_thousands_of_names(void **state)
{
	struct ps_segment_config c = config();
	struct ps_segment *segment;
	static bool keep[16384], seen[16384];
	char values[32];
	uint32_t row;

	(void)state;
	c.backend_rows = 16384;
	assert_int_equal(ps_segment_create(&c, &segment), 0);
	for (int generation = 0; generation < 3; generation++) {
		uint64_t now = NOW + (uint64_t)generation * PS_QUARANTINE_NS;

		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < 16384; i++) {
			snprintf(values, sizeof(values), "pool\tb%d",
				i / 2 + i % 2 * 100000 * (generation + 1));
			assert_int_equal(ps_segment_name_find_or_add(segment, PS_SCOPE_BACKEND,
						 values, now, &row, NULL),
				0);
			assert_false(seen[row]);
			seen[row] = true;
			keep[row] = i % 2 == 0;
		}
		assert_int_equal(ps_segment_name_find_or_add(
					 segment, PS_SCOPE_BACKEND, "one more", now, &row, NULL),
			-ENOSPC);
		assert_int_equal(
			ps_segment_names_retire_others(segment, PS_SCOPE_BACKEND, keep, now), 8192);
		// The retired ones count until others may have them.
		uint64_t then = now + PS_QUARANTINE_NS;
		assert_int_equal(ps_segment_names_used(segment, PS_SCOPE_BACKEND, then - 1), 16384);
		assert_int_equal(ps_segment_names_used(segment, PS_SCOPE_BACKEND, then), 8192);
	}
	ps_segment_close(segment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_names_are_stable),
		IN_DIR(test_quarantine),
		cmocka_unit_test(test_values),
		IN_DIR(test_thousands_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
