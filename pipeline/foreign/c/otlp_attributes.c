// SPDX-License-Identifier: Apache-2.0
// Attributes of OTLP as labels.
#include "otlp.h"

#include <math.h>
#include <stdio.h>

// AnyValue
enum { STRING = 1, BOOL = 2, INT = 3, DOUBLE = 4, ARRAY = 5, LIST = 6, BYTES = 7 };

static int append(struct fm_buffer *out, const char *text)
{
	return fm_append(out, text, strlen(text));
}

void fm_number_text(double value, char text[32])
{
	if (isnan(value))
		strcpy(text, "NaN");
	else if (isinf(value))
		strcpy(text, value > 0 ? "Infinity" : "-Infinity");
	else
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, 32, "%.*g", digits, value);
			if (strtod(text, NULL) == value)
				break;
		}
}

static int append_double(struct fm_buffer *out, double value)
{
	char text[32];

	fm_number_text(value, text);
	return append(out, text);
}

static int append_json_string(struct fm_buffer *out, struct fm_text value)
{
	int rc = append(out, "\"");

	for (size_t i = 0; i < value.size && !rc; i++) {
		uint8_t byte = value.data[i];
		char escaped[8];
		if (byte == '"' || byte == '\\')
			snprintf(escaped, sizeof(escaped), "\\%c", byte);
		else if (byte < 0x20)
			snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
		else {
			rc = fm_append(out, &byte, 1);
			continue;
		}
		rc = append(out, escaped);
	}
	return rc ? rc : append(out, "\"");
}

static int append_hex(struct fm_buffer *out, struct fm_text value)
{
	int rc = fm_reserve(out, 2 * value.size);

	for (size_t i = 0; i < value.size && !rc; i++) {
		fm_put(out, &"0123456789abcdef"[value.data[i] >> 4], 1);
		fm_put(out, &"0123456789abcdef"[value.data[i] & 15], 1);
	}
	return rc;
}

static int append_nested(struct fm_buffer *out, struct fm_field field, unsigned depth);

// A value inside of an array or a list, as JSON.
static int append_json(struct fm_buffer *out, struct fm_text message, unsigned depth)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field, last = {.number = 0};
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0)
		if (field.number >= STRING && field.number <= BYTES)
			last = field;
	if (rc)
		return rc;
	if (!last.number)
		return append(out, "null");
	if (last.number == BYTES && last.type == FM_BYTES) {
		rc = append(out, "\"");
		rc = rc ? rc : append_hex(out, last.bytes);
		return rc ? rc : append(out, "\"");
	}
	if (last.number == STRING && last.type == FM_BYTES)
		return append_json_string(out, last.bytes);
	return append_nested(out, last, depth);
}

// Both fields of a KeyValue; one that is not there is empty.
static int read_pair(struct fm_text message, struct fm_text *key, struct fm_text *value)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	*key = *value = (struct fm_text){message.data, 0};
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number > 2)
			continue;
		if (field.type != FM_BYTES)
			return -EBADMSG;
		*(field.number == 1 ? key : value) = field.bytes;
	}
	return rc;
}

static int append_pair(struct fm_buffer *out, struct fm_text message, unsigned depth)
{
	struct fm_text key, value;
	int rc = read_pair(message, &key, &value);

	rc = rc ? rc : append_json_string(out, key);
	rc = rc ? rc : append(out, ":");
	return rc ? rc : append_json(out, value, depth);
}

static int append_items(struct fm_buffer *out, struct fm_text message, bool pairs, unsigned depth)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	bool first = true;
	int rc = append(out, pairs ? "{" : "[");

	if (!depth)
		return -EBADMSG;
	while (!rc && (rc = fm_next(&wire, &field)) > 0) {
		rc = 0;
		if (field.number != 1)
			continue;
		if (field.type != FM_BYTES)
			return -EBADMSG;
		rc = first ? 0 : append(out, ",");
		first = false;
		if (!rc)
			rc = pairs ? append_pair(out, field.bytes, depth - 1)
				   : append_json(out, field.bytes, depth - 1);
	}
	return rc ? rc : append(out, pairs ? "}" : "]");
}

// Everything but strings and bytes, which are quoted inside of others only.
static int append_nested(struct fm_buffer *out, struct fm_field field, unsigned depth)
{
	char text[32];

	if (field.number == BOOL && field.type == FM_VARINT)
		return append(out, field.value ? "true" : "false");
	if (field.number == INT && field.type == FM_VARINT) {
		snprintf(text, sizeof(text), "%lld", (long long)field.value);
		return append(out, text);
	}
	if (field.number == DOUBLE && field.type == FM_FIXED64)
		return append_double(out, fm_double(field.value));
	if ((field.number == ARRAY || field.number == LIST) && field.type == FM_BYTES)
		return append_items(out, field.bytes, field.number == LIST, depth);
	return -EBADMSG;
}

int fm_otlp_value(struct fm_buffer *out, struct fm_text message, unsigned depth)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field, last = {.number = 0};
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0)
		if (field.number >= STRING && field.number <= BYTES)
			last = field;
	if (rc || !last.number)
		return rc;
	if (last.number == STRING && last.type == FM_BYTES)
		return fm_append(out, last.bytes.data, last.bytes.size);
	if (last.number == BYTES && last.type == FM_BYTES)
		return append_hex(out, last.bytes);
	return append_nested(out, last, depth);
}

