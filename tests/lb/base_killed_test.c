// SPDX-License-Identifier: Apache-2.0
// A main lcore that is killed at any instruction of a change of names: what its reader has stored
// under a generation is never contradicted by what the dead segment says.
#include "base_segment_view.h"
#include "stepped.h"

#define OLD_CELL 77

static struct ps_segment *segment;
static struct view view;
static uint64_t old_generation;

static void rename_row(void)
{
	uint32_t row;
	bool fresh;

	ps_segment_name_retire(segment, PS_SCOPE_VIP, 0, NOW);
	if (ps_segment_name_find_or_add(segment, PS_SCOPE_VIP, "new\t198.51.100.2\t80\ttcp",
		    NOW + PS_QUARANTINE_NS, &row, &fresh) != 0 ||
		row != 0 || !fresh)
		_exit(2);
}

static void look_at_row(void)
{
	const struct ps_segment_name *name = names_of(&view, "vip");
	uint64_t cell = cell_of(&view, "vip", 1, 0, 3);

	if (name->generation == old_generation) {
		assert_int_equal(cell, OLD_CELL);
		assert_string_equal(name->values, "old\t198.51.100.1\t80\ttcp");
	} else if (name->generation != 0) {
		assert_int_equal(cell, 0);
		assert_string_equal(name->values, "new\t198.51.100.2\t80\ttcp");
	}
}

static void a_generation_has_its_name_and_cells(void **state)
{
	const char *filler[] = {"a", "b"};
	uint32_t row;

	(void)state;
	segment = create();
	view = view_of(segment);
	ps_segment_name_find_or_add(
		segment, PS_SCOPE_VIP, "old\t198.51.100.1\t80\ttcp", NOW, &row, NULL);
	for (int i = 0; i < 2; i++) // so that only row 0 can be free
		ps_segment_name_find_or_add(segment, PS_SCOPE_VIP, filler[i], NOW, &row, NULL);
	ps_row_store(ps_segment_row(segment, PS_SCOPE_VIP, 1, 0), 3, OLD_CELL);
	old_generation = names_of(&view, "vip")->generation;
	assert_true(run_stepped(rename_row, look_at_row) > 100);
	assert_true(names_of(&view, "vip")->generation > old_generation);
	close_view(&view);
	ps_segment_close(segment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(a_generation_has_its_name_and_cells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
