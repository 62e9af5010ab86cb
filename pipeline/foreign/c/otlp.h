// SPDX-License-Identifier: Apache-2.0
// OTLP metrics: what its decoders share.
#pragma once

#include "batch.h"

#define FM_ATTRIBUTE_DEPTH 8 // of arrays and lists in a value

// What a data point inherits.
struct fm_metric {
	struct fm_text resource, scope; // messages
	struct fm_text name, description, unit;
	enum fm_type type;
	uint32_t temporality;
};

// Scratch buffers of a batch, by use.
enum { FM_SYMBOLS_SCRATCH, FM_TEXTS, FM_JSON };

// The labels of a data point into `decoder->labels`: its attributes (fields `number` of `point`),
// the resource's, the scope's name and version, and the metric's name with `suffix`. -EBADMSG,
// -ENOMEM.
int fm_otlp_labels(struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text point,
	uint32_t number, const char *suffix);

// Attributes alone, for exemplars.
int fm_otlp_attributes(struct fm_decoder *decoder, struct fm_text message, uint32_t number);

// One more label, unless the value is empty. The text must live until the series is looked up.
void fm_otlp_add(struct fm_decoder *decoder, const char *name, struct fm_text value);

// A number as the shortest text that reads back as the same.
void fm_number_text(double value, char text[32]);

// A value as text, appended to a buffer: strings as they are, bytes as hex, the rest as JSON.
int fm_otlp_value(struct fm_buffer *out, struct fm_text message, unsigned depth);

int fm_otlp_number(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message);
int fm_otlp_histogram(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message);
int fm_otlp_exponential(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message);
int fm_otlp_summary(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_text message);
// Look up the series of `decoder->labels`, and hand on the metric's metadata.
int fm_otlp_target(
	struct fm_decoder *decoder, const struct fm_metric *metric, struct fm_target *target);
int fm_otlp_exemplars(struct fm_decoder *decoder, const struct fm_target *target,
	struct fm_text point, uint32_t number);

static inline int64_t fm_ms(uint64_t nanoseconds)
{
	return (int64_t)(nanoseconds / 1000000);
}
