// SPDX-License-Identifier: Apache-2.0
// OTLP metrics: opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest, down to the
// data points. A field may come before or after those that it belongs to.
#include "otlp.h"

// The field `number` of a message, or an empty one; a message that is not whole is refused later.
static struct fm_text find(struct fm_text message, uint32_t number)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_text found = {message.data, 0};
	struct fm_field field;

	while (fm_next(&wire, &field) > 0)
		if (field.number == number && field.type == FM_BYTES)
			found = field.bytes;
	return found;
}

typedef int point_fn(struct fm_decoder *, const struct fm_metric *, struct fm_text);

// The kinds of data of a Metric, by field number.
static point_fn *const kinds[] = {
	[5] = fm_otlp_number, // gauge
	[7] = fm_otlp_number, // sum
	[9] = fm_otlp_histogram,
	[10] = fm_otlp_exponential,
	[11] = fm_otlp_summary,
};
static const enum fm_type types[] = {[5] = FM_GAUGE,
	[7] = FM_COUNTER,
	[9] = FM_HISTOGRAM,
	[10] = FM_HISTOGRAM,
	[11] = FM_SUMMARY};

enum { DATA_POINTS = 1, TEMPORALITY = 2, MONOTONIC = 3, SUM = 7, KINDS = 12 };

static int data(
	struct fm_decoder *decoder, struct fm_metric *metric, uint32_t kind, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	bool monotonic = false;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number == TEMPORALITY && field.type == FM_VARINT)
			metric->temporality =
				field.value == 1 || field.value == 2 ? (uint32_t)field.value : 0;
		else if (field.number == MONOTONIC && field.type == FM_VARINT)
			monotonic = field.value;
		else if (field.number == DATA_POINTS && field.type != FM_BYTES)
			break;
	}
	if (rc)
		return fm_malformed(
			decoder, message.data, "the data of a metric is cut off or damaged");
	metric->type = kind == SUM && !monotonic ? FM_GAUGE : types[kind];
	wire = fm_wire_of(message);
	while (!rc && fm_next(&wire, &field) > 0)
		if (field.number == DATA_POINTS)
			rc = kinds[kind](decoder, metric, field.bytes);
	return rc;
}

static int metric(
	struct fm_decoder *decoder, const struct fm_metric *inherited, struct fm_text message)
{
	struct fm_metric metric = *inherited;
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	metric.name = metric.description = metric.unit = (struct fm_text){message.data, 0};
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number > 11 || (field.number > 3 && !kinds[field.number]))
			continue;
		if (field.type != FM_BYTES)
			return fm_malformed(
				decoder, message.data, "a field of a metric has the wrong type");
		if (field.number == 1)
			metric.name = field.bytes;
		else if (field.number == 2)
			metric.description = field.bytes;
		else if (field.number == 3)
			metric.unit = field.bytes;
	}
	if (rc)
		return fm_malformed(decoder, message.data, "a metric is cut off or damaged");
	wire = fm_wire_of(message);
	while (!rc && fm_next(&wire, &field) > 0)
		if (field.number < KINDS && kinds[field.number])
			rc = data(decoder, &metric, field.number, field.bytes);
	return rc;
}

static int each(struct fm_decoder *decoder, struct fm_metric *inherited, struct fm_text message,
	unsigned level);

// Levels of the nest: the request has resources, these have scopes, these have metrics. The field
// `group` of each is what its points inherit, `children` the next level.
static const struct {
	uint32_t group, children;
	const char *damaged;
} levels[] = {
	{0, 1, "the request is cut off, or it is no Protobuf"},
	{1, 2, "a resource is cut off or damaged"},
	{1, 2, "a scope is cut off or damaged"},
};

static int each(struct fm_decoder *decoder, struct fm_metric *inherited, struct fm_text message,
	unsigned level)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	if (level)
		*(level == 1 ? &inherited->resource : &inherited->scope) =
			find(message, levels[level].group);
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != levels[level].children)
			continue;
		if (field.type != FM_BYTES)
			return fm_malformed(decoder, message.data, levels[level].damaged);
		rc = level < 2 ? each(decoder, inherited, field.bytes, level + 1)
			       : metric(decoder, inherited, field.bytes);
		if (rc)
			return rc;
	}
	return rc ? fm_malformed(decoder, wire.at, levels[level].damaged) : 0;
}

int fm_otlp(struct fm_decoder *decoder, struct fm_text body)
{
	struct fm_metric inherited = {.type = FM_UNKNOWN};

	return each(decoder, &inherited, body, 0);
}
