// SPDX-License-Identifier: Apache-2.0
// The segment's writer: its layout, its life, its rows.
#include "base_segment_view.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

static void test_header(void **state)
{
	struct ps_segment *segment = create();
	struct view view = view_of(segment);
	const struct ps_segment_header *h = view.header;
	char name[32];

	(void)state;
	assert_memory_equal(h->magic, "POPSCOPE", 8);
	assert_int_equal(h->layout, PS_SEGMENT_LAYOUT);
	assert_int_equal(h->header_size, sizeof(*h));
	assert_int_equal(h->total_size, view.size);
	assert_true(h->catalogue_hash == PS_CATALOGUE_HASH);
	assert_true(h->boot_id != 0 && h->boot_id == ps_segment_boot_id(segment));
	assert_int_equal(h->start_time_ns, NOW);
	assert_int_equal(h->pid, getpid());
	assert_string_equal(h->instance, "test");
	assert_string_equal(h->version, "1.2.3");
	snprintf(name, sizeof(name), "/segment-%016" PRIx64, h->boot_id);
	assert_string_equal(strrchr(ps_segment_path(segment), '/'), name);
	assert_int_equal(h->state, PS_STATE_WRITING);
	ps_segment_ready(segment);
	assert_int_equal(h->state, PS_STATE_READY);
	ps_segment_heartbeat(segment, NOW + 5);
	assert_int_equal(h->heartbeat_ns, NOW + 5);
	ps_segment_stop(segment, NOW + 9);
	assert_int_equal(h->state, PS_STATE_STOPPED);
	assert_int_equal(h->heartbeat_ns, NOW + 9);
	ps_segment_close(segment);
	assert_int_equal(h->state, PS_STATE_STOPPED);
	close_view(&view);
}

static void test_everything_lies_inside_and_apart(void **state)
{
	struct ps_segment *segment = create();
	struct view view = view_of(segment);
	const struct ps_segment_block *blocks =
		(const void *)(view.map + view.header->directory_offset);
	uint64_t end = view.header->directory_offset + 6 * sizeof(*blocks);

	(void)state;
	assert_int_equal(view.header->directory_count, 6);
	for (int i = 0; i < 6; i++) { // fields and names follow each other
		assert_true(blocks[i].fields_offset >= end);
		end = blocks[i].fields_offset +
		      blocks[i].field_count * sizeof(struct ps_segment_field);
		assert_true(blocks[i].names_offset >= end);
		end = blocks[i].names_offset + blocks[i].rows * sizeof(struct ps_segment_name);
	}
	for (int i = 0; i < 6; i++) { // then the rows, lane by lane
		assert_true(blocks[i].offset >= end && blocks[i].offset % PS_LANE_ALIGN == 0);
		assert_int_equal(blocks[i].row_stride % PS_ROW_ALIGN, 0);
		assert_true(blocks[i].row_stride >= 8 * (1 + blocks[i].cells));
		assert_int_equal(blocks[i].lane_stride % PS_LANE_ALIGN, 0);
		assert_true(
			blocks[i].lane_stride >= (uint64_t)blocks[i].rows * blocks[i].row_stride);
		end = blocks[i].offset + blocks[i].lanes * blocks[i].lane_stride;
	}
	assert_int_equal(end, view.size);
	assert_int_equal(block_of(&view, "vip")->lanes, 2);
	assert_int_equal(block_of(&view, "port_queue")->rows, 4);
	assert_string_equal(block_of(&view, "backend")->label_keys, "pool\tbackend\taddress");
	ps_segment_close(segment);
	close_view(&view);
}

static void test_fields_describe_the_cells(void **state)
{
	struct ps_segment *segment = create();
	struct view view = view_of(segment);
	const struct ps_segment_block *b = block_of(&view, "lcore");
	const struct ps_segment_field *f = (const void *)(view.map + b->fields_offset);
	uint32_t cells = 0;

	(void)state;
	for (uint32_t i = 0; i < b->field_count; i++) {
		assert_int_equal(f[i].cell, cells);
		cells += f[i].kind == PS_KIND_HISTOGRAM ? f[i].bound_count + 2 : 1;
		assert_true(f[i].help[0] && f[i].metric[0]);
		if (strcmp(f[i].id, "burst_packets") == 0) {
			assert_int_equal(f[i].bound_count, 7);
			assert_int_equal(f[i].bounds[6], 64);
		}
		if (f[i].cell == PS_DROP_FRAME_TOO_SHORT) {
			assert_string_equal(f[i].ledger, "drop");
			assert_string_equal(f[i].labels, "reason=frame_too_short");
		}
	}
	assert_int_equal(cells, PS_LCORE_CELLS);
	ps_segment_close(segment);
	close_view(&view);
}

