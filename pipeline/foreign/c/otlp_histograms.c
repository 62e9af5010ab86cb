// SPDX-License-Identifier: Apache-2.0
// Histograms of OTLP, with listed bounds and exponential ones.
#include "histogram.h"
#include "otlp.h"

#include <math.h>

#define STALE 0x7ff0000000000002
#define NO_VALUE_FLAG 1

// Field numbers: those of HistogramDataPoint, and of ExponentialHistogramDataPoint.
struct layout {
	uint32_t attributes, exemplars, flags, count, sum, time;
};
static const struct layout listed = {9, 8, 10, 4, 5, 3};
static const struct layout exponential = {1, 11, 10, 4, 5, 3};

static int damaged(struct fm_decoder *decoder, struct fm_text message)
{
	return fm_malformed(
		decoder, message.data, "a histogram is cut off, damaged, or nested too deep");
}

struct point {
	struct fm_histogram histogram;
	struct fm_text positive, negative; // of exponential ones
	uint32_t flags;
};

static int read_exponential(struct point *point, const struct fm_field *field)
{
	static const uint8_t wanted[] = {[6] = FM_VARINT,
		[7] = FM_FIXED64,
		[8] = FM_BYTES,
		[9] = FM_BYTES,
		[14] = FM_FIXED64};

	if (field->number < 6 || field->number > 14 || (field->number > 9 && field->number < 14))
		return 0;
	if (field->type != wanted[field->number])
		return -EBADMSG;
	if (field->number == 6)
		point->histogram.schema = (int32_t)fm_zigzag((uint32_t)field->value);
	else if (field->number == 7)
		point->histogram.zero_count = (double)field->value;
	else if (field->number == 8)
		point->positive = field->bytes;
	else if (field->number == 9)
		point->negative = field->bytes;
	else
		point->histogram.zero_threshold = fm_double(field->value);
	return 0;
}

static int read_point(struct fm_text message, const struct layout *at, struct point *point)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	*point = (struct point){.positive = {message.data, 0}, .negative = {message.data, 0}};
	point->histogram.sum = NAN; // it may be missing
	while ((rc = fm_next(&wire, &field)) > 0) {
		bool fixed = field.number >= at->time && field.number <= at->sum;
		if ((fixed && field.type != FM_FIXED64) ||
			(field.number == at->flags && field.type != FM_VARINT))
			return -EBADMSG;
		if (field.number == at->time)
			point->histogram.time = fm_ms(field.value);
		else if (field.number == at->count)
			point->histogram.count = (double)field.value;
		else if (field.number == at->sum)
			point->histogram.sum = fm_double(field.value);
		else if (field.number == at->flags)
			point->flags = (uint32_t)field.value;
		else if (at == &exponential && (rc = read_exponential(point, &field)))
			return rc;
	}
	return rc;
}

// The numbers of a repeated field, packed or not: counts into buckets from `index` on, or bounds.
struct numbers {
	uint32_t number, type;
	bool bounds;
	int64_t index;
};

static int put(struct fm_decoder *decoder, struct numbers *numbers, uint64_t value)
{
	if (numbers->bounds)
		return fm_column_put(decoder, FM_BOUND, &value, sizeof(value));
	if (numbers->index < INT32_MIN || numbers->index > INT32_MAX)
		return -EBADMSG;
	return fm_put_bucket(decoder, (int32_t)numbers->index++, (double)value);
}

static int put_all(struct fm_decoder *decoder, struct fm_text message, struct numbers numbers)
{
	struct fm_wire wire = fm_wire_of(message), packed;
	struct fm_field field;
	uint64_t value;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != numbers.number)
			continue;
		if (field.type == numbers.type) {
			if ((rc = put(decoder, &numbers, field.value)))
				return rc;
			continue;
		}
		if (field.type != FM_BYTES)
			return -EBADMSG;
		packed = fm_wire_of(field.bytes);
		while (packed.at < packed.end) {
			rc = numbers.type == FM_VARINT ? fm_read_varint(&packed, &value)
						       : fm_read_fixed(&packed, 8, &value);
			if (rc || (rc = put(decoder, &numbers, value)))
				return rc;
		}
	}
	return rc;
}

