// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <math.h>

#define PADDED 5 // bytes of a length that is written before it is known

static int message(struct fm_json *json, const struct fm_json_field *fields, unsigned depth);

static int put_varint(struct fm_buffer *out, uint64_t value)
{
	uint8_t bytes[10];
	size_t size = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[size++] = (uint8_t)(value | 0x80);
	bytes[size++] = (uint8_t)value;
	return fm_append(out, bytes, size);
}

static int put_tag(struct fm_buffer *out, uint32_t number, enum fm_wire_type type)
{
	return put_varint(out, number << 3 | type);
}

static int open_length(struct fm_buffer *out, size_t *at)
{
	*at = out->size;
	return fm_append(out, "\x80\x80\x80\x80\x00", PADDED);
}

static void close_length(struct fm_buffer *out, size_t at)
{
	size_t size = out->size - at - PADDED;

	for (unsigned i = 0; i < PADDED; i++)
		out->data[at + i] |= (uint8_t)(size >> (7 * i) & 0x7f);
}

// The bits of a whole number from -2^63 to 2^64 - 1, also written as 1e3.
static int whole(struct fm_json *json, uint64_t *bits)
{
	char token[64], *end;
	int rc = fm_json_token(json, token);

	if (rc)
		return rc;
	if (strcspn(token, ".eE") < strlen(token)) {
		double value = strtod(token, &end);
		if (*end || value != floor(value) || value < -0x1p63 || value >= 0x1p63)
			return fm_json_bad(json, "it is no whole number of 64 bits");
		*bits = (uint64_t)(int64_t)value;
		return 0;
	}
	size_t digits = strspn(token + (token[0] == '-'), "0123456789");
	errno = 0;
	*bits = token[0] == '-' ? (uint64_t)strtoll(token, &end, 10) : strtoull(token, &end, 10);
	if (!digits || *end || errno)
		return fm_json_bad(json, "it is no whole number of 64 bits");
	return 0;
}

static int real(struct fm_json *json, uint64_t *bits)
{
	char token[64], *end;
	int rc = fm_json_token(json, token);
	double value;

	if (rc)
		return rc;
	if (!strcmp(token, "NaN"))
		value = NAN;
	else if (!strcmp(token, "Infinity") || !strcmp(token, "-Infinity"))
		value = token[0] == '-' ? -INFINITY : INFINITY;
	else {
		if (token[strspn(token, "0123456789+-.eE")])
			return fm_json_bad(json, "it is no number");
		value = strtod(token, &end);
		if (*end)
			return fm_json_bad(json, "it is no number");
	}
	*bits = fm_bits(value);
	return 0;
}