static void test_fixed_names(void **state)
{
	struct ps_segment *segment = create();
	struct view view = view_of(segment);
	uint32_t row;

	(void)state;
	assert_string_equal(names_of(&view, "lcore")[1].values, "3");
	assert_string_equal(names_of(&view, "port_queue")[3].values, "1\t1");
	assert_int_equal(names_of(&view, "node")[0].active, 1);
	assert_int_equal(ps_segment_name_find_or_add(segment, PS_SCOPE_LCORE, "9", NOW, &row, NULL),
		-EINVAL);
	ps_segment_name_retire(segment, PS_SCOPE_LCORE, 0, NOW);
	assert_int_equal(names_of(&view, "lcore")[0].active, 1);
	ps_segment_close(segment);
	close_view(&view);
}

static void test_rows_out_of_range(void **state)
{
	struct ps_segment *segment = create();

	(void)state;
	assert_null(ps_segment_row(segment, PS_SCOPE_LCORE, 0, 2));
	assert_null(ps_segment_row(segment, PS_SCOPE_LCORE, 1, 0));
	assert_null(ps_segment_row(segment, PS_SCOPE_COUNT, 0, 0));
	assert_null(ps_segment_draft(segment, PS_SCOPE_LCORE, 0, 2));
	assert_null(ps_segment_draft(segment, PS_SCOPE_NODE, 0, 0));
	assert_non_null(ps_segment_draft(segment, PS_SCOPE_LCORE, 0, 1));
	assert_int_equal(ps_segment_lane(segment, PS_SCOPE_VIP, 2).rows, 0);
	assert_non_null(ps_segment_row(segment, PS_SCOPE_VIP, 1, 2));
	ps_segment_close(segment);
}

static void test_refused_settings(void **state)
{
	struct ps_segment *segment = NULL;
	char longest[65];
	struct ps_segment_config c = config();

	(void)state;
	memset(longest, 'x', 64);
	longest[64] = '\0';
	c.instance = longest;
	assert_int_equal(ps_segment_create(&c, &segment), -ENAMETOOLONG);
	c = config();
	c.worker_count = 0;
	assert_int_equal(ps_segment_create(&c, &segment), -EINVAL);
	c = config();
	c.run_dir = "/nonexistent/folder";
	assert_int_equal(ps_segment_create(&c, &segment), -ENOENT);
	assert_null(segment);
	assert_int_equal(base_count_files(dir, false), 0);
}

// Not the file's time decides, but the start in the header.
static void test_prune_unlinks_the_oldest(void **state)
{
	struct ps_segment_config c = config();
	char paths[5][4200], other[4200];
	static const uint64_t starts[] = {30, 10, 50, 20, 40};

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct ps_segment *segment;

		c.now_ns = starts[i];
		assert_int_equal(ps_segment_create(&c, &segment), 0);
		strcpy(paths[i], ps_segment_path(segment));
		ps_segment_close(segment);
	}
	snprintf(other, sizeof(other), "%s/segment-notes", dir);
	close(open(other, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(ps_segment_prune(dir, 5), 0);
	assert_int_equal(ps_segment_prune(dir, 2), 3);
	for (int i = 0; i < 5; i++)
		assert_int_equal(access(paths[i], F_OK) == 0, starts[i] >= 40);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(ps_segment_prune("/nonexistent", 2), -ENOENT);
}

static void *publish_for_a_while(void *argument)
{
	uint64_t values[PS_LCORE_CELLS];

	for (uint64_t n = 1; n <= 200000; n++) {
		for (int c = 0; c < PS_LCORE_CELLS; c++)
			values[c] = n;
		ps_row_publish(argument, values, PS_LCORE_CELLS);
	}
	return NULL;
}

// A reader that checks the sequence never sees parts of two publications.
static void test_rows_are_never_torn(void **state)
{
	struct ps_segment *segment = create();
	struct ps_row *row = ps_segment_row(segment, PS_SCOPE_LCORE, 0, 0);
	uint64_t first = 0, last = 0, seen = 0;
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, publish_for_a_while, row), 0);
	while (last < 200000) {
		uint64_t before = atomic_load_explicit(&row->sequence, memory_order_acquire);
		bool torn = false;

		first = ps_row_load(row, 0);
		for (uint32_t c = 1; c < PS_LCORE_CELLS; c++)
			torn |= ps_row_load(row, c) != first;
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 ||
			before != atomic_load_explicit(&row->sequence, memory_order_relaxed))
			continue;
		assert_false(torn);
		assert_true(first >= last && first == before / 2);
		last = first;
		seen++;
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_true(seen > 0);
	ps_segment_close(segment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_header),
		IN_DIR(test_everything_lies_inside_and_apart),
		IN_DIR(test_fields_describe_the_cells),
		IN_DIR(test_fixed_names),
		IN_DIR(test_rows_out_of_range),
		IN_DIR(test_refused_settings),
		IN_DIR(test_prune_unlinks_the_oldest),
		IN_DIR(test_rows_are_never_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
