// SPDX-License-Identifier: Apache-2.0
// Names of vip and backend rows: they come and go, their rows have fixed places.
#include "base/segment_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ps_segment_name *ps_segment_name_table(const struct ps_segment *segment, enum ps_scope scope)
{
	return (void *)(segment->map + segment->blocks[scope].names_offset);
}

static bool has_changing_names(enum ps_scope scope)
{
	return scope == PS_SCOPE_VIP || scope == PS_SCOPE_BACKEND;
}

// The same seqlock as a row's: readers of the names that see it odd, or changed, try again.
void ps_segment_names_begin(struct ps_segment *segment)
{
	uint64_t *sequence = &segment->header->names_sequence;

	__atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void ps_segment_names_end(struct ps_segment *segment)
{
	uint64_t *sequence = &segment->header->names_sequence;

	__atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELEASE);
}

int ps_segment_values(char out[PS_VALUES_SIZE], uint32_t count, const char *const values[])
{
	char joined[PS_VALUES_SIZE];
	size_t end = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!values[i] || strchr(values[i], '\t'))
			return -EINVAL;
		size_t length = strlen(values[i]);
		if (end + length + 1 > sizeof(joined))
			return -ENAMETOOLONG;
		memcpy(joined + end, values[i], length);
		end += length;
		joined[end++] = '\t';
	}
	joined[end ? end - 1 : 0] = '\0';
	memcpy(out, joined, end ? end : 1);
	return 0;
}

// Row of the active name, or -1.
static int64_t find(const struct ps_segment *segment, enum ps_scope scope, const char *values)
{
	const struct ps_segment_name *names = ps_segment_name_table(segment, scope);

	for (uint32_t r = 0; r < segment->blocks[scope].rows; r++)
		if (names[r].active && strcmp(names[r].values, values) == 0)
			return r;
	return -1;
}

static bool is_free(
	const struct ps_segment *segment, enum ps_scope scope, uint32_t row, uint64_t now_ns)
{
	const struct ps_segment_name *name = &ps_segment_name_table(segment, scope)[row];
	uint64_t retired_ns = segment->retired_ns[scope][row];

	if (name->active)
		return false;
	// A clock that was set back only makes the quarantine longer.
	return name->generation == 0 ||
	       (now_ns >= retired_ns && now_ns - retired_ns >= PS_QUARANTINE_NS);
}

bool ps_segment_names_fit(const struct ps_segment *segment, enum ps_scope scope, uint32_t count,
	const char *const values[], uint64_t now_ns)
{
	uint32_t needed = 0, free_rows = 0;

	if (!has_changing_names(scope))
		return false;
	for (uint32_t i = 0; i < count; i++)
		needed += find(segment, scope, values[i]) < 0;
	for (uint32_t r = 0; r < segment->blocks[scope].rows && free_rows < needed; r++)
		free_rows += is_free(segment, scope, r, now_ns);
	return free_rows >= needed;
}

static void zero_row(struct ps_segment *segment, enum ps_scope scope, uint32_t row)
{
	const struct ps_segment_block *block = &segment->blocks[scope];

	for (uint32_t lane = 0; lane < block->lanes; lane++) {
		struct ps_row *cells = ps_segment_row(segment, scope, lane, row);

		ps_row_begin(cells);
		for (uint32_t c = 0; c < block->cells; c++)
			ps_row_store(cells, c, 0);
		ps_row_end(cells);
	}
}

static void give_name(
	struct ps_segment *segment, enum ps_scope scope, uint32_t row, const char *values)
{
	struct ps_segment_name *name = &ps_segment_name_table(segment, scope)[row];

	ps_segment_names_begin(segment);
	// Inside the names' sequence: no reader sees the old cells under the new generation.
	if (name->generation)
		zero_row(segment, scope, row);
	name->generation = segment->next_generation++;
	name->active = 1;
	memset(name->values, 0, sizeof(name->values));
	memcpy(name->values, values, strlen(values));
	ps_segment_names_end(segment);
}

int ps_segment_name_find_or_add(struct ps_segment *segment, enum ps_scope scope, const char *values,
	uint64_t now_ns, uint32_t *row, bool *fresh)
{
	if (!has_changing_names(scope))
		return -EINVAL;
	if (strlen(values) >= sizeof(((struct ps_segment_name *)0)->values))
		return -ENAMETOOLONG;
	int64_t found = find(segment, scope, values);
	if (fresh)
		*fresh = found < 0;
	for (uint32_t r = 0; found < 0 && r < segment->blocks[scope].rows; r++) {
		if (is_free(segment, scope, r, now_ns)) {
			give_name(segment, scope, r, values);
			found = r;
		}
	}
	if (found < 0)
		return -ENOSPC;
	*row = (uint32_t)found;
	return 0;
}

void ps_segment_name_retire(
	struct ps_segment *segment, enum ps_scope scope, uint32_t row, uint64_t now_ns)
{
	if (!has_changing_names(scope) || row >= segment->blocks[scope].rows)
		return;
	struct ps_segment_name *name = &ps_segment_name_table(segment, scope)[row];

	if (!name->active)
		return;
	ps_segment_names_begin(segment);
	name->active = 0;
	ps_segment_names_end(segment);
	segment->retired_ns[scope][row] = now_ns;
}

uint32_t ps_segment_names_retire_others(
	struct ps_segment *segment, enum ps_scope scope, const bool *keep, uint64_t now_ns)
{
	uint32_t retired = 0;

	if (!has_changing_names(scope))
		return 0;
	const struct ps_segment_name *names = ps_segment_name_table(segment, scope);

	for (uint32_t r = 0; r < segment->blocks[scope].rows; r++) {
		if (names[r].active && !keep[r]) {
			ps_segment_name_retire(segment, scope, r, now_ns);
			retired++;
		}
	}
	return retired;
}
