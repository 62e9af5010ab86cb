// SPDX-License-Identifier: Apache-2.0
// The writer of the statistics segment (api/segment.h is the format). No DPDK here.
//
// The main lcore creates the segment, names rows, beats the heart and stops it; none of these calls
// is thread safe. A worker only writes its rows: ps_row_begin(), ps_row_store()..., ps_row_end().
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_SEGMENT_LEFTOVERS 64
#define PS_QUARANTINE_NS (10 * 1000000000ULL)

enum ps_scope {
	PS_SCOPE_LCORE,
	PS_SCOPE_PORT,
	PS_SCOPE_PORT_QUEUE,
	PS_SCOPE_VIP,
	PS_SCOPE_BACKEND,
	PS_SCOPE_NODE,
	PS_SCOPE_COUNT,
};

struct ps_segment_config {
	const char *run_dir;
	const char *instance; // 63 bytes at most
	const char *version;  // 31 bytes at most
	uint64_t tsc_hz;
	uint64_t now_ns; // CLOCK_REALTIME
	uint32_t worker_count;
	const uint32_t *worker_lcores; // lcore id of worker i, the row i of scope lcore
	uint32_t port_count;
	uint32_t queue_count; // a port
	uint32_t vip_rows;
	uint32_t backend_rows;
};

struct ps_segment;

// Row: sequence number and cells. Only its one writer may use it.
struct ps_row {
	_Atomic uint64_t sequence; // odd while the cells change
	_Atomic uint64_t cells[];
};

// The rows of one lane: what a worker keeps of a scope.
struct ps_lane {
	unsigned char *first;
	uint32_t stride;
	uint32_t rows;
};

// Creates <run dir>/segment-<boot id>, with the state WRITING until ps_segment_ready(). The rows of
// lcore, port, port_queue and node have their names; vip and backend have none yet. All memory is
// reserved and mapped in, so that no store faults. Returns 0 or -errno, then *out is untouched.
int ps_segment_create(const struct ps_segment_config *config, struct ps_segment **out);
void ps_segment_ready(struct ps_segment *segment);
void ps_segment_heartbeat(struct ps_segment *segment, uint64_t now_ns);
// Nothing will change any more: all workers have ended.
void ps_segment_stop(struct ps_segment *segment, uint64_t now_ns);
// Unmaps. The file stays: whoever reads it to its end unlinks it. NULL is allowed.
void ps_segment_close(struct ps_segment *segment);

uint64_t ps_segment_boot_id(const struct ps_segment *segment);
const char *ps_segment_path(const struct ps_segment *segment);

// Unlinks the oldest segments of the folder (by start time) beyond `keep`. Call it before
// ps_segment_create(), with the run directory locked. Returns how many it unlinked, or -errno.
int ps_segment_prune(const char *run_dir, uint32_t keep);

// Lanes and rows are fixed for the life of the segment. Out of range: an empty lane, or NULL.
struct ps_lane ps_segment_lane(
	const struct ps_segment *segment, enum ps_scope scope, uint32_t lane);
struct ps_row *ps_segment_row(
	const struct ps_segment *segment, enum ps_scope scope, uint32_t lane, uint32_t row);
// The draft of a row (api/segment.h), laid out like the row: word 0 stands for its sequence. NULL
// for a scope without drafts.
uint64_t *ps_segment_draft(
	const struct ps_segment *segment, enum ps_scope scope, uint32_t lane, uint32_t row);

// --- names of vip and backend rows ---
// `now_ns` is of a clock that is never set.
// `values` are the row's label values, tab separated (vip: name, address, port, protocol; backend:
// pool, backend, address): ps_segment_values() makes them. A name that is active keeps its row, so
// a configuration change is: ps_segment_names_fit() while validating, find_or_add for each new one,
// swap, wait until no worker uses the old configuration, retire_others.

#define PS_VALUES_SIZE 240

// Joins with tabs. Returns 0, -ENAMETOOLONG, or -EINVAL when a value holds a tab or is NULL.
int ps_segment_values(char out[PS_VALUES_SIZE], uint32_t count, const char *const values[]);
// True when find_or_add would find a row for each of them now. `values` must be distinct.
bool ps_segment_names_fit(const struct ps_segment *segment, enum ps_scope scope, uint32_t count,
	const char *const values[], uint64_t now_ns);
// Rows that cannot be had now: named ones, and retired ones in quarantine.
uint32_t ps_segment_names_used(
	const struct ps_segment *segment, enum ps_scope scope, uint64_t now_ns);
// The row of this name: the active one, or a free one (never named, or retired for
// PS_QUARANTINE_NS) whose cells are zeroed in every lane. *fresh (may be NULL) tells the second:
// then the workers' private copies of the row must be zeroed too before they publish it. Returns 0,
// -ENOSPC, -ENAMETOOLONG or -EINVAL (a scope whose names are fixed).
int ps_segment_name_find_or_add(struct ps_segment *segment, enum ps_scope scope, const char *values,
	uint64_t now_ns, uint32_t *row, bool *fresh);
// The row goes out of use. No worker may write it after this call.
void ps_segment_name_retire(
	struct ps_segment *segment, enum ps_scope scope, uint32_t row, uint64_t now_ns);
// Retires every active row r of the scope with !keep[r] (`keep` has as many as the scope has rows).
// Returns how many.
uint32_t ps_segment_names_retire_others(
	struct ps_segment *segment, enum ps_scope scope, const bool *keep, uint64_t now_ns);

// --- writing a row ---

static inline struct ps_row *ps_lane_row(const struct ps_lane *lane, uint32_t row)
{
	return (struct ps_row *)(void *)(lane->first + (uint64_t)row * lane->stride);
}

// Between begin and end the row is odd and readers try again: copy ready values, compute nothing.
static inline void ps_row_begin(struct ps_row *row)
{
	uint64_t sequence = atomic_load_explicit(&row->sequence, memory_order_relaxed);

	// The row's draft is whole before the odd number, and until after the even one.
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&row->sequence, sequence + 1, memory_order_relaxed);
	// No store to a cell may become visible before the odd number.
	atomic_thread_fence(memory_order_release);
}

static inline void ps_row_end(struct ps_row *row)
{
	uint64_t sequence = atomic_load_explicit(&row->sequence, memory_order_relaxed);

	atomic_store_explicit(&row->sequence, sequence + 1, memory_order_release);
	atomic_thread_fence(memory_order_release);
}

static inline void ps_row_store(struct ps_row *row, uint32_t cell, uint64_t value)
{
	atomic_store_explicit(&row->cells[cell], value, memory_order_relaxed);
}

static inline uint64_t ps_row_load(const struct ps_row *row, uint32_t cell)
{
	return atomic_load_explicit(&row->cells[cell], memory_order_relaxed);
}

static inline void ps_row_add(struct ps_row *row, uint32_t cell, uint64_t value)
{
	ps_row_store(row, cell, ps_row_load(row, cell) + value);
}

// Copies `count` cells from private memory, as one consistent row.
static inline void ps_row_publish(struct ps_row *row, const uint64_t *cells, uint32_t count)
{
	ps_row_begin(row);
	for (uint32_t i = 0; i < count; i++)
		ps_row_store(row, i, cells[i]);
	ps_row_end(row);
}
