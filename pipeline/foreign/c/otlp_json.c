// SPDX-License-Identifier: Apache-2.0
// The messages of OTLP metrics as JSON has them: opentelemetry.proto.metrics.v1 and what it uses.
#include "json.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0, FM_JSON_TEXT, NULL                                                        \
	}
#define TEXT(name, number)                                                                         \
	{                                                                                          \
		name, number, FM_JSON_TEXT, NULL                                                   \
	}
#define SCALAR(name, number, kind)                                                                 \
	{                                                                                          \
		name, number, FM_JSON_##kind, NULL                                                 \
	}
#define MESSAGE(name, number, fields)                                                              \
	{                                                                                          \
		name, number, FM_JSON_MESSAGE, fields                                              \
	}

static const struct fm_json_field any_value[];
static const struct fm_json_field key_value[] = {
	TEXT("key", 1), MESSAGE("value", 2, any_value), END};
static const struct fm_json_field array_value[] = {MESSAGE("values", 1, any_value), END};
static const struct fm_json_field list_value[] = {MESSAGE("values", 1, key_value), END};
static const struct fm_json_field any_value[] = {
	TEXT("stringValue", 1),
	SCALAR("boolValue", 2, BOOL),
	SCALAR("intValue", 3, INT),
	SCALAR("doubleValue", 4, DOUBLE),
	MESSAGE("arrayValue", 5, array_value),
	MESSAGE("kvlistValue", 6, list_value),
	SCALAR("bytesValue", 7, BASE64),
	END,
};
static const struct fm_json_field exemplar[] = {
	MESSAGE("filteredAttributes", 7, key_value),
	SCALAR("timeUnixNano", 2, FIXED),
	SCALAR("asDouble", 3, DOUBLE),
	SCALAR("asInt", 6, FIXED),
	SCALAR("spanId", 4, HEX),
	SCALAR("traceId", 5, HEX),
	END,
};
static const struct fm_json_field number_point[] = {
	MESSAGE("attributes", 7, key_value),
	SCALAR("startTimeUnixNano", 2, FIXED),
	SCALAR("timeUnixNano", 3, FIXED),
	SCALAR("asDouble", 4, DOUBLE),
	SCALAR("asInt", 6, FIXED),
	MESSAGE("exemplars", 5, exemplar),
	SCALAR("flags", 8, INT),
	END,
};
static const struct fm_json_field histogram_point[] = {
	MESSAGE("attributes", 9, key_value),
	SCALAR("startTimeUnixNano", 2, FIXED),
	SCALAR("timeUnixNano", 3, FIXED),
	SCALAR("count", 4, FIXED),
	SCALAR("sum", 5, DOUBLE),
	SCALAR("bucketCounts", 6, FIXED),
	SCALAR("explicitBounds", 7, DOUBLE),
	MESSAGE("exemplars", 8, exemplar),
	SCALAR("flags", 10, INT),
	SCALAR("min", 11, DOUBLE),
	SCALAR("max", 12, DOUBLE),
	END,
};
static const struct fm_json_field buckets[] = {
	SCALAR("offset", 1, ZIGZAG), SCALAR("bucketCounts", 2, INT), END};
static const struct fm_json_field exponential_point[] = {
	MESSAGE("attributes", 1, key_value),
	SCALAR("startTimeUnixNano", 2, FIXED),
	SCALAR("timeUnixNano", 3, FIXED),
	SCALAR("count", 4, FIXED),
	SCALAR("sum", 5, DOUBLE),
	SCALAR("scale", 6, ZIGZAG),
	SCALAR("zeroCount", 7, FIXED),
	MESSAGE("positive", 8, buckets),
	MESSAGE("negative", 9, buckets),
	SCALAR("flags", 10, INT),
	MESSAGE("exemplars", 11, exemplar),
	SCALAR("min", 12, DOUBLE),
	SCALAR("max", 13, DOUBLE),
	SCALAR("zeroThreshold", 14, DOUBLE),
	END,
};
static const struct fm_json_field quantile[] = {
	SCALAR("quantile", 1, DOUBLE), SCALAR("value", 2, DOUBLE), END};
static const struct fm_json_field summary_point[] = {
	MESSAGE("attributes", 7, key_value),
	SCALAR("startTimeUnixNano", 2, FIXED),
	SCALAR("timeUnixNano", 3, FIXED),
	SCALAR("count", 4, FIXED),
	SCALAR("sum", 5, DOUBLE),
	MESSAGE("quantileValues", 6, quantile),
	SCALAR("flags", 8, INT),
	END,
};
static const struct fm_json_field gauge[] = {MESSAGE("dataPoints", 1, number_point), END};
static const struct fm_json_field sum[] = {
	MESSAGE("dataPoints", 1, number_point),
	SCALAR("aggregationTemporality", 2, INT),
	SCALAR("isMonotonic", 3, BOOL),
	END,
};
static const struct fm_json_field histogram[] = {
	MESSAGE("dataPoints", 1, histogram_point), SCALAR("aggregationTemporality", 2, INT), END};
static const struct fm_json_field exponential[] = {
	MESSAGE("dataPoints", 1, exponential_point), SCALAR("aggregationTemporality", 2, INT), END};
static const struct fm_json_field summary[] = {MESSAGE("dataPoints", 1, summary_point), END};
static const struct fm_json_field metric[] = {
	TEXT("name", 1),
	TEXT("description", 2),
	TEXT("unit", 3),
	MESSAGE("gauge", 5, gauge),
	MESSAGE("sum", 7, sum),
	MESSAGE("histogram", 9, histogram),
	MESSAGE("exponentialHistogram", 10, exponential),
	MESSAGE("summary", 11, summary),
	END,
};
static const struct fm_json_field scope[] = {TEXT("name", 1), TEXT("version", 2), END};
static const struct fm_json_field scope_metrics[] = {
	MESSAGE("scope", 1, scope), MESSAGE("metrics", 2, metric), END};
static const struct fm_json_field resource[] = {MESSAGE("attributes", 1, key_value), END};
static const struct fm_json_field resource_metrics[] = {
	MESSAGE("resource", 1, resource), MESSAGE("scopeMetrics", 2, scope_metrics), END};
const struct fm_json_field fm_otlp_request[] = {
	MESSAGE("resourceMetrics", 1, resource_metrics), END};