static int truth(struct fm_json *json, uint64_t *bits)
{
	char token[64];
	int rc = fm_json_token(json, token);

	if (rc)
		return rc;
	*bits = !strcmp(token, "true");
	if (!*bits && strcmp(token, "false"))
		return fm_json_bad(json, "it is neither true nor false");
	return 0;
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

// A string of digits to bytes, in place: the result is shorter.
static int bytes(struct fm_json *json, bool hex)
{
	struct fm_buffer *out = json->out;
	unsigned width = hex ? 4 : 6, bits = 0;
	size_t start = out->size, to = start;
	uint32_t pending = 0;
	int rc = fm_json_string(json, out);

	if (rc)
		return rc;
	for (size_t at = start; at < out->size; at++) {
		int digit = hex ? fm_hex_digit(out->data[at]) : base64_digit(out->data[at]);
		if (digit < 0) {
			if (!hex && out->data[at] == '=')
				break;
			return fm_json_bad(json, "bytes are not written as they should be");
		}
		pending = pending << width | (uint32_t)digit;
		bits += width;
		if (bits >= 8) {
			bits -= 8;
			out->data[to++] = (uint8_t)(pending >> bits);
		}
	}
	out->size = to;
	return 0;
}

static int counted(struct fm_json *json, const struct fm_json_field *field, unsigned depth)
{
	size_t at;
	int rc = put_tag(json->out, field->number, FM_BYTES);

	rc = rc ? rc : open_length(json->out, &at);
	if (rc)
		return rc;
	if (field->kind == FM_JSON_TEXT)
		rc = fm_json_string(json, json->out);
	else if (field->kind == FM_JSON_MESSAGE)
		rc = message(json, field->message, depth);
	else
		rc = bytes(json, field->kind == FM_JSON_HEX);
	if (!rc)
		close_length(json->out, at);
	return rc;
}

static int value(struct fm_json *json, const struct fm_json_field *field, unsigned depth)
{
	uint64_t bits = 0;
	int rc;

	switch (field->kind) {
	case FM_JSON_BOOL:
	case FM_JSON_INT:
	case FM_JSON_ZIGZAG:
		rc = field->kind == FM_JSON_BOOL ? truth(json, &bits) : whole(json, &bits);
		if (!rc && field->kind == FM_JSON_ZIGZAG && (int64_t)bits != (int32_t)bits)
			return fm_json_bad(json, "it is no whole number of 32 bits");
		if (field->kind == FM_JSON_ZIGZAG)
			bits = (uint32_t)(bits << 1) ^ (uint32_t)((int64_t)bits < 0 ? -1 : 0);
		rc = rc ? rc : put_tag(json->out, field->number, FM_VARINT);
		return rc ? rc : put_varint(json->out, bits);
	case FM_JSON_FIXED:
	case FM_JSON_DOUBLE:
		rc = field->kind == FM_JSON_FIXED ? whole(json, &bits) : real(json, &bits);
		rc = rc ? rc : put_tag(json->out, field->number, FM_FIXED64);
		return rc ? rc : fm_append(json->out, &bits, sizeof(bits));
	default:
		return counted(json, field, depth);
	}
}

static bool is_null(struct fm_json *json)
{
	fm_json_space(json);
	if (json->end - json->at < 4 || memcmp(json->at, "null", 4))
		return false;
	json->at += 4;
	return true;
}

// A value, or a list of values of a repeated field.
static int member(struct fm_json *json, const struct fm_json_field *field, unsigned depth)
{
	int rc;

	if (is_null(json))
		return 0;
	if (!fm_json_is(json, '['))
		return value(json, field, depth);
	if (fm_json_is(json, ']'))
		return 0;
	do {
		if ((rc = value(json, field, depth)))
			return rc;
	} while (fm_json_is(json, ','));
	return fm_json_is(json, ']') ? 0
				     : fm_json_bad(json, "a comma or the end of a list is missing");
}

static const struct fm_json_field *find(
	const struct fm_json_field *fields, const uint8_t *name, size_t size)
{
	for (; fields->name; fields++)
		if (strlen(fields->name) == size && !memcmp(fields->name, name, size))
			return fields;
	return NULL;
}

static int message(struct fm_json *json, const struct fm_json_field *fields, unsigned depth)
{
	int rc;

	if (!depth)
		return fm_json_bad(json, "it is nested deeper than 64 levels");
	if (!fm_json_is(json, '{'))
		return fm_json_bad(json, "an object is missing");
	if (fm_json_is(json, '}'))
		return 0;
	do {
		fm_json_space(json);
		const uint8_t *name = json->at + 1; // names of fields are without escapes
		if (json->at == json->end || *json->at != '"')
			return fm_json_bad(json, "a name is missing");
		if ((rc = fm_json_skip(json, depth)))
			return rc;
		const struct fm_json_field *field =
			find(fields, name, (size_t)(json->at - name) - 1);
		if (!fm_json_is(json, ':'))
			return fm_json_bad(json, "a colon is missing");
		rc = field ? member(json, field, depth - 1) : fm_json_skip(json, depth - 1);
		if (rc)
			return rc;
	} while (fm_json_is(json, ','));
	return fm_json_is(json, '}')
		       ? 0
		       : fm_json_bad(json, "a comma or the end of an object is missing");
}

int fm_json_message(struct fm_json *json, const struct fm_json_field *fields)
{
	int rc = message(json, fields, FM_JSON_DEPTH);

	fm_json_space(json);
	if (!rc && json->at != json->end)
		return fm_json_bad(json, "there is more behind the end");
	return rc;
}
