// SPDX-License-Identifier: Apache-2.0
// JSON of OTLP to its Protobuf form, so that there is one decoder. Lists of fields say what is
// what.
#pragma once

#include "buffer.h"
#include "wire.h"

#define FM_JSON_DEPTH 64

enum fm_json_kind {
	FM_JSON_TEXT,
	FM_JSON_BASE64,
	FM_JSON_HEX,
	FM_JSON_BOOL,
	FM_JSON_INT,    // a varint: signed, unsigned or an enum
	FM_JSON_ZIGZAG, // sint32
	FM_JSON_FIXED,  // fixed64 or sfixed64
	FM_JSON_DOUBLE,
	FM_JSON_MESSAGE,
};

struct fm_json_field {
	const char *name;
	uint32_t number;
	enum fm_json_kind kind;
	const struct fm_json_field *message; // its fields; the list ends with a name of NULL
};

struct fm_json {
	const uint8_t *start, *at, *end;
	struct fm_buffer *out;
	const char *error; // what is wrong at `at`
};

// The value of a hexadecimal digit, or -1.
static inline int fm_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

extern const struct fm_json_field fm_otlp_request[];

// Append the message to `json->out`. -EBADMSG with `json->error`, -ENOMEM.
int fm_json_message(struct fm_json *json, const struct fm_json_field *fields);

// What json.c has of json_scan.c.
void fm_json_space(struct fm_json *json);
bool fm_json_is(struct fm_json *json, uint8_t byte);    // and steps over it
int fm_json_bad(struct fm_json *json, const char *why); // -EBADMSG
int fm_json_string(struct fm_json *json, struct fm_buffer *out);
int fm_json_skip(struct fm_json *json, unsigned depth);
// A number, or a string that holds one, cut into `token`.
int fm_json_token(struct fm_json *json, char token[64]);
