// SPDX-License-Identifier: Apache-2.0
#include "histogram.h"

// Field numbers of prompb.Histogram and io.prometheus.write.v2.Histogram.
enum {
	COUNT_INT = 1,
	COUNT_FLOAT = 2,
	SUM = 3,
	SCHEMA = 4,
	ZERO_THRESHOLD = 5,
	ZERO_INT = 6,
	ZERO_FLOAT = 7,
	NEGATIVE_SPANS = 8,
	NEGATIVE_DELTAS = 9,
	NEGATIVE_COUNTS = 10,
	POSITIVE_SPANS = 11,
	POSITIVE_DELTAS = 12,
	POSITIVE_COUNTS = 13,
	RESET_HINT = 14,
	TIMESTAMP = 15,
	CUSTOM_VALUES = 16,
};

// The wire type of the fields that are scalars, by number.
static const uint8_t scalar_types[] = {[COUNT_INT] = FM_VARINT,
	[COUNT_FLOAT] = FM_FIXED64,
	[SUM] = FM_FIXED64,
	[SCHEMA] = FM_VARINT,
	[ZERO_THRESHOLD] = FM_FIXED64,
	[ZERO_INT] = FM_VARINT,
	[ZERO_FLOAT] = FM_FIXED64,
	[RESET_HINT] = FM_VARINT,
	[TIMESTAMP] = FM_VARINT};

int fm_put_bucket(struct fm_decoder *decoder, int32_t index, double count)
{
	int rc = fm_column_put(decoder, FM_BUCKET_INDEX, &index, sizeof(index));

	return rc ? rc : fm_column_put(decoder, FM_BUCKET_COUNT, &count, sizeof(count));
}

int fm_end_buckets(struct fm_decoder *decoder, enum fm_column end)
{
	int32_t count = (int32_t)(decoder->batch->columns[FM_BUCKET_INDEX].size / sizeof(int32_t));

	return fm_column_put(decoder, end, &count, sizeof(count));
}

int fm_put_histogram(struct fm_decoder *decoder, const struct fm_target *target,
	const struct fm_histogram *histogram)
{
	const double numbers[] = {
		histogram->count, histogram->sum, histogram->zero_threshold, histogram->zero_count};
	int32_t bounds = (int32_t)(decoder->batch->columns[FM_BOUND].size / sizeof(double));
	int rc;

	if ((rc = fm_column_put(decoder, FM_HISTOGRAM_SERIES, &target->id, 8)) ||
		(rc = fm_column_put(decoder, FM_HISTOGRAM_TIME, &histogram->time, 8)) ||
		(rc = fm_column_put(decoder, FM_HISTOGRAM_SCHEMA, &histogram->schema, 4)) ||
		(rc = fm_column_put(decoder, FM_HISTOGRAM_RESET, &histogram->reset, 1)) ||
		(rc = fm_column_put(decoder, FM_HISTOGRAM_NUMBERS, numbers, sizeof(numbers))))
		return rc;
	return fm_column_put(decoder, FM_BOUND_END, &bounds, sizeof(bounds));
}

struct fm_histogram_mark fm_histogram_mark(const struct fm_decoder *decoder)
{
	const struct fm_buffer *columns = decoder->batch->columns;

	return (struct fm_histogram_mark){columns[FM_BUCKET_INDEX].size,
		columns[FM_BUCKET_COUNT].size, columns[FM_BOUND].size,
		columns[FM_BUCKET_POSITIVE_END].size, columns[FM_BUCKET_NEGATIVE_END].size};
}

void fm_histogram_undo(struct fm_decoder *decoder, struct fm_histogram_mark mark)
{
	struct fm_buffer *columns = decoder->batch->columns;

	columns[FM_BUCKET_INDEX].size = mark.indexes;
	columns[FM_BUCKET_COUNT].size = mark.counts;
	columns[FM_BOUND].size = mark.bounds;
	columns[FM_BUCKET_POSITIVE_END].size = mark.positive;
	columns[FM_BUCKET_NEGATIVE_END].size = mark.negative;
}

// One number of a repeated field, which may be packed or not.
typedef int number_fn(void *context, uint64_t value);

static int each(
	struct fm_text message, uint32_t number, uint32_t type, number_fn *call, void *context)
{
	struct fm_wire wire = fm_wire_of(message), packed;
	struct fm_field field;
	uint64_t value;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != number)
			continue;
		if (field.type == type) {
			if ((rc = call(context, field.value)))
				return rc;
			continue;
		}
		if (field.type != FM_BYTES)
			return -EBADMSG;
		packed = fm_wire_of(field.bytes);
		while (packed.at < packed.end) {
			rc = type == FM_VARINT ? fm_read_varint(&packed, &value)
					       : fm_read_fixed(&packed, 8, &value);
			if (rc || (rc = call(context, value)))
				return rc;
		}
	}
	return rc;
}

