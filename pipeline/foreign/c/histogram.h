// SPDX-License-Identifier: Apache-2.0
// Histograms as the store has them: a list of buckets, each with its index and its count, not
// cumulative, by the conventions of Prometheus's native histograms.
#pragma once

#include "batch.h"

#define FM_CUSTOM_BOUNDS (-53) // the schema of a histogram whose bounds are listed

struct fm_histogram {
	int64_t time;
	int32_t schema;
	uint8_t reset;
	double count, sum, zero_threshold, zero_count;
};

// A histogram of remote write 1.0 or 2.0, whose messages are alike.
int fm_histogram(
	struct fm_decoder *decoder, const struct fm_target *target, struct fm_text message);

// Append one; its buckets are appended before it, positive ones first, and each sort is ended.
int fm_put_histogram(struct fm_decoder *decoder, const struct fm_target *target,
	const struct fm_histogram *histogram);
int fm_put_bucket(struct fm_decoder *decoder, int32_t index, double count);
int fm_end_buckets(struct fm_decoder *decoder, enum fm_column end);

// Take back what is appended of a histogram that turns out to be wrong.
struct fm_histogram_mark {
	size_t indexes, counts, bounds, positive, negative;
};
struct fm_histogram_mark fm_histogram_mark(const struct fm_decoder *decoder);
void fm_histogram_undo(struct fm_decoder *decoder, struct fm_histogram_mark mark);
