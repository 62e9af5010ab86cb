// SPDX-License-Identifier: Apache-2.0
// Remote write 2.0: io.prometheus.write.v2.Request. Texts are numbers of one list of symbols.
#include "batch.h"
#include "histogram.h"

enum { SYMBOLS = 4, TIMESERIES = 5 };
enum { LABELS = 1, SAMPLES = 2, HISTOGRAMS = 3, EXEMPLARS = 4, METADATA = 5 };

struct symbols {
	const struct fm_text *texts;
	size_t count;
};

static int collect(struct fm_decoder *decoder, struct fm_text body, struct symbols *symbols)
{
	struct fm_buffer *list = &decoder->batch->scratch[0];
	struct fm_wire wire = fm_wire_of(body);
	struct fm_field field;
	const uint8_t *at = wire.at;
	int rc;

	list->size = 0;
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number == SYMBOLS || field.number == TIMESERIES) {
			if (field.type != FM_BYTES)
				return fm_malformed(
					decoder, at, "a field of the request has the wrong type");
			if (field.number == SYMBOLS &&
				(rc = fm_append(list, &field.bytes, sizeof(field.bytes))))
				return rc;
		}
		at = wire.at;
	}
	symbols->texts = (const struct fm_text *)list->data;
	symbols->count = list->size / sizeof(struct fm_text);
	return rc ? fm_malformed(decoder, at, "the request is cut off, or it is no Protobuf") : 0;
}

// Pairs of references, packed or one by one, from all fields `number` of a message.
struct refs {
	struct fm_decoder *decoder;
	const struct symbols *symbols;
	struct fm_text name;
	bool half;
};

static int ref(struct refs *refs, uint64_t value)
{
	if (value >= refs->symbols->count)
		return -EBADMSG;
	if (refs->half)
		fm_labels_add(&refs->decoder->labels, refs->name, refs->symbols->texts[value]);
	else
		refs->name = refs->symbols->texts[value];
	refs->half = !refs->half;
	return 0;
}

static int labels(struct fm_decoder *decoder, const struct symbols *symbols, struct fm_text message)
{
	struct refs refs = {.decoder = decoder, .symbols = symbols};
	struct fm_wire wire = fm_wire_of(message), packed;
	struct fm_field field;
	uint64_t value;
	int rc;

	decoder->labels.count = 0;
	decoder->labels.overflow = false;
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != LABELS)
			continue;
		if (field.type == FM_VARINT) {
			if (ref(&refs, field.value))
				return -EBADMSG;
			continue;
		}
		if (field.type != FM_BYTES)
			return -EBADMSG;
		packed = fm_wire_of(field.bytes);
		while (packed.at < packed.end)
			if (fm_read_varint(&packed, &value) || ref(&refs, value))
				return -EBADMSG;
	}
	return rc || refs.half ? -EBADMSG : 0;
}

struct point {
	uint64_t bits;
	int64_t time;
};

// A sample, or an exemplar, whose fields have the numbers given.
static int point(struct fm_text message, uint32_t value, uint32_t time, struct point *point)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	*point = (struct point){0};
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != value && field.number != time)
			continue;
		if (field.type != (field.number == value ? FM_FIXED64 : FM_VARINT))
			return -EBADMSG;
		if (field.number == value)
			point->bits = field.value;
		else
			point->time = (int64_t)field.value;
	}
	return rc;
}

static int exemplar(struct fm_decoder *decoder, const struct symbols *symbols,
	const struct fm_target *target, struct fm_text message)
{
	struct point found;

	if (labels(decoder, symbols, message) || point(message, 2, 3, &found))
		return fm_malformed(
			decoder, message.data, "an exemplar is damaged, or names no symbol");
	return fm_put_exemplar(decoder, target, found.time, found.bits);
}

static int sample(
	struct fm_decoder *decoder, const struct fm_target *target, struct fm_text message)
{
	struct point found;

	if (point(message, 1, 2, &found))
		return fm_malformed(decoder, message.data, "a sample is cut off or damaged");
	return fm_put_sample(decoder, target, found.time, found.bits);
}

// Only what is new is handed on: senders repeat it with every series of every request.
static int metadata(struct fm_decoder *decoder, const struct symbols *symbols,
	const struct fm_target *target, struct fm_text name, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_metadata found = {.type = FM_UNKNOWN, .name = name};
	struct fm_field field;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number == 2 || field.number > 4)
			continue;
		if (field.type != FM_VARINT || (field.number != 1 && field.value >= symbols->count))
			return fm_malformed(
				decoder, message.data, "metadata is damaged, or names no symbol");
		if (field.number == 1)
			found.type =
				field.value < FM_TYPES ? (enum fm_type)field.value : FM_UNKNOWN;
		else
			*(field.number == 3 ? &found.help : &found.unit) =
				symbols->texts[field.value];
	}
	if (rc)
		return fm_malformed(decoder, message.data, "metadata is cut off or damaged");
	if (!found.type && !found.help.size && !found.unit.size)
		return 0;
	return fm_tell_metadata(decoder, target, &found);
}

static int series(struct fm_decoder *decoder, const struct symbols *symbols, struct fm_text message)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_target target;
	struct fm_field field;

	if (labels(decoder, symbols, message))
		return fm_malformed(
			decoder, message.data, "a series is damaged, or names no symbol");
	struct fm_text name = fm_metric_name(&decoder->labels);
	int rc = fm_target_of_labels(decoder, false, &target);
	while (!rc && fm_next(&wire, &field) > 0) {
		if (field.number < SAMPLES || field.number > METADATA)
			continue;
		if (field.type != FM_BYTES)
			return fm_malformed(
				decoder, message.data, "a field of a series has the wrong type");
		if (field.number == SAMPLES)
			rc = sample(decoder, &target, field.bytes);
		else if (field.number == HISTOGRAMS)
			rc = fm_histogram(decoder, &target, field.bytes);
		else if (field.number == EXEMPLARS)
			rc = exemplar(decoder, symbols, &target, field.bytes);
		else
			rc = metadata(decoder, symbols, &target, name, field.bytes);
	}
	return rc;
}

int fm_rw2(struct fm_decoder *decoder, struct fm_text body)
{
	struct fm_wire wire = fm_wire_of(body);
	struct symbols symbols = {0};
	struct fm_field field;
	int rc = collect(decoder, body, &symbols);

	while (!rc && fm_next(&wire, &field) > 0)
		if (field.number == TIMESERIES)
			rc = series(decoder, &symbols, field.bytes);
	return rc;
}
