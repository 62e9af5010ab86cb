// SPDX-License-Identifier: Apache-2.0
// What the files of the segment writer share.
#pragma once

#include "api/segment.h"
#include "base/segment.h"

#include <limits.h>
#include <stddef.h>

#define PS_DIRECTORY_OFFSET ((sizeof(struct ps_segment_header) + 63) / 64 * 64)

// The names of a scope whose names change, for thousands of them: by hash, and when a row is free.
struct ps_name_index {
	uint32_t *heads; // by hash: the first active row, or PS_NO_ROW
	uint32_t *next;  // by row: the next one of the same hash
	uint32_t mask;
	uint32_t rows;
	uint32_t unnamed;  // rows from this one on never had a name
	uint32_t *retired; // a ring of `rows`: those that wait, the oldest first
	uint32_t oldest;
	uint32_t retired_count;
	uint64_t *free_ns; // by row: when a retired one may be named again
};

#define PS_NO_ROW UINT32_MAX

struct ps_segment {
	unsigned char *map;
	struct ps_segment_header *header; // start of the map
	struct ps_segment_block *blocks;  // PS_SCOPE_COUNT, in the order of enum ps_scope
	uint64_t next_generation;
	struct ps_name_index index[PS_SCOPE_COUNT]; // of scopes vip and backend only
	char path[PATH_MAX];
};

// The offsets of everything for these sizes, and the blocks' directory. Returns the file's size.
uint64_t ps_segment_plan(const struct ps_segment_config *config, struct ps_segment_block *blocks);
// Writes header, directory, fields and the fixed names into a zeroed map.
void ps_segment_fill(struct ps_segment *segment, const struct ps_segment_config *config,
	const struct ps_segment_block *blocks, uint64_t boot_id);

struct ps_segment_name *ps_segment_name_table(
	const struct ps_segment *segment, enum ps_scope scope);
// Returns 0 or -ENOMEM; then free it all the same.
int ps_name_index_init(struct ps_name_index *index, uint32_t rows);
void ps_name_index_free(struct ps_name_index *index);
// The names between begin and end may change together with their rows' cells.
void ps_segment_names_begin(struct ps_segment *segment);
void ps_segment_names_end(struct ps_segment *segment);
