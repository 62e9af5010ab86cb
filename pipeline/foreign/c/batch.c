// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <stdio.h>

// Every active series is told to the store again once in about a day, spread by its id.
#define REFRESH_SECONDS (20 * 3600)
#define REFRESH_SPREAD (8 * 3600)

static const struct fm_label_columns series_labels = {
	FM_SERIES_LABEL_END, FM_LABEL_NAME, FM_LABEL_NAME_END, FM_LABEL_VALUE, FM_LABEL_VALUE_END};
static const struct fm_label_columns exemplar_labels = {FM_EXEMPLAR_LABEL_END,
	FM_EXEMPLAR_LABEL_NAME, FM_EXEMPLAR_LABEL_NAME_END, FM_EXEMPLAR_LABEL_VALUE,
	FM_EXEMPLAR_LABEL_VALUE_END};

int fm_malformed(struct fm_decoder *decoder, const uint8_t *at, const char *what)
{
	snprintf(decoder->batch->error, FM_EXAMPLE, "at byte %zu of the unpacked body: %s",
		(size_t)(at - decoder->start), what);
	return -EBADMSG;
}

static int grow(struct fm_decoder *decoder, enum fm_column column, size_t size)
{
	if (size > decoder->allowance)
		return -E2BIG;
	decoder->allowance -= size;
	return fm_reserve(&decoder->batch->columns[column], size);
}

int fm_column_put(struct fm_decoder *decoder, enum fm_column column, const void *data, size_t size)
{
	int rc = grow(decoder, column, size);

	if (!rc)
		fm_put(&decoder->batch->columns[column], data, size);
	return rc;
}

static int put_end(
	struct fm_decoder *decoder, enum fm_column column, enum fm_column of, size_t width)
{
	int32_t end = (int32_t)(decoder->batch->columns[of].size / width);

	return fm_column_put(decoder, column, &end, sizeof(end));
}

static int put_text(
	struct fm_decoder *decoder, enum fm_column column, enum fm_column end, struct fm_text text)
{
	int rc = fm_column_put(decoder, column, text.data, text.size);

	return rc ? rc : put_end(decoder, end, column, 1);
}

int fm_put_labels(struct fm_decoder *decoder, const struct fm_label_columns *to, bool without_name)
{
	const struct fm_labels *labels = &decoder->labels;
	struct fm_text name = fm_metric_name(labels);
	int rc = 0;

	for (uint32_t i = 0; i < labels->count && !rc; i++) {
		const struct fm_label *label = &labels->items[i];
		if (!label->value.size || (without_name && label->value.data == name.data))
			continue;
		rc = put_text(decoder, to->name, to->name_end, label->name);
		rc = rc ? rc : put_text(decoder, to->value, to->value_end, label->value);
	}
	return rc ? rc : put_end(decoder, to->end, to->name_end, sizeof(int32_t));
}

void fm_reject(
	struct fm_decoder *decoder, enum fm_reason reason, uint64_t samples, const char *example)
{
	struct fm_rejected *rejected = &decoder->batch->rejected[reason];

	rejected->samples += samples;
	if (!rejected->example[0])
		snprintf(rejected->example, FM_EXAMPLE, "%s", example);
}

static void reject_labels(struct fm_decoder *decoder, enum fm_reason reason, const char *why)
{
	char text[FM_EXAMPLE / 2], example[FM_EXAMPLE];

	decoder->batch->rejected[reason].series++;
	if (decoder->batch->rejected[reason].example[0])
		return;
	fm_labels_show(&decoder->labels, text, sizeof(text));
	snprintf(example, sizeof(example), "{%s}%s%s", text, why ? ": " : "", why ? why : "");
	fm_reject(decoder, reason, 0, example);
}

// The labels of a series among those that the store must be told of.
static int tell(struct fm_decoder *decoder, struct fm_series *series, struct fm_text key)
{
	uint64_t id = series->id;

	series->batch = decoder->batch->number;
	decoder->labels.count = 0;
	decoder->labels.overflow = false;
	fm_labels_read(fm_wire_of(key), &decoder->labels);
	int rc = fm_column_put(decoder, FM_SERIES_ID, &id, sizeof(id));
	rc = rc ? rc
		: put_text(decoder, FM_SERIES_NAME, FM_SERIES_NAME_END,
			  fm_metric_name(&decoder->labels));
	return rc ? rc : fm_put_labels(decoder, &series_labels, true);
}

static bool is_due(const struct fm_series *series, uint32_t now)
{
	return !series->saved ||
	       now - series->saved > REFRESH_SECONDS + (uint32_t)(series->id % REFRESH_SPREAD);
}

static int use(struct fm_decoder *decoder, struct fm_series *series, struct fm_text key,
	struct fm_target *target)
{
	series->seen = decoder->now;
	*target = (struct fm_target){.id = series->id, .series = series};
	if (is_due(series, decoder->now) && series->batch != decoder->batch->number)
		return tell(decoder, series, key);
	return 0;
}

int fm_target_of_key(struct fm_decoder *decoder, struct fm_text key, struct fm_target *target)
{
	uint64_t hash = fm_series_hash(decoder->table, decoder->tenant, key);
	struct fm_series *series = fm_series_find(decoder->table, decoder->tenant, key, hash);

	if (series)
		return use(decoder, series, key, target);
	decoder->labels.count = 0;
	decoder->labels.overflow = false;
	if (fm_labels_read(fm_wire_of(key), &decoder->labels))
		return fm_malformed(decoder, key.data, "a label is cut off or damaged");
	return fm_target_of_labels(decoder, false, target);
}

