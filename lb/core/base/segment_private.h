// SPDX-License-Identifier: Apache-2.0
// What the files of the segment writer share.
#pragma once

#include "api/segment.h"
#include "base/segment.h"

#include <limits.h>
#include <stddef.h>

#define PS_DIRECTORY_OFFSET ((sizeof(struct ps_segment_header) + 63) / 64 * 64)

struct ps_segment {
	unsigned char *map;
	struct ps_segment_header *header; // start of the map
	struct ps_segment_block *blocks;  // PS_SCOPE_COUNT, in the order of enum ps_scope
	uint64_t next_generation;
	uint64_t *retired_ns[PS_SCOPE_COUNT]; // time of retirement by row; scopes vip and backend
					      // only
	char path[PATH_MAX];
};

// The offsets of everything for these sizes, and the blocks' directory. Returns the file's size.
uint64_t ps_segment_plan(const struct ps_segment_config *config, struct ps_segment_block *blocks);
// Writes header, directory, fields and the fixed names into a zeroed map.
void ps_segment_fill(struct ps_segment *segment, const struct ps_segment_config *config,
	const struct ps_segment_block *blocks, uint64_t boot_id);

struct ps_segment_name *ps_segment_name_table(
	const struct ps_segment *segment, enum ps_scope scope);
// The names between begin and end may change together with their rows' cells.
void ps_segment_names_begin(struct ps_segment *segment);
void ps_segment_names_end(struct ps_segment *segment);
