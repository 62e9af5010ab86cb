// SPDX-License-Identifier: Apache-2.0
// A segment in a folder of its own, and what a reader sees of it.
#pragma once

#include "api/segment.h"
#include "base/segment.h"
#include "base_test.h"
#include "counters.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1700000000000000000ULL

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

static char dir[BASE_DIR_SIZE];
static const uint32_t lcores[] = {1, 3};

static inline struct ps_segment_config config(void)
{
	return (struct ps_segment_config){
		.run_dir = dir,
		.instance = "test",
		.version = "1.2.3",
		.tsc_hz = 2000000000,
		.now_ns = NOW,
		.worker_count = 2,
		.worker_lcores = lcores,
		.port_count = 2,
		.queue_count = 2,
		.vip_rows = 3,
		.backend_rows = 4,
	};
}

static inline struct ps_segment *create(void)
{
	const struct ps_segment_config c = config();
	struct ps_segment *segment = NULL;

	assert_int_equal(ps_segment_create(&c, &segment), 0);
	return segment;
}

static inline int make_dir(void **state)
{
	(void)state;
	return base_make_dir(dir);
}

static inline int remove_dir(void **state)
{
	(void)state;
	return base_remove_dir(dir);
}

// What a reader sees: the file, by its own directory.
struct view {
	const unsigned char *map;
	const struct ps_segment_header *header;
	size_t size;
};

static inline struct view view_of(const struct ps_segment *segment)
{
	struct stat st;
	int fd = open(ps_segment_path(segment), O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	struct view view = {.size = (size_t)st.st_size};
	view.map = mmap(NULL, view.size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(view.map != MAP_FAILED);
	close(fd);
	view.header = (const void *)view.map;
	return view;
}

static inline void close_view(struct view *view)
{
	munmap((void *)(uintptr_t)view->map, view->size);
}

static inline const struct ps_segment_block *block_of(const struct view *view, const char *scope)
{
	const struct ps_segment_block *blocks =
		(const void *)(view->map + view->header->directory_offset);

	for (uint32_t i = 0; i < view->header->directory_count; i++)
		if (strcmp(blocks[i].scope, scope) == 0)
			return &blocks[i];
	fail_msg("no block %s", scope);
	return NULL;
}

static inline const struct ps_segment_name *names_of(const struct view *view, const char *scope)
{
	return (const void *)(view->map + block_of(view, scope)->names_offset);
}

static inline uint64_t cell_of(
	const struct view *view, const char *scope, uint32_t lane, uint32_t row, uint32_t cell)
{
	const struct ps_segment_block *b = block_of(view, scope);

	return *(const uint64_t *)(const void *)(view->map + b->offset + lane * b->lane_stride +
						 row * b->row_stride + 8 * (1 + cell));
}
