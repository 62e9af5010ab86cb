// SPDX-License-Identifier: Apache-2.0
// Reading the wire format of Protocol Buffers in place: no copy, no allocation, bounds checked.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum fm_wire_type {
	FM_VARINT = 0,
	FM_FIXED64 = 1,
	FM_BYTES = 2,
	FM_FIXED32 = 5,
};

struct fm_text {
	const uint8_t *data;
	size_t size;
};

struct fm_wire {
	const uint8_t *at, *end;
};

// `value` of a varint or a fixed field, `bytes` of a field with a length.
struct fm_field {
	uint32_t number;
	uint32_t type;
	uint64_t value;
	struct fm_text bytes;
};

static inline struct fm_wire fm_wire_of(struct fm_text text)
{
	return (struct fm_wire){text.data, text.data + text.size};
}

static inline int fm_read_long_varint(struct fm_wire *wire, uint64_t *value)
{
	uint64_t result = 0;

	for (unsigned shift = 0; shift < 70 && wire->at < wire->end; shift += 7) {
		uint8_t byte = *wire->at++;
		if (shift == 63 && byte > 1)
			return -EBADMSG;
		result |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = result;
			return 0;
		}
	}
	return -EBADMSG;
}

static inline int fm_read_varint(struct fm_wire *wire, uint64_t *value)
{
	if (wire->at < wire->end && *wire->at < 0x80) {
		*value = *wire->at++;
		return 0;
	}
	return fm_read_long_varint(wire, value);
}

static inline int fm_read_fixed(struct fm_wire *wire, size_t size, uint64_t *value)
{
	if ((size_t)(wire->end - wire->at) < size)
		return -EBADMSG;
	*value = 0;
	memcpy(value, wire->at, size); // little-endian, as the machines that this runs on
	wire->at += size;
	return 0;
}

static inline int fm_read_bytes(struct fm_wire *wire, struct fm_text *text)
{
	uint64_t size;

	if (fm_read_varint(wire, &size) || size > (size_t)(wire->end - wire->at))
		return -EBADMSG;
	*text = (struct fm_text){wire->at, size};
	wire->at += size;
	return 0;
}

// The next field: 1, 0 at the end, -EBADMSG. Groups are not taken.
static inline int fm_next(struct fm_wire *wire, struct fm_field *field)
{
	uint64_t tag;
	int rc;

	if (wire->at == wire->end)
		return 0;
	if (fm_read_varint(wire, &tag) || tag > UINT32_MAX || tag < 8)
		return -EBADMSG;
	field->number = (uint32_t)tag >> 3;
	field->type = tag & 7;
	field->bytes = (struct fm_text){wire->at, 0};
	field->value = 0;
	switch (field->type) {
	case FM_VARINT:
		rc = fm_read_varint(wire, &field->value);
		break;
	case FM_FIXED64:
		rc = fm_read_fixed(wire, 8, &field->value);
		break;
	case FM_BYTES:
		rc = fm_read_bytes(wire, &field->bytes);
		break;
	case FM_FIXED32:
		rc = fm_read_fixed(wire, 4, &field->value);
		break;
	default:
		rc = -EBADMSG;
	}
	return rc ? rc : 1;
}

static inline int64_t fm_zigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline double fm_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline uint64_t fm_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}