// A text that is made lies in the scratch buffer, which may move: it is noted as a place in it,
// and becomes a pointer when the labels are complete.
static int add_made(struct fm_decoder *decoder, struct fm_text name, struct fm_text message)
{
	struct fm_buffer *texts = &decoder->batch->scratch[FM_TEXTS];
	size_t start = texts->size;
	int rc = fm_otlp_value(texts, message, FM_ATTRIBUTE_DEPTH);
	uint32_t at = decoder->labels.count;

	if (rc)
		return rc;
	if (texts->size - start > FM_MAX_KEY)
		texts->size = start + FM_MAX_KEY + 1; // the key's check refuses it
	fm_labels_add(&decoder->labels, name,
		(struct fm_text){(const uint8_t *)(uintptr_t)start, texts->size - start});
	if (decoder->labels.count > at)
		decoder->made[at / 64] |= (uint64_t)1 << at % 64;
	return 0;
}

// Nearly every value is nothing but a string, which needs no copy.
static int add_value(struct fm_decoder *decoder, struct fm_text name, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;

	if (fm_next(&wire, &field) != 1 || field.number != STRING || field.type != FM_BYTES ||
		wire.at != wire.end)
		return add_made(decoder, name, message);
	fm_labels_add(&decoder->labels, name, field.bytes);
	return 0;
}

static int add(struct fm_decoder *decoder, struct fm_text message)
{
	struct fm_text key, value;
	int rc = read_pair(message, &key, &value);

	return rc ? rc : add_value(decoder, key, value);
}

static int add_all(struct fm_decoder *decoder, struct fm_text message, uint32_t number)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != number)
			continue;
		if (field.type != FM_BYTES)
			return -EBADMSG;
		if ((rc = add(decoder, field.bytes)))
			return rc;
	}
	return rc;
}

static void begin(struct fm_decoder *decoder)
{
	decoder->labels.count = 0;
	decoder->labels.overflow = false;
	decoder->batch->scratch[FM_TEXTS].size = 0;
	memset(decoder->made, 0, sizeof(decoder->made));
}

// From places to pointers.
static void finish(struct fm_decoder *decoder)
{
	const uint8_t *texts = decoder->batch->scratch[FM_TEXTS].data;

	for (uint32_t i = 0; i < decoder->labels.count; i++) {
		struct fm_text *value = &decoder->labels.items[i].value;
		if (decoder->made[i / 64] >> i % 64 & 1)
			value->data =
				value->size ? texts + (uintptr_t)value->data : (const uint8_t *)"";
	}
}

int fm_otlp_attributes(struct fm_decoder *decoder, struct fm_text message, uint32_t number)
{
	begin(decoder);
	int rc = add_all(decoder, message, number);
	finish(decoder);
	return rc;
}

void fm_otlp_add(struct fm_decoder *decoder, const char *name, struct fm_text value)
{
	if (value.size)
		fm_labels_add(&decoder->labels,
			(struct fm_text){(const uint8_t *)name, strlen(name)}, value);
}

// The name and the version of an InstrumentationScope.
static int add_scope(struct fm_decoder *decoder, struct fm_text scope)
{
	struct fm_wire wire = fm_wire_of(scope);
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number > 2)
			continue;
		if (field.type != FM_BYTES)
			return -EBADMSG;
		fm_otlp_add(decoder, field.number == 1 ? "otel.scope.name" : "otel.scope.version",
			field.bytes);
	}
	return rc;
}

// The resource's attributes. They are the same for many points, and read once.
static int add_resource(struct fm_decoder *decoder, struct fm_text resource)
{
	struct fm_labels *kept = &decoder->resource_labels, *labels = &decoder->labels;
	uint32_t first = labels->count;

	if (resource.size && decoder->resource.data == resource.data) {
		for (uint32_t i = 0; i < kept->count; i++)
			fm_labels_add(labels, kept->items[i].name, kept->items[i].value);
		return 0;
	}
	uint64_t made[] = {decoder->made[0], decoder->made[1]};
	int rc = add_all(decoder, resource, 1);
	if (rc || labels->overflow || memcmp(made, decoder->made, sizeof(made)))
		return rc;
	decoder->resource = resource;
	kept->count = labels->count - first;
	memcpy(kept->items, labels->items + first, kept->count * sizeof(kept->items[0]));
	return 0;
}

int fm_otlp_labels(struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text point,
	uint32_t number, const char *suffix)
{
	static const struct fm_text name = {(const uint8_t *)"__name__", 8};
	struct fm_buffer *texts = &decoder->batch->scratch[FM_TEXTS];
	int rc;

	begin(decoder);
	fm_labels_add(&decoder->labels, name, metric->name); // the first of a name wins
	if ((rc = add_all(decoder, point, number)) ||
		(rc = add_resource(decoder, metric->resource)))
		return rc;
	if (suffix[0] && metric->name.size) {
		struct fm_text made = {(const uint8_t *)(uintptr_t)texts->size, 0};
		if ((rc = fm_append(texts, metric->name.data, metric->name.size)) ||
			(rc = append(texts, suffix)))
			return rc;
		made.size = texts->size - (uintptr_t)made.data;
		decoder->labels.items[0].value = made;
		decoder->made[0] |= 1;
	}
	finish(decoder);
	return add_scope(decoder, metric->scope);
}
