// SPDX-License-Identifier: Apache-2.0
// Data points of OTLP that become samples: numbers and summaries.
#include "otlp.h"

#include <stdio.h>

#define STALE 0x7ff0000000000002 // Prometheus's marker for a series that ended
#define NO_VALUE_FLAG 1

int fm_otlp_target(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_target *target)
{
	const struct fm_metadata metadata = {
		.type = metric->type,
		.temporality = metric->temporality,
		.name = metric->name,
		.unit = metric->unit,
		.help = metric->description,
	};
	int rc = fm_target_of_labels(decoder, true, target);

	return rc ? rc : fm_tell_metadata(decoder, target, &metadata);
}

static int damaged(struct fm_decoder *decoder, struct fm_text message)
{
	return fm_malformed(decoder, message.data,
		"a data point or an attribute is cut off, damaged, or nested too deep");
}

struct number {
	uint64_t time, bits;
	uint32_t flags;
	bool given;
};

// Field numbers of NumberDataPoint (an Exemplar has others).
struct numbers {
	uint32_t time, as_double, as_int, flags;
};

static int read_number(struct fm_text message, const struct numbers *at, struct number *found)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	*found = (struct number){0};
	while ((rc = fm_next(&wire, &field)) > 0) {
		bool is_value = field.number == at->as_double || field.number == at->as_int;
		if (field.number != at->time && field.number != at->flags && !is_value)
			continue;
		if (field.type != (field.number == at->flags ? FM_VARINT : FM_FIXED64))
			return -EBADMSG;
		if (field.number == at->time)
			found->time = field.value;
		else if (field.number == at->flags)
			found->flags = (uint32_t)field.value;
		else
			found->bits = field.number == at->as_double
					      ? field.value
					      : fm_bits((double)(int64_t)field.value);
		found->given |= is_value;
	}
	return rc;
}

static void add_id(struct fm_decoder *decoder, const char *name, struct fm_text id, char text[64])
{
	if (id.size > 31)
		return;
	for (size_t i = 0; i < id.size; i++)
		snprintf(text + 2 * i, 3, "%02x", id.data[i]);
	fm_otlp_add(decoder, name, (struct fm_text){(const uint8_t *)text, 2 * id.size});
}

static int exemplar(
	struct fm_decoder *decoder, const struct fm_target *target, struct fm_text message)
{
	static const struct numbers at = {
		.time = 2, .as_double = 3, .as_int = 6, .flags = UINT32_MAX};
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	struct number found;
	char trace[64], span[64];

	if (fm_otlp_attributes(decoder, message, 7) || read_number(message, &at, &found))
		return damaged(decoder, message);
	while (fm_next(&wire, &field) > 0) {
		if (field.number == 4 && field.type == FM_BYTES)
			add_id(decoder, "span_id", field.bytes, span);
		else if (field.number == 5 && field.type == FM_BYTES)
			add_id(decoder, "trace_id", field.bytes, trace);
	}
	return fm_put_exemplar(decoder, target, fm_ms(found.time), found.bits);
}

int fm_otlp_exemplars(struct fm_decoder *decoder, const struct fm_target *target,
	struct fm_text point, uint32_t number)
{
	struct fm_wire wire = fm_wire_of(point);
	struct fm_field field;
	int rc = 0;

	while (!rc && fm_next(&wire, &field) > 0)
		if (field.number == number)
			rc = field.type == FM_BYTES ? exemplar(decoder, target, field.bytes)
						    : damaged(decoder, point);
	return rc;
}

int fm_otlp_number(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message)
{
	static const struct numbers at = {.time = 3, .as_double = 4, .as_int = 6, .flags = 8};
	struct fm_target target;
	struct number found;
	int rc = fm_otlp_labels(decoder, metric, message, 7, "");

	if (rc == -EBADMSG || read_number(message, &at, &found))
		return damaged(decoder, message);
	rc = rc ? rc : fm_otlp_target(decoder, metric, &target);
	if (rc)
		return rc;
	if (found.flags & NO_VALUE_FLAG)
		found.bits = STALE;
	else if (!found.given)
		return fm_reject(decoder, FM_NO_VALUE, 1, "it has neither as_double nor as_int"), 0;
	rc = fm_put_sample(decoder, &target, fm_ms(found.time), found.bits);
	return rc ? rc : fm_otlp_exemplars(decoder, &target, message, 5);
}

// Fields of SummaryDataPoint.
struct summary {
	uint64_t time, count, sum;
	uint32_t flags;
};

static int read_summary(struct fm_text message, struct summary *found)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	*found = (struct summary){0};
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number < 3 || field.number == 7 || field.number > 8)
			continue;
		uint32_t wanted = field.number == 6   ? FM_BYTES
				  : field.number == 8 ? FM_VARINT
						      : FM_FIXED64;
		if (field.type != wanted)
			return -EBADMSG;
		if (field.number == 3)
			found->time = field.value;
		else if (field.number == 4)
			found->count = field.value;
		else if (field.number == 5)
			found->sum = field.value;
		else if (field.number == 8)
			found->flags = (uint32_t)field.value;
	}
	return rc;
}

static int put_part(
	struct fm_decoder *decoder, const struct fm_metric *metric, int64_t time, uint64_t bits)
{
	struct fm_target target;
	int rc = fm_otlp_target(decoder, metric, &target);

	return rc ? rc : fm_put_sample(decoder, &target, time, bits);
}

static int quantile(struct fm_decoder *decoder, const struct fm_metric *metric,
	struct fm_text point, const struct summary *summary, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	uint64_t which = 0, bits = 0;
	struct fm_field field;
	char text[32];
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number > 2)
			continue;
		if (field.type != FM_FIXED64)
			return damaged(decoder, message);
		*(field.number == 1 ? &which : &bits) = field.value;
	}
	if (rc)
		return damaged(decoder, message);
	if ((rc = fm_otlp_labels(decoder, metric, point, 7, "")))
		return rc == -EBADMSG ? damaged(decoder, point) : rc;
	fm_number_text(fm_double(which), text);
	fm_otlp_add(decoder, "quantile", (struct fm_text){(const uint8_t *)text, strlen(text)});
	return put_part(decoder, metric, fm_ms(summary->time), summary->flags & 1 ? STALE : bits);
}

int fm_otlp_summary(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	struct summary found;
	int rc;

	if (read_summary(message, &found))
		return damaged(decoder, message);
	const struct {
		const char *suffix;
		uint64_t bits;
	} parts[] = {{"_count", fm_bits((double)found.count)}, {"_sum", found.sum}};
	for (unsigned i = 0; i < 2; i++) {
		rc = fm_otlp_labels(decoder, metric, message, 7, parts[i].suffix);
		if (rc)
			return rc == -EBADMSG ? damaged(decoder, message) : rc;
		uint64_t bits = found.flags & NO_VALUE_FLAG ? STALE : parts[i].bits;
		if ((rc = put_part(decoder, metric, fm_ms(found.time), bits)))
			return rc;
	}
	while (!rc && fm_next(&wire, &field) > 0)
		if (field.number == 6)
			rc = quantile(decoder, metric, message, &found, field.bytes);
	return rc;
}
