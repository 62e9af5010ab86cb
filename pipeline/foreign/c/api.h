// SPDX-License-Identifier: Apache-2.0
// What Python calls (native.py). A table and its batches are used by one thread at a time.
#pragma once

#include "batch.h"

enum fm_format { FM_RW1 = 1, FM_RW2 = 2, FM_OTLP = 3, FM_OTLP_JSON = 4 };

struct fm_request {
	uint32_t format;
	uint32_t tenant;
	uint32_t now;           // unix seconds
	int64_t oldest, newest; // unix ms
	uint64_t columns_limit; // bytes
};

struct fm_table *fm_table_new(
	uint32_t limit, uint64_t key_limit, uint64_t secret0, uint64_t secret1);
void fm_table_delete(struct fm_table *table);
struct fm_batch *fm_batch_new(void);
void fm_batch_delete(struct fm_batch *batch);

// 0, -EBADMSG (batch->error), -E2BIG, -ENOMEM. Unless it is 0 the table is as before.
int fm_take(struct fm_table *table, struct fm_batch *batch, const struct fm_request *request,
	const uint8_t *body, uint64_t size);

// All columns at once.
struct fm_view {
	const uint8_t *data;
	uint64_t size;
};
void fm_batch_columns(const struct fm_batch *batch, struct fm_view views[FM_COLUMNS]);
const uint8_t *fm_batch_column(const struct fm_batch *batch, uint32_t column, uint64_t *size);
const char *fm_batch_error(const struct fm_batch *batch);
const char *fm_batch_rejected(const struct fm_batch *batch, uint32_t reason, uint64_t counts[2]);
uint64_t fm_batch_all_rejected(const struct fm_batch *batch); // 0: there is none of any reason
uint64_t fm_batch_exemplars_rejected(const struct fm_batch *batch);

uint32_t fm_table_series(const struct fm_table *table, uint32_t tenant);
uint32_t fm_table_count(const struct fm_table *table, uint64_t *bytes);

// The store has these series since `now`.
void fm_table_saved(struct fm_table *table, const uint64_t *ids, uint64_t count, uint32_t now);
// A commit failed: what was handed on may not be in the store.
void fm_table_doubt(struct fm_table *table);

// Series from the store, as columns: texts as their bytes and where each ends.
struct fm_stored {
	const uint64_t *ids;
	const uint32_t *seen; // unix seconds
	const uint8_t *names;
	const int32_t *name_ends; // as Arrow's offsets: one more than there are
	const int32_t *label_ends;
	const uint8_t *label_names;
	const int32_t *label_name_ends;
	const uint8_t *label_values;
	const int32_t *label_value_ends;
	uint64_t count;
};
// Returns how many were taken (not those that are there already), or a negative errno.
int64_t fm_table_load(struct fm_table *table, uint32_t tenant, const struct fm_stored *stored);

// Sort samples by series, in place; times and values (as bits) of a series keep their order.
// -ENOMEM.
int fm_sort(uint64_t *series, uint64_t *times, uint64_t *values, uint64_t count);
