// SPDX-License-Identifier: Apache-2.0
// The statistics segment: the contract between the core (writer) and every reader.
//
// One file per boot of a core instance: <run dir>/segment-<boot id, 16 hex digits>. The core never
// reuses or truncates one; whoever has read a dead segment to its end may unlink it. All integers
// are little endian. Every place in the file is given by an offset from its start, never a pointer.
//
//   header | directory (blocks) | fields (one list a block) | names (one table a block) | rows
//
// A row is a sequence number and then its cells. One thread writes a row. It makes the sequence
// odd, stores the cells, makes it even again; a reader copies the row and keeps the copy when it
// saw the same even number before and after (Boehm, "Can seqlocks get along with programming
// language memory models?", MSPC 2012). Cells of kind counter and histogram only grow, and are
// never reset.
//
// A scope with drafts keeps beside each row its writer's working copy (its first word is unused).
// The writer changes the draft only while the row is even, so when a writer was killed in the
// middle of a row, the row stays odd and its draft is the whole, consistent row.
#pragma once

#include <assert.h>
#include <stdint.h>

#define PS_SEGMENT_MAGIC "POPSCOPE"
#define PS_SEGMENT_LAYOUT 1
#define PS_SEGMENT_PREFIX "segment-"
#define PS_ROW_ALIGN 64
#define PS_LANE_ALIGN 4096
// Sequence number and cells: cell i of a row lies at row + 8 * (1 + i).
#define PS_ROW_SIZE(cells)                                                                         \
	((8 * (1 + (uint64_t)(cells)) + PS_ROW_ALIGN - 1) / PS_ROW_ALIGN * PS_ROW_ALIGN)

enum ps_segment_state {
	PS_STATE_WRITING = 0, // being laid out: a reader must not look past the state
	PS_STATE_READY = 1,   // rows are live
	PS_STATE_STOPPED = 2, // the core ended in order; nothing will change any more
};

enum ps_kind {
	PS_KIND_COUNTER = 0, // one cell
	PS_KIND_GAUGE = 1,   // one cell, may fall
	PS_KIND_HISTOGRAM =
		2, // bounds + 1 cells of counts (not cumulative), then the cell of the sum
};

#define PS_MAX_BOUNDS 16

struct ps_segment_header {
	char magic[8];
	uint32_t layout;      // PS_SEGMENT_LAYOUT
	uint32_t header_size; // sizeof(struct ps_segment_header)
	uint64_t total_size;  // bytes of the file
	uint64_t catalogue_hash;
	uint64_t boot_id;        // random, never 0
	uint64_t start_time_ns;  // CLOCK_REALTIME
	uint64_t tsc_hz;         // rate of every cell whose unit is cycles
	uint64_t state;          // enum ps_segment_state, stored with release order
	uint64_t heartbeat_ns;   // CLOCK_REALTIME, by the main lcore at least every 200 ms
	uint64_t names_sequence; // odd while any name table changes
	uint64_t directory_offset;
	uint32_t directory_count;
	uint32_t block_size; // sizeof(struct ps_segment_block)
	uint32_t field_size; // sizeof(struct ps_segment_field)
	uint32_t name_size;  // sizeof(struct ps_segment_name)
	uint32_t pid;
	uint32_t reserved;
	char instance[64];
	char version[32];
};

// A block holds `lanes` writers' rows of one scope: lane l, row r lies at
// offset + l * lane_stride + r * row_stride. Scopes vip and backend have one lane per worker lcore
// (lane l is the worker of row l of the scope lcore); every other scope has one lane.
struct ps_segment_block {
	char scope[16];
	uint64_t offset;
	uint64_t lane_stride;
	uint32_t row_stride;
	uint32_t lanes;
	uint32_t rows;  // capacity of a lane
	uint32_t cells; // of a row
	uint64_t fields_offset;
	uint32_t field_count;
	uint32_t reserved;
	uint64_t names_offset; // `rows` names
	uint64_t draft_offset; // of lane 0's drafts, with the strides of the rows; 0: no drafts
	char label_keys[128];  // tab separated: the keys of the values in ps_segment_name.values
};

struct ps_segment_field {
	char id[64];
	uint32_t cell; // index of its first cell
	uint32_t kind; // enum ps_kind
	uint32_t bound_count;
	uint32_t reserved;
	uint64_t bounds[PS_MAX_BOUNDS]; // inclusive upper bounds of a histogram's buckets
	char metric[64]; // family, without the prefix popscope_<scope>_ and without _total
	char unit[32];
	char labels[64]; // "key=value", tab separated; may be empty
	char ledger[16]; // the term of the ledger law that it is part of; may be empty
	char help[256];
};

// The name of row r, for all lanes. A row that loses its name keeps its cells for at least 10 s, so
// that readers see the last increments; only then may it get a new generation, its cells zeroed.
struct ps_segment_name {
	uint64_t generation; // unique within the boot; 0: this row has no name
	uint32_t active;     // 0: out of use, cells final
	uint32_t reserved;
	char values[240]; // tab separated, as many as label_keys
};

static_assert(sizeof(struct ps_segment_header) == 208, "contract");
static_assert(sizeof(struct ps_segment_block) == 208, "contract");
static_assert(sizeof(struct ps_segment_field) == 640, "contract");
static_assert(sizeof(struct ps_segment_name) == 256, "contract");
