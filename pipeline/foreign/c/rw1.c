// SPDX-License-Identifier: Apache-2.0
// Remote write 1.0: prometheus.WriteRequest.
#include "batch.h"
#include "histogram.h"

#define LABELS_TAG 0x0a // field 1, bytes

static int sample(
	struct fm_decoder *decoder, const struct fm_target *target, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	uint64_t bits = 0, time = 0;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number == 1 && field.type == FM_FIXED64)
			bits = field.value;
		else if (field.number == 2 && field.type == FM_VARINT)
			time = field.value;
		else if (field.number <= 2)
			return fm_malformed(
				decoder, message.data, "a field of a sample has the wrong type");
	}
	if (rc)
		return fm_malformed(decoder, message.data, "a sample is cut off or damaged");
	return fm_put_sample(decoder, target, (int64_t)time, bits);
}

static int exemplar(
	struct fm_decoder *decoder, const struct fm_target *target, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	uint64_t bits = 0, time = 0;
	int rc;

	decoder->labels.count = 0;
	decoder->labels.overflow = false;
	if (fm_labels_read(wire, &decoder->labels))
		return fm_malformed(decoder, message.data, "an exemplar is cut off or damaged");
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number == 2 && field.type == FM_FIXED64)
			bits = field.value;
		else if (field.number == 3 && field.type == FM_VARINT)
			time = field.value;
		else if (field.number == 2 || field.number == 3)
			return fm_malformed(
				decoder, message.data, "a field of an exemplar has the wrong type");
	}
	return fm_put_exemplar(decoder, target, (int64_t)time, bits);
}

// The labels, wherever in the message they are. Nearly always they lead it and are a key already.
static int target(struct fm_decoder *decoder, struct fm_text message, struct fm_wire *rest,
	struct fm_target *found)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc = 1;

	while (wire.at < wire.end && *wire.at == LABELS_TAG && rc > 0)
		rc = fm_next(&wire, &field);
	struct fm_text key = {message.data, (size_t)(wire.at - message.data)};
	*rest = wire;
	while (rc > 0 && (rc = fm_next(&wire, &field)) > 0)
		if (field.number == 1)
			break;
	if (rc < 0)
		return fm_malformed(decoder, message.data, "a series is cut off or damaged");
	if (!rc && key.size && key.size <= FM_MAX_KEY) {
		rc = fm_target_of_key(decoder, key, found);
	} else {
		*rest = fm_wire_of(message);
		decoder->labels.count = 0;
		decoder->labels.overflow = false;
		if (fm_labels_read(*rest, &decoder->labels))
			return fm_malformed(decoder, message.data, "a label is cut off or damaged");
		rc = fm_target_of_labels(decoder, false, found);
	}
	return rc;
}

static int series(struct fm_decoder *decoder, struct fm_text message)
{
	struct fm_target found;
	struct fm_wire wire;
	struct fm_field field;
	int rc = target(decoder, message, &wire, &found);

	while (!rc && fm_next(&wire, &field) > 0) {
		if (field.number < 2 || field.number > 4)
			continue;
		if (field.type != FM_BYTES)
			return fm_malformed(
				decoder, message.data, "a field of a series has the wrong type");
		if (field.number == 2)
			rc = sample(decoder, &found, field.bytes);
		else if (field.number == 3)
			rc = exemplar(decoder, &found, field.bytes);
		else
			rc = fm_histogram(decoder, &found, field.bytes);
	}
	return rc;
}

static int metadata(struct fm_decoder *decoder, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_metadata found = {.type = FM_UNKNOWN};
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		uint32_t wanted = field.number == 1 ? FM_VARINT : FM_BYTES;
		if (field.number > 5 || field.number == 3)
			continue;
		if (field.type != wanted)
			return fm_malformed(
				decoder, message.data, "a field of metadata has the wrong type");
		if (field.number == 1)
			found.type =
				field.value < FM_TYPES ? (enum fm_type)field.value : FM_UNKNOWN;
		else
			*(field.number == 2         ? &found.name
				: field.number == 4 ? &found.help
						    : &found.unit) = field.bytes;
	}
	if (rc)
		return fm_malformed(decoder, message.data, "metadata is cut off or damaged");
	return fm_put_metadata(decoder, &found);
}

int fm_rw1(struct fm_decoder *decoder, struct fm_text body)
{
	struct fm_wire wire = fm_wire_of(body);
	struct fm_field field;
	const uint8_t *at = wire.at;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number == 1 || field.number == 3) {
			if (field.type != FM_BYTES)
				return fm_malformed(
					decoder, at, "a field of the request has the wrong type");
			rc = field.number == 1 ? series(decoder, field.bytes)
					       : metadata(decoder, field.bytes);
			if (rc)
				return rc;
		}
		at = wire.at;
	}
	return rc ? fm_malformed(decoder, at, "the request is cut off, or it is no Protobuf") : 0;
}