// The buckets of one sign: counts that come, laid out by spans.
struct side {
	struct fm_decoder *decoder;
	struct fm_wire spans;
	uint32_t number;   // of the field of spans
	uint64_t left;     // buckets of the span that are still to come
	int64_t index;     // of the next bucket
	uint64_t absolute; // of the last count
};

#define WRONG (-EINVAL) // the message is whole, but no histogram

static int next_span(struct side *side)
{
	struct fm_wire wire;
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&side->spans, &field)) > 0 && field.number != side->number)
		;
	if (rc <= 0)
		return rc ? rc : WRONG; // there is no more
	if (field.type != FM_BYTES)
		return -EBADMSG;
	wire = fm_wire_of(field.bytes);
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number > 2)
			continue;
		if (field.type != FM_VARINT)
			return -EBADMSG;
		if (field.number == 1)
			side->index += (int32_t)fm_zigzag((uint32_t)field.value);
		else
			side->left = (uint32_t)field.value;
	}
	return rc;
}

static int put(struct side *side, double count)
{
	int rc = 0;

	while (!side->left && !rc)
		rc = next_span(side);
	if (rc)
		return rc;
	if (side->index < INT32_MIN || side->index > INT32_MAX)
		return WRONG;
	side->left--;
	return fm_put_bucket(side->decoder, (int32_t)side->index++, count);
}

static int put_delta(void *context, uint64_t value)
{
	struct side *side = context;

	side->absolute += (uint64_t)fm_zigzag(value);
	return (int64_t)side->absolute < 0 ? WRONG : put(side, (double)side->absolute);
}

static int put_count(void *context, uint64_t bits)
{
	return put(context, fm_double(bits));
}

static int buckets(
	struct fm_decoder *decoder, struct fm_text message, uint32_t spans, enum fm_column end)
{
	struct side side = {.decoder = decoder, .spans = fm_wire_of(message), .number = spans};
	int rc = each(message, spans + 1, FM_VARINT, put_delta, &side);

	rc = rc ? rc : each(message, spans + 2, FM_FIXED64, put_count, &side);
	if (rc)
		return rc;
	while (!side.left && !rc)
		rc = next_span(&side);
	if (!rc)
		return WRONG; // a span has room for more
	return rc == WRONG ? fm_end_buckets(decoder, end) : rc;
}

static int put_bound(void *context, uint64_t bits)
{
	return fm_column_put(context, FM_BOUND, &bits, sizeof(bits));
}

static int scalars(struct fm_text message, struct fm_histogram *histogram)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number >= sizeof(scalar_types) ||
			(field.number > ZERO_FLOAT && field.number < RESET_HINT))
			continue;
		if (field.type != scalar_types[field.number])
			return -EBADMSG;
		if (field.number == COUNT_INT)
			histogram->count = (double)field.value;
		else if (field.number == COUNT_FLOAT)
			histogram->count = fm_double(field.value);
		else if (field.number == SUM)
			histogram->sum = fm_double(field.value);
		else if (field.number == SCHEMA)
			histogram->schema = (int32_t)fm_zigzag((uint32_t)field.value);
		else if (field.number == ZERO_THRESHOLD)
			histogram->zero_threshold = fm_double(field.value);
		else if (field.number == ZERO_INT)
			histogram->zero_count = (double)field.value;
		else if (field.number == ZERO_FLOAT)
			histogram->zero_count = fm_double(field.value);
		else if (field.number == RESET_HINT)
			histogram->reset = (uint8_t)field.value;
		else
			histogram->time = (int64_t)field.value;
	}
	return rc;
}

int fm_histogram(struct fm_decoder *decoder, const struct fm_target *target, struct fm_text message)
{
	struct fm_histogram histogram = {0};
	struct fm_histogram_mark mark = fm_histogram_mark(decoder);

	if (scalars(message, &histogram))
		return fm_malformed(decoder, message.data, "a histogram is cut off or damaged");
	if (!fm_takes(decoder, target, histogram.time))
		return 0;
	int rc = buckets(decoder, message, POSITIVE_SPANS, FM_BUCKET_POSITIVE_END);
	rc = rc ? rc : buckets(decoder, message, NEGATIVE_SPANS, FM_BUCKET_NEGATIVE_END);
	rc = rc ? rc : each(message, CUSTOM_VALUES, FM_FIXED64, put_bound, decoder);
	if (rc == WRONG) {
		fm_histogram_undo(decoder, mark);
		fm_reject(
			decoder, FM_BAD_HISTOGRAM, 1, "its spans and its buckets differ in number");
		return 0;
	}
	if (rc == -EBADMSG)
		return fm_malformed(decoder, message.data, "a histogram is cut off or damaged");
	return rc ? rc : fm_put_histogram(decoder, target, &histogram);
}
