// SPDX-License-Identifier: Apache-2.0
// What a request holds, as columns, and the state of its decoding.
#pragma once

#include "buffer.h"
#include "series.h"

#define FM_EXAMPLE 512
#define FM_SCRATCH 3

// Columns in the order in which Python asks for them (native.py).
enum fm_column {
	FM_SAMPLE_SERIES,       // u64
	FM_SAMPLE_TIME,         // i64, unix ms
	FM_SAMPLE_VALUE,        // f64
	FM_SERIES_ID,           // u64: series that the store must be told of before their samples
	FM_SERIES_NAME,         // bytes: metric names
	FM_SERIES_NAME_END,     // i32: where each ends
	FM_SERIES_LABEL_END,    // i32: labels up to and with this series
	FM_LABEL_NAME,          // bytes
	FM_LABEL_NAME_END,      // i32
	FM_LABEL_VALUE,         // bytes
	FM_LABEL_VALUE_END,     // i32
	FM_METADATA,            // bytes: name, unit, help of each family, one after the other
	FM_METADATA_END,        // i32: three a family
	FM_METADATA_TYPE,       // u8: enum fm_type | temporality << 4
	FM_HISTOGRAM_SERIES,    // u64
	FM_HISTOGRAM_TIME,      // i64, unix ms
	FM_HISTOGRAM_SCHEMA,    // i32
	FM_HISTOGRAM_RESET,     // u8: the hint of remote write
	FM_HISTOGRAM_NUMBERS,   // f64: count, sum, zero threshold, zero count
	FM_BUCKET_INDEX,        // i32
	FM_BUCKET_COUNT,        // f64
	FM_BUCKET_POSITIVE_END, // i32: buckets up to and with this histogram's positive ones
	FM_BUCKET_NEGATIVE_END, // i32: and its negative ones, which follow
	FM_BOUND,               // f64: custom bounds
	FM_BOUND_END,           // i32
	FM_EXEMPLAR_SERIES,     // u64
	FM_EXEMPLAR_TIME,       // i64, unix ms
	FM_EXEMPLAR_VALUE,      // f64
	FM_EXEMPLAR_LABEL_END,  // i32: as of series
	FM_EXEMPLAR_LABEL_NAME, // bytes
	FM_EXEMPLAR_LABEL_NAME_END, // i32
	FM_EXEMPLAR_LABEL_VALUE,
	FM_EXEMPLAR_LABEL_VALUE_END,
	FM_COLUMNS,
};

// The types of metadata, numbered as remote write 1.0 does.
enum fm_type {
	FM_UNKNOWN,
	FM_COUNTER,
	FM_GAUGE,
	FM_HISTOGRAM,
	FM_GAUGE_HISTOGRAM,
	FM_SUMMARY,
	FM_INFO,
	FM_STATE_SET,
	FM_TYPES,
};

enum fm_reason {
	FM_BAD_LABELS,
	FM_TENANT_LIMIT,
	FM_TABLE_LIMIT,
	FM_BAD_TIME,
	FM_BAD_HISTOGRAM,
	FM_NO_VALUE,
	FM_REASONS,
};

// Samples (and histograms) that are not taken, and the first of them.
struct fm_rejected {
	uint64_t samples, series;
	char example[FM_EXAMPLE];
};

struct fm_batch {
	struct fm_buffer columns[FM_COLUMNS];
	struct fm_rejected rejected[FM_REASONS];
	uint64_t exemplars_rejected;
	char error[FM_EXAMPLE];
	struct fm_buffer scratch[FM_SCRATCH];
	uint32_t number;
};

// What the decoders hand around.
struct fm_decoder {
	struct fm_table *table;
	struct fm_batch *batch;
	uint32_t tenant, now;
	int64_t oldest, newest; // times that are taken, unix ms
	size_t allowance;       // bytes that the columns may still grow by
	const uint8_t *start;   // of the body, for the places of errors
	struct fm_labels labels;
	uint64_t made[FM_MAX_LABELS /
		      64];       // bits of labels whose value is a place in a scratch buffer
	struct fm_text resource; // of OTLP: whose labels are these, when none of them is made
	struct fm_labels resource_labels;
	uint8_t key[FM_MAX_KEY];
};

// A series of a request: `id` 0 is one that is not taken, for `reason`.
struct fm_target {
	uint64_t id;
	struct fm_series *series; // until the next series is looked up
	enum fm_reason reason;
};

// Note what is wrong and where; returns -EBADMSG.
int fm_malformed(struct fm_decoder *decoder, const uint8_t *at, const char *what);

// Bytes of a column. -E2BIG beyond the allowance, -ENOMEM.
int fm_column_put(struct fm_decoder *decoder, enum fm_column column, const void *data, size_t size);

// The series of a key, or of `decoder->labels`. 0, or -E2BIG, -ENOMEM.
int fm_target_of_key(struct fm_decoder *decoder, struct fm_text key, struct fm_target *target);
int fm_target_of_labels(struct fm_decoder *decoder, bool first_wins, struct fm_target *target);

int fm_put_sample(
	struct fm_decoder *decoder, const struct fm_target *target, int64_t time, uint64_t bits);

// Whether a sample of this time may be taken; counts it otherwise.
bool fm_takes(struct fm_decoder *decoder, const struct fm_target *target, int64_t time);
void fm_reject(
	struct fm_decoder *decoder, enum fm_reason reason, uint64_t samples, const char *example);

struct fm_metadata {
	enum fm_type type;
	uint32_t temporality; // of OTLP: 0 none, 1 delta, 2 cumulative
	struct fm_text name, unit, help;
};
int fm_put_metadata(struct fm_decoder *decoder, const struct fm_metadata *metadata);

// The same for metadata that comes with every series of every request: only when it is new.
int fm_tell_metadata(struct fm_decoder *decoder, const struct fm_target *target,
	const struct fm_metadata *metadata);

// The labels are in `decoder->labels`.
int fm_put_exemplar(
	struct fm_decoder *decoder, const struct fm_target *target, int64_t time, uint64_t bits);

// Column numbers of a set of label columns.
struct fm_label_columns {
	enum fm_column end, name, name_end, value, value_end;
};
int fm_put_labels(struct fm_decoder *decoder, const struct fm_label_columns *to, bool without_name);

int fm_rw1(struct fm_decoder *decoder, struct fm_text body);
int fm_rw2(struct fm_decoder *decoder, struct fm_text body);
int fm_otlp(struct fm_decoder *decoder, struct fm_text body);