int fm_target_of_labels(struct fm_decoder *decoder, bool first_wins, struct fm_target *target)
{
	struct fm_text key = {decoder->key, 0};
	struct fm_key_rules rules = {.first_wins = first_wins};
	struct fm_series *series;

	*target = (struct fm_target){.reason = FM_BAD_LABELS};
	const char *why = fm_labels_key(&decoder->labels, rules, decoder->key, &key.size);
	if (why) {
		reject_labels(decoder, FM_BAD_LABELS, why);
		return 0;
	}
	uint64_t hash = fm_series_hash(decoder->table, decoder->tenant, key);
	series = fm_series_find(decoder->table, decoder->tenant, key, hash);
	if (series)
		return use(decoder, series, key, target);
	int rc = fm_series_add(decoder->table, decoder->tenant, key, 0, &series);
	if (rc == -EDQUOT || rc == -ENOSPC) {
		target->reason = rc == -EDQUOT ? FM_TENANT_LIMIT : FM_TABLE_LIMIT;
		reject_labels(decoder, target->reason, NULL);
		return 0;
	}
	return rc ? rc : use(decoder, series, key, target);
}

bool fm_takes(struct fm_decoder *decoder, const struct fm_target *target, int64_t time)
{
	char example[FM_EXAMPLE];

	if (!target->id) {
		decoder->batch->rejected[target->reason].samples++;
		return false;
	}
	if (time >= decoder->oldest && time <= decoder->newest)
		return true;
	snprintf(example, sizeof(example), "%lld ms, where %lld to %lld are taken", (long long)time,
		(long long)decoder->oldest, (long long)decoder->newest);
	fm_reject(decoder, FM_BAD_TIME, 1, example);
	return false;
}

int fm_put_sample(
	struct fm_decoder *decoder, const struct fm_target *target, int64_t time, uint64_t bits)
{
	struct fm_buffer *columns = decoder->batch->columns;
	int rc;

	if (!fm_takes(decoder, target, time))
		return 0;
	if ((rc = grow(decoder, FM_SAMPLE_SERIES, 8)) || (rc = grow(decoder, FM_SAMPLE_TIME, 8)) ||
		(rc = grow(decoder, FM_SAMPLE_VALUE, 8)))
		return rc;
	fm_put64(&columns[FM_SAMPLE_SERIES], target->id);
	fm_put64(&columns[FM_SAMPLE_TIME], (uint64_t)time);
	fm_put64(&columns[FM_SAMPLE_VALUE], bits);
	return 0;
}

static struct fm_text valid(struct fm_text text)
{
	return fm_is_utf8(text) ? text : (struct fm_text){(const uint8_t *)"", 0};
}

int fm_put_metadata(struct fm_decoder *decoder, const struct fm_metadata *metadata)
{
	enum fm_type type = metadata->type < FM_TYPES ? metadata->type : FM_UNKNOWN;
	uint8_t byte = (uint8_t)(type | metadata->temporality << 4);
	int rc;

	if (!metadata->name.size || metadata->name.size > FM_MAX_KEY || !fm_is_utf8(metadata->name))
		return 0;
	if ((rc = put_text(decoder, FM_METADATA, FM_METADATA_END, metadata->name)) ||
		(rc = put_text(decoder, FM_METADATA, FM_METADATA_END, valid(metadata->unit))) ||
		(rc = put_text(decoder, FM_METADATA, FM_METADATA_END, valid(metadata->help))))
		return rc;
	return fm_column_put(decoder, FM_METADATA_TYPE, &byte, 1);
}

int fm_tell_metadata(struct fm_decoder *decoder, const struct fm_target *target,
	const struct fm_metadata *metadata)
{
	const struct fm_secret *secret = &decoder->table->secret;
	struct fm_text help = metadata->help, unit = metadata->unit;

	if (!target->id)
		return 0;
	uint32_t hash = (uint32_t)(metadata->type + 16 * metadata->temporality +
				   fm_hash(help.data, help.size, secret) +
				   3 * fm_hash(unit.data, unit.size, secret));
	if (target->series->metadata == hash && target->series->batch != decoder->batch->number)
		return 0;
	target->series->metadata = hash;
	return fm_put_metadata(decoder, metadata);
}

int fm_put_exemplar(
	struct fm_decoder *decoder, const struct fm_target *target, int64_t time, uint64_t bits)
{
	struct fm_key_rules rules = {.nameless = true, .first_wins = true};
	uint8_t key[FM_MAX_KEY];
	size_t size;
	int rc;

	if (!target->id || time < decoder->oldest || time > decoder->newest ||
		fm_labels_key(&decoder->labels, rules, key, &size)) {
		decoder->batch->exemplars_rejected++;
		return 0;
	}
	if ((rc = fm_column_put(decoder, FM_EXEMPLAR_SERIES, &target->id, 8)) ||
		(rc = fm_column_put(decoder, FM_EXEMPLAR_TIME, &time, 8)) ||
		(rc = fm_column_put(decoder, FM_EXEMPLAR_VALUE, &bits, 8)))
		return rc;
	return fm_put_labels(decoder, &exemplar_labels, false);
}
