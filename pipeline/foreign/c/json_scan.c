// SPDX-License-Identifier: Apache-2.0
// The lexical half of JSON (RFC 8259).
#include "json.h"

int fm_json_bad(struct fm_json *json, const char *why)
{
	json->error = why;
	return -EBADMSG;
}

void fm_json_space(struct fm_json *json)
{
	while (json->at < json->end &&
		(*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t'))
		json->at++;
}

bool fm_json_is(struct fm_json *json, uint8_t byte)
{
	fm_json_space(json);
	if (json->at == json->end || *json->at != byte)
		return false;
	json->at++;
	return true;
}

static int hex4(struct fm_json *json, uint32_t *code)
{
	*code = 0;
	if (json->end - json->at < 4)
		return fm_json_bad(json, "an escape is cut off");
	for (int i = 0; i < 4; i++) {
		int digit = fm_hex_digit(*json->at++);
		if (digit < 0)
			return fm_json_bad(json, "an escape has no four hexadecimal digits");
		*code = *code << 4 | (uint32_t)digit;
	}
	return 0;
}

static int put_code(struct fm_buffer *out, uint32_t code)
{
	uint8_t bytes[4];
	size_t size;

	if (code < 0x80) {
		bytes[0] = (uint8_t)code;
		size = 1;
	} else if (code < 0x800) {
		bytes[0] = (uint8_t)(0xc0 | code >> 6);
		size = 2;
	} else if (code < 0x10000) {
		bytes[0] = (uint8_t)(0xe0 | code >> 12);
		size = 3;
	} else {
		bytes[0] = (uint8_t)(0xf0 | code >> 18);
		size = 4;
	}
	for (size_t i = 1; i < size; i++)
		bytes[i] = (uint8_t)(0x80 | (code >> (6 * (size - 1 - i)) & 0x3f));
	return fm_append(out, bytes, size);
}

static int unicode(struct fm_json *json, struct fm_buffer *out)
{
	uint32_t code, low;
	int rc = hex4(json, &code);

	if (rc)
		return rc;
	if (code >= 0xd800 && code < 0xe000) {
		if (code >= 0xdc00 || json->end - json->at < 6 || json->at[0] != '\\' ||
			json->at[1] != 'u')
			return fm_json_bad(json, "half of a surrogate pair");
		json->at += 2;
		if ((rc = hex4(json, &low)))
			return rc;
		if (low < 0xdc00 || low > 0xdfff)
			return fm_json_bad(json, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_code(out, code);
}

static int escape(struct fm_json *json, struct fm_buffer *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (json->at == json->end)
		return fm_json_bad(json, "a string has no end");
	uint8_t c = *json->at++;
	if (c == 'u')
		return unicode(json, out);
	const char *found = c ? strchr(from, c) : NULL;
	return found ? fm_append(out, &to[found - from], 1)
		     : fm_json_bad(json, "an unknown escape");
}

int fm_json_string(struct fm_json *json, struct fm_buffer *out)
{
	int rc = 0;

	if (!fm_json_is(json, '"'))
		return fm_json_bad(json, "a string is missing");
	while (!rc) {
		const uint8_t *from = json->at;
		while (json->at < json->end && *json->at != '"' && *json->at != '\\' &&
			*json->at >= 0x20)
			json->at++;
		if ((rc = fm_append(out, from, (size_t)(json->at - from))))
			return rc;
		if (json->at == json->end || *json->at < 0x20)
			return fm_json_bad(json, "a string has no end, or a control character");
		if (*json->at++ == '"')
			return 0;
		rc = escape(json, out);
	}
	return rc;
}

int fm_json_token(struct fm_json *json, char token[64])
{
	bool quoted = fm_json_is(json, '"');
	size_t size = 0;

	while (json->at < json->end && (*json->at > ' ' && !strchr("\",]}:", *json->at))) {
		if (size == 63)
			return fm_json_bad(json, "a number of more than 63 characters");
		token[size++] = (char)*json->at++;
	}
	token[size] = '\0';
	if (!size || (quoted && (json->at == json->end || *json->at++ != '"')))
		return fm_json_bad(json, "a number is missing");
	return 0;
}

static int skip_members(struct fm_json *json, unsigned depth, bool keys, uint8_t close)
{
	int rc = 0;

	if (fm_json_is(json, close))
		return 0;
	do {
		if (keys &&
			(!fm_json_is(json, '"') || (json->at--, (rc = fm_json_skip(json, depth)))))
			return rc ? rc : fm_json_bad(json, "a name is missing");
		if (keys && !fm_json_is(json, ':'))
			return fm_json_bad(json, "a colon is missing");
		if ((rc = fm_json_skip(json, depth)))
			return rc;
	} while (fm_json_is(json, ','));
	return fm_json_is(json, close) ? 0 : fm_json_bad(json, "a comma or an end is missing");
}

static int skip_string(struct fm_json *json)
{
	while (json->at < json->end && *json->at != '"') {
		if (*json->at < 0x20)
			break;
		json->at += *json->at == '\\' && json->end - json->at > 1 ? 2 : 1;
	}
	if (json->at == json->end || *json->at != '"')
		return fm_json_bad(json, "a string has no end, or a control character");
	json->at++;
	return 0;
}

int fm_json_skip(struct fm_json *json, unsigned depth)
{
	char token[64];

	if (!depth)
		return fm_json_bad(json, "it is nested deeper than 64 levels");
	if (fm_json_is(json, '{'))
		return skip_members(json, depth - 1, true, '}');
	if (fm_json_is(json, '['))
		return skip_members(json, depth - 1, false, ']');
	if (fm_json_is(json, '"'))
		return skip_string(json);
	return fm_json_token(json, token);
}
