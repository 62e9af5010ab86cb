// SPDX-License-Identifier: Apache-2.0
// The writer of the evidence file (api/evidence.h is the format). No DPDK here.
//
// The main lcore creates the file and names rows. A worker writes the records of its own lane:
// ps_evidence_begin(), the record's members, ps_evidence_end().
#pragma once

#include "api/evidence.h"

#include <stdatomic.h>

#define PS_EVIDENCE_LEFTOVERS 3 // of dead boots that stay

enum ps_evidence_kind {
	PS_EVIDENCE_REASONS,
	PS_EVIDENCE_VIPS,
	PS_EVIDENCE_BACKENDS,
	PS_EVIDENCE_DROPS,
	PS_EVIDENCE_CELLS,
	PS_EVIDENCE_TRACES,
	PS_EVIDENCE_TALKS,
	PS_EVIDENCE_KINDS,
};

struct ps_evidence_config {
	const char *run_dir;
	const char *instance; // 63 bytes at most
	const char *version;  // 31 bytes at most
	uint64_t boot_id;     // of the segment
	uint64_t tsc_hz;
	uint64_t now_ns; // CLOCK_REALTIME
	uint32_t worker_count;
	uint32_t vip_rows;
	uint32_t backend_rows;
};

struct ps_evidence;

// Rings of one lane. A copy of it is all that a worker needs.
struct ps_evidence_lane {
	unsigned char *first;
	uint32_t stride;  // of records
	uint32_t records; // of a ring, a power of two
};

// Creates <run dir>/evidence-<boot id>, all of its memory mapped in. Returns 0 or -errno, then *out
// is untouched.
int ps_evidence_create(const struct ps_evidence_config *config, struct ps_evidence **out);
// Unmaps; the file stays. NULL is allowed.
void ps_evidence_close(struct ps_evidence *evidence);
const char *ps_evidence_path(const struct ps_evidence *evidence);
// Unlinks the oldest evidence files of the folder beyond `keep`, as ps_segment_prune() does.
int ps_evidence_prune(const char *run_dir, uint32_t keep);

struct ps_evidence_lane ps_evidence_lane(
	const struct ps_evidence *evidence, enum ps_evidence_kind kind, uint32_t lane);
// The row has this name from now on. `values` as in ps_segment_name_find_or_add().
void ps_evidence_name(struct ps_evidence *evidence, enum ps_evidence_kind kind, uint32_t row,
	uint16_t epoch, const char *values);

// --- writing a record ---

// Record `n` of a ring, to be filled in but for its sequence number.
static inline void *ps_evidence_begin(
	const struct ps_evidence_lane *lane, uint32_t ring, uint64_t n)
{
	uint64_t place = (uint64_t)ring * lane->records + (n & (lane->records - 1));
	unsigned char *record = lane->first + place * lane->stride;

	atomic_store_explicit((_Atomic uint64_t *)(void *)record, 2 * n + 1, memory_order_relaxed);
	// No member may become visible before the odd number.
	atomic_thread_fence(memory_order_release);
	return record;
}

static inline void ps_evidence_end(void *record, uint64_t n)
{
	atomic_store_explicit((_Atomic uint64_t *)record, 2 * n + 2, memory_order_release);
}
