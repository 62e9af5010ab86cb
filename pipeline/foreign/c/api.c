// SPDX-License-Identifier: Apache-2.0
#include "api.h"

#include "json.h"
#include "otlp.h"

#include <stdio.h>

struct fm_table *fm_table_new(
	uint32_t limit, uint64_t key_limit, uint64_t secret0, uint64_t secret1)
{
	struct fm_table *table = calloc(1, sizeof(*table));
	struct fm_secret secret = {{secret0, secret1}};

	if (table && fm_table_init(table, limit, key_limit, secret)) {
		free(table);
		return NULL;
	}
	return table;
}

void fm_table_delete(struct fm_table *table)
{
	if (table)
		fm_table_free(table);
	free(table);
}

struct fm_batch *fm_batch_new(void)
{
	return calloc(1, sizeof(struct fm_batch));
}

void fm_batch_delete(struct fm_batch *batch)
{
	if (!batch)
		return;
	for (unsigned i = 0; i < FM_COLUMNS; i++)
		fm_release(&batch->columns[i]);
	for (unsigned i = 0; i < FM_SCRATCH; i++)
		fm_release(&batch->scratch[i]);
	free(batch);
}

#define KEPT_ROOM (4 << 20) // of a column between requests

static void reset(struct fm_batch *batch)
{
	for (unsigned i = 0; i < FM_COLUMNS; i++) {
		batch->columns[i].size = 0;
		if (batch->columns[i].room > KEPT_ROOM)
			fm_release(&batch->columns[i]);
	}
	for (unsigned i = 0; i < FM_SCRATCH; i++)
		if (batch->scratch[i].room > KEPT_ROOM)
			fm_release(&batch->scratch[i]);
	memset(batch->rejected, 0, sizeof(batch->rejected));
	batch->exemplars_rejected = 0;
	batch->error[0] = '\0';
	batch->number++;
}

static int otlp_json(struct fm_decoder *decoder, struct fm_text body)
{
	struct fm_buffer *out = &decoder->batch->scratch[FM_JSON];
	struct fm_json json = {
		.start = body.data, .at = body.data, .end = body.data + body.size, .out = out};

	out->size = 0;
	int rc = fm_reserve(out, body.size);
	rc = rc ? rc : fm_json_message(&json, fm_otlp_request);
	if (rc == -EBADMSG)
		snprintf(decoder->batch->error, FM_EXAMPLE, "at byte %zu of the unpacked JSON: %s",
			(size_t)(json.at - json.start), json.error);
	if (rc)
		return rc;
	decoder->start = out->data;
	return fm_otlp(decoder, (struct fm_text){out->data, out->size});
}

int fm_take(struct fm_table *table, struct fm_batch *batch, const struct fm_request *request,
	const uint8_t *data, uint64_t size)
{
	static int (*const formats[])(struct fm_decoder *, struct fm_text) = {[FM_RW1] = fm_rw1,
		[FM_RW2] = fm_rw2,
		[FM_OTLP] = fm_otlp,
		[FM_OTLP_JSON] = otlp_json};
	struct fm_text body = {data, size};
	uint32_t before = table->count;
	int rc;

	reset(batch);
	struct fm_decoder decoder = {
		.table = table,
		.batch = batch,
		.tenant = request->tenant,
		.now = request->now,
		.oldest = request->oldest,
		.newest = request->newest,
		.allowance = request->columns_limit,
		.start = body.data,
	};
	rc = formats[request->format](&decoder, body);
	if (rc)
		fm_series_undo(table, before);
	return rc;
}

void fm_batch_columns(const struct fm_batch *batch, struct fm_view views[FM_COLUMNS])
{
	for (uint32_t i = 0; i < FM_COLUMNS; i++)
		views[i].data = fm_batch_column(batch, i, &views[i].size);
}

const uint8_t *fm_batch_column(const struct fm_batch *batch, uint32_t column, uint64_t *size)
{
	*size = batch->columns[column].size;
	return batch->columns[column].data;
}

const char *fm_batch_error(const struct fm_batch *batch)
{
	return batch->error;
}

const char *fm_batch_rejected(const struct fm_batch *batch, uint32_t reason, uint64_t counts[2])
{
	counts[0] = batch->rejected[reason].samples;
	counts[1] = batch->rejected[reason].series;
	return batch->rejected[reason].example;
}

uint64_t fm_batch_all_rejected(const struct fm_batch *batch)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < FM_REASONS; i++)
		all += batch->rejected[i].samples + batch->rejected[i].series;
	return all;
}

uint64_t fm_batch_exemplars_rejected(const struct fm_batch *batch)
{
	return batch->exemplars_rejected;
}

uint32_t fm_table_series(const struct fm_table *table, uint32_t tenant)
{
	return table->tenants[tenant].series;
}

uint32_t fm_table_count(const struct fm_table *table, uint64_t *bytes)
{
	*bytes = table->keys.room + table->room * sizeof(struct fm_series) +
		 2 * sizeof(uint32_t) * ((uint64_t)table->mask + 1);
	return table->count;
}

void fm_table_saved(struct fm_table *table, const uint64_t *ids, uint64_t count, uint32_t now)
{
	for (uint64_t i = 0; i < count; i++) {
		struct fm_series *series = fm_series_of_id(table, ids[i]);
		if (series)
			series->saved = now;
	}
}

void fm_table_doubt(struct fm_table *table)
{
	for (uint32_t i = 0; i < table->count; i++)
		table->series[i].metadata = 0;
}

static struct fm_text text(const uint8_t *data, const int32_t *ends, int64_t index)
{
	return (struct fm_text){data + ends[index], (size_t)(ends[index + 1] - ends[index])};
}

int64_t fm_table_load(struct fm_table *table, uint32_t tenant, const struct fm_stored *stored)
{
	static const struct fm_text metric_name = {(const uint8_t *)"__name__", 8};
	uint8_t data[FM_MAX_KEY];
	struct fm_labels labels;
	struct fm_series *series;
	int64_t taken = 0;

	for (int64_t i = 0; i < (int64_t)stored->count; i++) {
		struct fm_text key = {data, 0};
		labels.count = 0;
		labels.overflow = false;
		fm_labels_add(&labels, metric_name, text(stored->names, stored->name_ends, i));
		for (int64_t j = stored->label_ends[i]; j < stored->label_ends[i + 1]; j++)
			fm_labels_add(&labels,
				text(stored->label_names, stored->label_name_ends, j),
				text(stored->label_values, stored->label_value_ends, j));
		if (fm_labels_key(&labels, (struct fm_key_rules){0}, data, &key.size))
			continue;
		if (fm_series_find(table, tenant, key, fm_series_hash(table, tenant, key)))
			continue;
		int rc = fm_series_add(table, tenant, key, stored->ids[i], &series);
		if (rc == -EEXIST)
			continue;
		if (rc)
			return rc;
		series->saved = series->seen = stored->seen[i];
		taken++;
	}
	return taken;
}
