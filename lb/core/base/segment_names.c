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

int ps_name_index_init(struct ps_name_index *index, uint32_t rows)
{
	uint32_t size = 16;

	while (size < rows)
		size *= 2;
	index->heads = malloc(size * sizeof(*index->heads));
	index->next = calloc(rows + 1, sizeof(*index->next));
	index->free_ns = calloc(rows + 1, sizeof(*index->free_ns));
	index->retired = calloc(rows + 1, sizeof(*index->retired));
	index->mask = size - 1;
	index->rows = rows;
	if (!index->heads || !index->next || !index->free_ns || !index->retired)
		return -ENOMEM;
	memset(index->heads, 0xff, size * sizeof(*index->heads)); // PS_NO_ROW
	return 0;
}

void ps_name_index_free(struct ps_name_index *index)
{
	free(index->heads);
	free(index->next);
	free(index->free_ns);
	free(index->retired);
}

// FNV-1a.
static uint32_t *head_of(const struct ps_name_index *index, const char *values)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *values; values++)
		hash = (hash ^ (unsigned char)*values) * 0x100000001b3;
	return &index->heads[(hash ^ hash >> 32) & index->mask];
}

// Row of the active name, or PS_NO_ROW.
static uint32_t find(const struct ps_segment *segment, enum ps_scope scope, const char *values)
{
	const struct ps_segment_name *names = ps_segment_name_table(segment, scope);
	const struct ps_name_index *index = &segment->index[scope];
	uint32_t row = *head_of(index, values);

	while (row != PS_NO_ROW && strcmp(names[row].values, values) != 0)
		row = index->next[row];
	return row;
}

// How many rows may be named now. All wait equally long: the oldest of the retired is free first.
static uint32_t count_free(const struct ps_name_index *index, uint64_t now_ns)
{
	uint32_t waited = 0;

	while (waited < index->retired_count &&
		index->free_ns[index->retired[(index->oldest + waited) % index->rows]] <= now_ns)
		waited++;
	return index->rows - index->unnamed + waited;
}

static uint32_t take_free(struct ps_name_index *index, uint64_t now_ns)
{
	uint32_t row = index->retired_count > 0 ? index->retired[index->oldest] : PS_NO_ROW;

	if (row != PS_NO_ROW && index->free_ns[row] <= now_ns) {
		index->oldest = (index->oldest + 1) % index->rows;
		index->retired_count--;
		return row;
	}
	return index->unnamed < index->rows ? index->unnamed++ : PS_NO_ROW;
}

static void put_into_use(struct ps_name_index *index, uint32_t row, const char *values)
{
	uint32_t *head = head_of(index, values);

	index->next[row] = *head;
	*head = row;
}

static void take_out_of_use(
	struct ps_name_index *index, uint32_t row, const char *values, uint64_t free_ns)
{
	uint32_t *link = head_of(index, values);

	while (*link != row)
		link = &index->next[*link];
	*link = index->next[row];
	index->free_ns[row] = free_ns;
	index->retired[(index->oldest + index->retired_count++) % index->rows] = row;
}

bool ps_segment_names_fit(const struct ps_segment *segment, enum ps_scope scope, uint32_t count,
	const char *const values[], uint64_t now_ns)
{
	uint32_t needed = 0;

	if (!has_changing_names(scope))
		return false;
	for (uint32_t i = 0; i < count; i++)
		needed += find(segment, scope, values[i]) == PS_NO_ROW;
	return count_free(&segment->index[scope], now_ns) >= needed;
}

uint32_t ps_segment_names_used(
	const struct ps_segment *segment, enum ps_scope scope, uint64_t now_ns)
{
	const struct ps_name_index *index = &segment->index[scope];

	return has_changing_names(scope) ? index->rows - count_free(index, now_ns) : index->rows;
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
	bool used = name->generation != 0;

	ps_segment_names_begin(segment);
	// Killed inside here, the row has no name: neither generation may have the other's cells.
	__atomic_store_n(&name->generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (used)
		zero_row(segment, scope, row);
	name->active = 1;
	memset(name->values, 0, sizeof(name->values));
	memcpy(name->values, values, strlen(values));
	__atomic_store_n(&name->generation, segment->next_generation++, __ATOMIC_RELEASE);
	ps_segment_names_end(segment);
	put_into_use(&segment->index[scope], row, values);
}

int ps_segment_name_find_or_add(struct ps_segment *segment, enum ps_scope scope, const char *values,
	uint64_t now_ns, uint32_t *row, bool *fresh)
{
	if (!has_changing_names(scope))
		return -EINVAL;
	if (strlen(values) >= sizeof(((struct ps_segment_name *)0)->values))
		return -ENAMETOOLONG;
	uint32_t found = find(segment, scope, values);
	bool is_new = found == PS_NO_ROW;

	if (is_new)
		found = take_free(&segment->index[scope], now_ns);
	if (found == PS_NO_ROW)
		return -ENOSPC;
	if (is_new)
		give_name(segment, scope, found, values);
	if (fresh)
		*fresh = is_new;
	*row = found;
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
	take_out_of_use(&segment->index[scope], row, name->values, now_ns + PS_QUARANTINE_NS);
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