// Buckets of one sign. OTLP's bucket i is (base^i, base^(i+1)], Prometheus's ends at base^i.
static int put_side(struct fm_decoder *decoder, struct fm_text buckets, enum fm_column end)
{
	struct numbers numbers = {.number = 2, .type = FM_VARINT, .index = 1};
	struct fm_wire wire = fm_wire_of(buckets);
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != 1)
			continue;
		if (field.type != FM_VARINT)
			return -EBADMSG;
		numbers.index = 1 + (int64_t)(int32_t)fm_zigzag((uint32_t)field.value);
	}
	rc = rc ? rc : put_all(decoder, buckets, numbers);
	return rc ? rc : fm_end_buckets(decoder, end);
}

static int put_listed(struct fm_decoder *decoder, struct fm_text message)
{
	const struct fm_buffer *columns = decoder->batch->columns;
	struct fm_histogram_mark mark = fm_histogram_mark(decoder);
	int rc = put_all(decoder, message, (struct numbers){.number = 6, .type = FM_FIXED64});

	rc = rc ? rc : put_all(decoder, message, (struct numbers){7, FM_FIXED64, true, 0});
	if (rc)
		return rc;
	size_t counts = (columns[FM_BUCKET_COUNT].size - mark.counts) / sizeof(double);
	size_t bounds = (columns[FM_BOUND].size - mark.bounds) / sizeof(double);
	if (counts != bounds + 1 && (counts || bounds)) {
		fm_histogram_undo(decoder, mark);
		return -EINVAL;
	}
	rc = fm_end_buckets(decoder, FM_BUCKET_POSITIVE_END);
	return rc ? rc : fm_end_buckets(decoder, FM_BUCKET_NEGATIVE_END);
}

static int put_buckets(struct fm_decoder *decoder, struct point *point, const struct layout *at,
	struct fm_text message)
{
	if (point->flags & NO_VALUE_FLAG) {
		point->histogram.sum = fm_double(STALE);
		message.size = point->positive.size = point->negative.size = 0;
	}
	if (at == &listed) {
		point->histogram.schema = FM_CUSTOM_BOUNDS;
		return put_listed(decoder, message);
	}
	int rc = put_side(decoder, point->positive, FM_BUCKET_POSITIVE_END);
	return rc ? rc : put_side(decoder, point->negative, FM_BUCKET_NEGATIVE_END);
}

static int histogram(struct fm_decoder *decoder, const struct fm_metric *metric,
	const struct layout *at, struct fm_text message)
{
	struct fm_target target;
	struct point point;
	int rc = fm_otlp_labels(decoder, metric, message, at->attributes, "");

	if (rc == -EBADMSG || read_point(message, at, &point))
		return damaged(decoder, message);
	rc = rc ? rc : fm_otlp_target(decoder, metric, &target);
	if (rc || !fm_takes(decoder, &target, point.histogram.time))
		return rc;
	rc = put_buckets(decoder, &point, at, message);
	if (rc == -EINVAL) {
		fm_reject(decoder, FM_BAD_HISTOGRAM, 1, "it must have one count more than bounds");
		return 0;
	}
	if (rc)
		return rc == -EBADMSG ? damaged(decoder, message) : rc;
	rc = fm_put_histogram(decoder, &target, &point.histogram);
	return rc ? rc : fm_otlp_exemplars(decoder, &target, message, at->exemplars);
}

int fm_otlp_histogram(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message)
{
	return histogram(decoder, metric, &listed, message);
}

int fm_otlp_exponential(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message)
{
	return histogram(decoder, metric, &exponential, message);
}
